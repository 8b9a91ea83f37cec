"""The checkpoints of a session."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import ui

from ..store.checkpoints import Checkpoint, list_checkpoints
from ..store.sessions import Session
from ..wording import short, size, values
from .actions import Actions
from .frame import data_table, quiet_button, show_error
from .live import watch
from .site import Site
from .texts import Texts


def checkpoints_view(site: Site, session: Session, t: Texts) -> None:
    """A table of the checkpoints, with buttons to submit and fork."""
    if not site.read_only:
        actions = Actions(site, t)
        name = str(session.name)
        with ui.row().classes("gap-1"):
            for text, act in ((t("Submit"), actions.submit), (t("Fork"), actions.fork)):
                quiet_button(text, on_click=partial(act, name))
    table = data_table(_columns(t), "key", empty=t("This session has no checkpoint"))

    def show(rows: list[dict[str, Any]]) -> None:
        table.rows = rows

    def look() -> list[dict[str, Any]]:
        return [_row(entry, number, t) for number, entry in enumerate(list_checkpoints(session.checkpoints))]

    watch(2, look, show, show_error)


def _columns(t: Texts) -> list[dict[str, Any]]:
    return [
        {"name": "name", "label": t("Checkpoint"), "field": "name", "align": "left", "sortable": True},
        {"name": "saved", "label": t("Saved"), "field": "saved", "align": "left"},
        {"name": "took", "label": t("Elapsed"), "field": "took", "align": "left"},
        {"name": "size", "label": t("Size"), "field": "size"},
        {"name": "summary", "label": t("Summary"), "field": "summary", "align": "left"},
    ]


def _row(entry: Checkpoint | Exception, number: int, t: Texts) -> dict[str, Any]:
    if not isinstance(entry, Checkpoint):
        return {"key": f"{number}", "name": t("Damaged"), "summary": short(str(entry))}
    return {
        "key": f"{number}",
        "name": short(entry.name),
        "saved": t.ago(entry.saved_at),
        "took": t.duration(entry.elapsed),
        "size": size(entry.size),
        "summary": short(values(entry.summary), 1000),
    }
