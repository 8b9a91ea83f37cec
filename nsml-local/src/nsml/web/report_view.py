"""The report on a checkpoint, and a button to write one."""

from __future__ import annotations

from urllib.parse import urlencode

from nicegui import ui

from ..engine.report import write_report
from ..errors import NsmlError
from ..store.checkpoints import checkpoint_names, find_checkpoint
from ..store.sessions import Session
from ..wording import plain
from .frame import quiet_button, show_error
from .live import in_own_thread, stop_if_ending
from .report_files import ADDRESS, reported
from .site import Site
from .texts import Texts

_LONGEST = 1000  # bytes of a line


def report_view(site: Site, session: Session, t: Texts) -> None:
    """Shows the report on the selected checkpoint."""
    reports = reported(session)
    bar = ui.row().classes("w-full items-center gap-2")
    none = ui.label(t("No report on this session's checkpoints yet")).classes("quiet")
    frame = ui.element("iframe").classes("report")
    frame.props["sandbox"] = ""

    def show(name: str | None) -> None:
        none.set_visibility(not name)
        frame.set_visibility(bool(name))
        if name:
            query = urlencode({"session": str(session.name), "checkpoint": name}, errors="replace")
            frame.props["src"] = f"{ADDRESS}?{query}"
            frame.props["title"] = t("Report on checkpoint {name}", name=plain(name))
            frame.update()

    with bar:
        choice = ui.select(
            {name: plain(name) for name in reports},
            value=reports[-1] if reports else None,
            label=t("Report"),
            on_change=lambda event: show(event.value),
        )
        choice.props("dense outlined").classes("w-48")
        if not site.read_only:
            _add_button(site, session, choice, t)
    show(reports[-1] if reports else None)


def _add_button(site: Site, session: Session, choice: ui.select, t: Texts) -> None:
    names = checkpoint_names(session.checkpoints)
    value = "best" if "best" in names else next(iter(names), None)
    on = ui.select({name: plain(name) for name in names}, value=value, label=t("Checkpoint"))
    on.props("dense outlined").classes("w-40")
    button = quiet_button(t("Write a report"))
    status = ui.label().props("role=status").classes("quiet")
    lines: list[str] = []

    def printed(output: bytes) -> None:
        stop_if_ending()
        if output:
            lines[:] = [output[-_LONGEST:].decode(errors="replace").strip().rpartition("\n")[2]]

    def write(name: str) -> None:
        checkpoint = find_checkpoint(session.checkpoints, name, str(session.name))
        write_report(
            site.home,
            session,
            checkpoint,
            say=lines.append,
            on_output=printed,
        )

    async def go() -> None:
        if not on.value:
            show_error(t("This session has no checkpoint"))
            return
        button.disable()
        timer = ui.timer(0.5, lambda: status.set_text(plain(lines[-1])[-200:] if lines else ""))
        try:
            await in_own_thread(lambda: write(str(on.value)))
            choice.set_options({name: plain(name) for name in reported(session)}, value=on.value)
        except (NsmlError, OSError) as error:
            show_error(str(error))
        timer.cancel()
        status.set_text("")
        button.enable()

    button.on_click(go)
