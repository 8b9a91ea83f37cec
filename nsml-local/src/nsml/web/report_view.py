"""A checkpoint's report inside the page, and the writing of one."""

from __future__ import annotations

from urllib.parse import urlencode

from nicegui import ui

from ..engine.report import write_report
from ..errors import NsmlError
from ..store.checkpoints import checkpoint_names, find_checkpoint
from ..store.sessions import Session
from ..wording import plain
from .frame import quiet_button, tell
from .live import in_thread
from .report_files import ADDRESS, reported
from .site import Site
from .texts import Texts


def report_view(site: Site, session: Session, t: Texts) -> None:
    """The report on the chosen checkpoint; a button that has one written."""
    found = reported(session)
    bar = ui.row().classes("w-full items-center gap-2")
    none = ui.label(t("No report yet on a checkpoint of this session")).classes("quiet")
    frame = ui.element("iframe").classes("report")
    frame.props["sandbox"] = ""

    def show(name: str | None) -> None:
        none.set_visibility(not name)
        frame.set_visibility(bool(name))
        if name:
            query = urlencode({"session": str(session.name), "checkpoint": name})
            frame.props["src"] = f"{ADDRESS}?{query}"
            frame.props["title"] = t("Report on checkpoint {name}", name=plain(name))
            frame.update()

    with bar:
        choice = ui.select(
            {name: plain(name) for name in found},
            value=found[-1] if found else None,
            label=t("Checkpoint"),
            on_change=lambda event: show(event.value),
        )
        choice.props("dense outlined").classes("w-48")
        if not site.read_only:
            _add_writing(site, session, choice, t)
    show(found[-1] if found else None)


def _add_writing(site: Site, session: Session, choice: ui.select, t: Texts) -> None:
    names = checkpoint_names(session.checkpoints)
    on = ui.select({name: plain(name) for name in names}, value="best" if "best" in names else next(iter(names), None))
    on.props(f'dense outlined aria-label="{t("Checkpoint")}"').classes("w-40")
    button = quiet_button(t("Write a report"))
    said = ui.label().props("role=status").classes("quiet")
    lines: list[str] = []

    def write(name: str) -> None:
        kept = find_checkpoint(session.checkpoints, name, str(session.name))
        write_report(
            site.home,
            session,
            kept,
            say=lines.append,
            on_output=lambda output: lines.append(output.decode(errors="replace").strip().rpartition("\n")[2]),
        )

    async def go() -> None:
        if not on.value:
            tell(t("The session has saved no checkpoint"))
            return
        button.disable()
        timer = ui.timer(0.5, lambda: said.set_text(plain(lines[-1])[-200:] if lines else ""))
        try:
            await in_thread(lambda: write(str(on.value)))
            found = reported(session)
            choice.set_options({name: plain(name) for name in found}, value=on.value)
        except (NsmlError, OSError) as error:
            tell(str(error))
        timer.cancel()
        said.set_text("")
        button.enable()

    button.on_click(go)
