"""The graphs of several sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from nicegui import ui

from ..errors import NsmlError
from .frame import frame, heading, nothing_here
from .graph_view import GraphView
from .site import Site, session_address

_MAX_SESSIONS = 20


def register(site: Site) -> None:
    """Register the page."""

    @ui.page("/graph", response_timeout=60)
    def graph(request: Request, session: Annotated[list[str], Query()] = []) -> None:  # noqa: B006
        with frame(site, request) as t:
            heading(t("Graph"))
            try:
                sessions = [site.session(name) for name in dict.fromkeys(session[:_MAX_SESSIONS])]
            except NsmlError as error:
                nothing_here(error, ", ".join(session), t)
                return
            with ui.row().classes("gap-3"):
                for one in sessions:
                    ui.link(str(one.name), session_address(one.name)).classes("link")
            GraphView(sessions, t)
