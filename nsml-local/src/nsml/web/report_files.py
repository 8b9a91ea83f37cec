"""The HTML pages that sessions' programs wrote on their checkpoints.

A program writes what it likes, so the browser is told to run nothing in such a page, to load nothing, and to treat it as of another site.
"""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import FileResponse, PlainTextResponse, Response

from ..engine.report import page_of, report_folder
from ..errors import NsmlError
from ..store.checkpoints import checkpoint_names
from ..store.sessions import Session
from .site import Site

_POLICY = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; frame-ancestors 'self'"
)
_HEADERS = {"content-security-policy": _POLICY, "x-frame-options": "SAMEORIGIN", "cache-control": "no-store"}
ADDRESS = "/report"


def reported(session: Session) -> list[str]:
    """The checkpoints on which there is a report."""
    return [name for name in checkpoint_names(session.checkpoints) if page_of(report_folder(session, name)) is not None]


def register(app: FastAPI, site: Site) -> None:
    """Serve the one HTML file of each report; nothing else of any folder."""

    @app.get(ADDRESS)
    def report(session: str = "", checkpoint: str = "") -> Response:
        try:
            found = site.session(session)
        except NsmlError as error:
            return PlainTextResponse(f"nsml: {error}\n", status_code=404)
        page = page_of(report_folder(found, checkpoint)) if checkpoint in reported(found) else None
        if page is None or page.is_symlink():
            return PlainTextResponse(f"nsml: there is no report on that checkpoint of {found.name}\n", status_code=404)
        return FileResponse(page, media_type="text/html; charset=utf-8", headers=_HEADERS)
