"""A dataset: its leaderboard and its sessions."""

from __future__ import annotations

from fastapi import Request
from nicegui import ui

from ..errors import Damaged, NsmlError
from ..store.datasets import find_dataset
from ..store.names import check_name
from ..store.sessions import list_sessions
from .board import board
from .frame import frame, heading, nothing_here
from .sessions_table import sessions_table
from .site import Site


def register(site: Site) -> None:
    """Register the page."""

    @ui.page("/dataset/{name}", response_timeout=60)
    def dataset(request: Request, name: str, tab: str = "") -> None:
        with frame(site, request, name) as t:
            source = None
            try:
                registered = find_dataset(site.home, check_name(name, "DATASET"))
                registered.record()
                source = registered
            except NsmlError as error:
                # Sessions outlive their dataset.
                has_sessions = bool(list_sessions(site.home, dataset=name))
                if isinstance(error, Damaged) or not has_sessions:
                    heading(t("Datasets"))
                    nothing_here(error, name, t)
                if not has_sessions:
                    return
            heading(name)
            with ui.tabs().props("no-caps inline-label dense align=left").classes("w-full") as tabs:
                if source is not None:
                    ui.tab("board", label=t("Leaderboard"), icon="leaderboard")
                ui.tab("sessions", label=t("Sessions"), icon="list")
            first = "sessions" if tab == "sessions" or source is None else "board"
            with ui.tab_panels(tabs, value=first, animated=False, keep_alive=True).classes("w-full"):
                if source is not None:
                    with ui.tab_panel("board").classes("p-0 pt-2 gap-3"):
                        board(site, source, t)
                with ui.tab_panel("sessions").classes("p-0 pt-2 gap-2"):
                    sessions_table(site, name, t)
