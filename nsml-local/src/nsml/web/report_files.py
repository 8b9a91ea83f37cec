"""The HTML reports that programs wrote on checkpoints.

A report is untrusted: the browser runs no script in it, loads nothing for it, and treats it as another site.
"""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response

from ..engine.report import page_of, report_folder
from ..errors import NsmlError
from ..store.checkpoints import checkpoint_names
from ..store.files import read_regular
from ..store.sessions import Session
from .site import Site

_POLICY = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; frame-ancestors 'self'"
)
_HEADERS = {"content-security-policy": _POLICY, "x-frame-options": "SAMEORIGIN", "cache-control": "no-store"}
ADDRESS = "/report"


def reported(session: Session) -> list[str]:
    """The checkpoints that have a report."""
    return [name for name in checkpoint_names(session.checkpoints) if page_of(report_folder(session, name)) is not None]


def register(app: FastAPI, site: Site) -> None:
    """Serve the HTML file of each report, and no other file."""

    @app.get(ADDRESS)
    def report(session: str = "", checkpoint: str = "") -> Response:
        try:
            owner = site.session(session)
        except NsmlError as error:
            return PlainTextResponse(f"nsml: {error}\n", status_code=404)
        page = page_of(report_folder(owner, checkpoint)) if checkpoint in reported(owner) else None
        try:
            content = read_regular(page, below=owner.folder) if page is not None else None
        except OSError:
            content = None
        if content is None:
            return PlainTextResponse(f"nsml: no report on that checkpoint of {owner.name}\n", status_code=404)
        return Response(content, media_type="text/html; charset=utf-8", headers=_HEADERS)
