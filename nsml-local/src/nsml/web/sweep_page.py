"""A sweep: the table of `nsml compare --sweep`, the best session first."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from fastapi import Request
from nicegui import ui

from ..errors import NsmlError
from ..store.names import check_name
from ..store.sessions import SWEEP, match_sessions
from ..wording import plain
from .comparing import compare
from .frame import data_table, frame, heading, nothing_here
from .live import when_opened
from .site import Site, dataset_address, graph_address, session_address
from .texts import Texts

_MAX_GRAPHS = 20


def register(site: Site) -> None:
    """Register the page."""

    @ui.page("/sweep/{user}/{dataset}/{name}", response_timeout=60)
    def sweep(request: Request, user: str, dataset: str, name: str) -> None:
        with frame(site, request, dataset) as t:
            heading(f"{user}/{dataset}/{name}")
            try:
                check_name(user, "USER"), check_name(dataset, "DATASET")
                if not name.removeprefix(SWEEP).isdecimal():
                    raise NsmlError(f"{name} is not the name of a sweep, as {SWEEP}1")
                members = match_sessions(site.home, f"{user}/{dataset}/{name}", user)
            except NsmlError as error:
                nothing_here(error, f"{user}/{dataset}/{name}", t)
                return
            with ui.row().classes("gap-3"):
                ui.link(t("Sessions"), dataset_address(dataset, "sessions")).classes("link")
                names = [str(member.name) for member in members[:_MAX_GRAPHS]]
                ui.link(t("Graph"), graph_address(names)).classes("link")
            status = ui.label(t("comparing")).props("role=status")
            with ui.column().classes("w-full") as place:
                pass
            when_opened(partial(_show, site, f"{user}/{dataset}/{name}", status, place, t))


async def _show(site: Site, name: str, status: ui.label, place: ui.column, t: Texts) -> None:
    out, error = await compare(site, status.client, "--sweep", name, "--json")
    if not out:
        status.set_text(plain(error))
        return
    result = json.loads(out)
    with place:
        _table(result, t)
        for line in filter(None, (result["note"], result["halving"])):
            ui.label(plain(line))
    status.set_visibility(False)


def _table(result: dict[str, Any], t: Texts) -> None:
    names = list(dict.fromkeys(name for row in result["sessions"] for name in row["point"]))
    columns = [
        {"name": "session", "label": t("Session"), "field": "session", "align": "left"},
        {"name": "status", "label": t("Status"), "field": "status", "align": "left"},
        *({"name": f"of {name}", "label": plain(name), "field": f"of {name}", "align": "left"} for name in names),
        {"name": "value", "label": plain(result["ranked_by"]), "field": "value", "align": "left"},
    ]
    table = data_table(columns, "session", links="session", empty=t("No data")).props("dense")
    table.rows = [
        {
            "session": row["session"],
            "address": session_address(row["session"]),
            "status": ", ".join([t.status(row["status"]), *([t("dropped")] if row["dropped"] else [])]),
            "value": plain(row["shown"]),
            **{f"of {name}": plain(row["point"].get(name, "")) for name in names},
        }
        for row in result["sessions"]
    ]
