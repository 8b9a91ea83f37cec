"""A session: status, actions, log, graph, checkpoints, report, terminal and details."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable
from typing import Any

from fastapi import Request
from nicegui import ui

from ..engine.differences import arguments_of, environment_of
from ..engine.queue import places
from ..engine.words import run_words
from ..errors import Damaged, NsmlError
from ..store.metrics import last_summary
from ..store.sessions import ENDED, Session
from ..wording import plain, size, values
from .actions import Actions
from .checkpoints_view import checkpoints_view
from .frame import frame, heading, nothing_here, quiet_button, show_error
from .graph_view import GraphView
from .live import watch
from .log_view import LogView
from .report_view import report_view
from .session_rows import DAMAGED, best_of_validation, why_ended, why_queued
from .site import Site, dataset_address
from .terminal_view import terminal_view
from .texts import Texts

_COLOURS = {
    "Queued": "info",
    "Running": "positive",
    "Starting": "info",
    "Failed": "negative",
    "Lost": "negative",
    DAMAGED: "negative",
    "Stopped": "secondary",
    "Exited": "secondary",
}


def register(site: Site) -> None:
    """Register the page."""

    @ui.page("/session/{user}/{dataset}/{number}", response_timeout=60)
    def session(request: Request, user: str, dataset: str, number: str, tab: str = "log") -> None:
        with frame(site, request, f"{dataset}/{number}") as t:
            try:
                current = site.session(f"{user}/{dataset}/{number}")
            except NsmlError as error:
                heading(t("Sessions"))
                nothing_here(error, f"{user}/{dataset}/{number}", t)
                return
            _head(site, current, t)
            views: dict[str, tuple[str, str, Callable[[], object]]] = {
                "log": (t("Log"), "subject", lambda: LogView(current, t)),
                "graph": (t("Graph"), "show_chart", lambda: GraphView([current], t)),
                "checkpoints": (t("Checkpoints"), "save", lambda: checkpoints_view(site, current, t)),
                "report": (t("Report"), "description", lambda: report_view(site, current, t)),
                "details": (t("Details"), "info", lambda: _details(current, t)),
            }
            if not site.read_only:
                views["terminal"] = (t("Terminal"), "terminal", lambda: terminal_view(current, t))
            first = tab if tab in views else "log"
            with (
                ui.tabs()
                .props("no-caps inline-label dense align=left outside-arrows mobile-arrows")
                .classes("w-full") as tabs
            ):
                for name, (label, icon, _) in views.items():
                    ui.tab(name, label=label, icon=icon)
            places: dict[str, ui.element] = {}
            with ui.tab_panels(tabs, value=first, animated=False, keep_alive=True).classes("w-full"):
                for name in views:
                    with ui.tab_panel(name).classes("p-0 pt-2"):
                        places[name] = ui.column().classes("w-full gap-3")

            def build() -> None:
                # Create a view when its tab is first opened.
                place = places.pop(str(tabs.value), None)
                if place is not None:
                    with place:
                        views[str(tabs.value)][2]()

            tabs.on_value_change(build)
            build()


def _head(site: Site, session: Session, t: Texts) -> None:
    with ui.row().classes("w-full items-center gap-3"):
        heading(str(session.name))
        badge = ui.badge().classes("text-sm px-2 py-1")
        since = ui.label().classes("quiet")
        ui.link(session.name.dataset, dataset_address(session.name.dataset, "sessions")).classes("link")
    why = ui.label().classes("break-words").props("role=status")
    summary = ui.label().classes("mono quiet")
    actions = Actions(site, t)
    name = str(session.name)
    if site.read_only:
        memo_text = ui.label(plain(session.memo()))
    else:
        memo = ui.input(t("Memo"), value=plain(session.memo())).props("dense outlined maxlength=500")
        memo.classes("w-full max-w-xl")
        saved = [str(memo.value)]

        async def save() -> None:
            if str(memo.value or "") != saved[0]:
                saved[0] = str(memo.value or "")
                await actions.memo(name, saved[0])

        memo.on("blur", save)
        memo.on("keydown.enter", save)
        with ui.row().classes("gap-1"):
            stop = quiet_button(t("Stop"), on_click=lambda: actions.stop([name]))
            resume = quiet_button(t("Resume"), on_click=lambda: actions.resume([name]))
            quiet_button(t("Fork"), on_click=lambda: actions.fork(name))
            quiet_button(t("Submit"), on_click=lambda: actions.submit(name))
            back = dataset_address(session.name.dataset, "sessions")
            remove = quiet_button(t("Remove"), on_click=lambda: actions.remove([name], lambda: ui.navigate.to(back)))

    def show(facts: dict[str, Any]) -> None:
        badge.set_text(t.status(facts["status"]))
        badge.props(f"color={_COLOURS.get(facts['status'], 'secondary')}")
        since.set_text(facts["age"])
        why.set_text(facts["why"])
        summary.set_text(facts["summary"])
        if site.read_only:
            memo_text.set_text(facts["memo"])
            return
        ended = facts["status"] in ENDED or facts["status"] == DAMAGED
        stop.set_visibility(not ended or facts["status"] == "Lost")
        resume.set_visibility(ended)
        remove.set_visibility(ended)

    watch(1, lambda: _facts(site, session, t), show, show_error)


def _facts(site: Site, session: Session, t: Texts) -> dict[str, Any]:
    try:
        record, state = session.record(), session.state()
    except Damaged as error:
        return {"status": DAMAGED, "age": "", "why": plain(str(error)), "summary": "", "memo": plain(session.memo())}
    return {
        "status": str(state.get("status")),
        "age": t.ago(float(record["created_at"])),
        "why": plain(t.reason(why_ended(state) or why_queued(session, state, places(site.home)))),
        "summary": plain(_reported(session, t)),
        "memo": plain(session.memo()),
    }


def _reported(session: Session, t: Texts) -> str:
    """The last values, and the best ones that are not the last."""
    last = last_summary(session.folder)
    best = {n: v for n, (v, _) in best_of_validation(session.folder).items() if n in last and v != last[n]}
    return f"{values(last)}   {t('Best')}: {values(best)}" if best else values(last)


def _details(session: Session, t: Texts) -> None:
    try:
        record = session.record()
        facts = {
            t("Entry file"): record["entry"],
            t("Kind"): record.get("kind", ""),
            t("Starting checkpoint"): record.get("of", ""),
            t("Command"): shlex.join(run_words(session)),
            t("Most memory"): size(peak) if (peak := session.state().get("peak_memory")) else "",
        }
        tables = [("", facts), (t("Arguments"), arguments_of(session))]
        with contextlib.suppress(NsmlError):
            tables.append((t("Environment"), environment_of(session)))
    except NsmlError as error:
        ui.label(plain(str(error))).props("role=alert")
        return
    for title, content in tables:
        if title:
            heading(title, 2)
        with ui.element("div"):
            for key, value in content.items():
                if value not in (None, ""):
                    with ui.row().classes("gap-2 items-baseline no-wrap"):
                        ui.label(plain(str(key))).classes("font-semibold min-w-32")
                        ui.label(plain(str(value))).classes("mono")
