"""The table of a dataset's sessions: sorting, search, memos and actions."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import events, ui

from .actions import Actions
from .frame import command_lines, quiet_button, show_error
from .live import watch
from .session_rows import DAMAGED, common_arguments, rows_of
from .site import Site, diff_address, graph_address, session_address, sweep_address
from .texts import Texts

_LINK = """(cell) => {
  const link = document.createElement('a');
  link.href = cell.data.address; link.className = 'link'; link.textContent = cell.value;
  return link;
}"""
_MAX_COLUMNS = 24
_MAX_SWEEPS = 8


def sessions_table(site: Site, dataset: str, t: Texts) -> None:
    """The table with its buttons; it follows changes of the sessions."""
    source = rows_of(site.home, dataset)
    shown: dict[str, dict[str, Any]] = {}
    layout: list[Any] = [None]
    empty = ui.column()
    with empty:
        ui.label(t("No sessions yet. Run this in your project folder:"))
        command_lines([(f"nsml run -d {dataset}", "")])
    with ui.row().classes("w-full items-center gap-2") as bar:
        search = ui.input(t("Find")).props("dense outlined clearable").classes("w-48")
        buttons = ui.row().classes("items-center gap-1")
    sweeps = ui.row().classes("gap-3")
    common = ui.label().classes("quiet mono")
    grid = ui.aggrid(
        {
            "columnDefs": [],
            "rowData": [],
            ":getRowId": "(row) => row.data.name",
            "rowSelection": {"mode": "multiRow"},
            "selectionColumnDef": {"pinned": "left"},
            "suppressFieldDotNotation": True,
            "defaultColDef": {"sortable": True, "resizable": True, "minWidth": 80},
            "stopEditingWhenCellsLoseFocus": True,
            "overlayNoRowsTemplate": t("No data"),
            "enableCellTextSelection": True,
        },
        auto_size_columns=False,
    ).style("height: min(65vh, 60rem)")
    grid.props(f'role=region aria-label="{t("Sessions")}"')
    search.on_value_change(lambda e: grid.run_grid_method("setGridOption", "quickFilterText", str(e.value or "")))

    def show(rows: list[dict[str, Any]]) -> None:
        empty.set_visibility(not rows)
        for element in (bar, grid):
            element.set_visibility(bool(rows))
        _link_sweeps(sweeps, list(dict.fromkeys(row["sweep"] for row in rows if row["sweep"]))[:_MAX_SWEEPS])
        arguments, differing = common_arguments(rows)
        words = " ".join(f"{name} {value}" for name, value in arguments.items())
        common.set_text(f"{t('Common arguments')}: {words}" if words and rows else "")
        now = {row["name"]: _flat(row, differing, t) for row in rows}
        columns = _columns(now, differing, site.read_only, t)
        if not shown:
            grid.options["columnDefs"] = columns
            grid.options["rowData"] = list(now.values())
            grid.update()
        else:
            if columns != layout[0]:
                grid.run_grid_method("setGridOption", "columnDefs", columns)
            change = {
                "add": [row for name, row in now.items() if name not in shown],
                "update": [row for name, row in now.items() if name in shown and row != shown[name]],
                "remove": [row for name, row in shown.items() if name not in now],
            }
            if change["add"] or change["update"] or change["remove"]:
                grid.run_grid_method("applyTransaction", {**change, "addIndex": 0})
            # For browsers that reconnect. Sent now, they would rebuild the table and lose selection, input and scroll position.
            with grid.props.suspend_updates():
                grid.options["columnDefs"] = columns
                grid.options["rowData"] = list(now.values())
        layout[0] = columns
        shown.clear()
        shown.update(now)

    # The minute is part of the result, so that "... minutes ago" is updated.
    watch(1.5, lambda: (source.read(), time.time() // 60), lambda result: show(result[0]), show_error)
    actions = None if site.read_only else Actions(site, t)
    _add_buttons(actions, grid, buttons, t)
    if actions is not None:

        async def edited(event: events.GenericEventArguments) -> None:
            if event.args.get("colId") == "memo" and event.args.get("newValue") != event.args.get("oldValue"):
                await actions.memo(str(event.args["data"]["name"]), str(event.args.get("newValue") or ""))

        grid.on("cellValueChanged", edited)


def _link_sweeps(row: ui.row, names: list[str]) -> None:
    """Link the newest sweeps; the row is made anew only where they are others."""
    if row.default_slot.children and [link.text for link in row.default_slot.children] == names:  # type: ignore[attr-defined]
        return
    row.clear()
    row.set_visibility(bool(names))
    with row:
        for name in names:
            ui.link(name, sweep_address(name)).classes("link")


def _add_buttons(actions: Actions | None, grid: ui.aggrid, row: ui.row, t: Texts) -> None:
    async def selected() -> list[str]:
        return [str(row["name"]) for row in await grid.get_selected_rows()]

    def button(text: str, act: Callable[[list[str]], Awaitable[None] | None], count: int | None = None) -> None:
        async def clicked() -> None:
            names = await selected()
            if not names:
                ui.notify(t("Select sessions in the table first"))
            elif count == 1 and len(names) != 1:
                ui.notify(t("Select one session"))
            elif count == 2 and len(names) != 2:
                ui.notify(t("Select two sessions"))
            elif (waiting := act(names)) is not None:
                await waiting

        quiet_button(text, on_click=clicked)

    with row:
        button(t("Graph"), lambda names: ui.navigate.to(graph_address(names)))
        button(t("Differences"), lambda names: ui.navigate.to(diff_address(names[-1], names[0])), 2)
        if actions is not None:
            button(t("Submit"), lambda names: actions.submit(names[0]), 1)
            button(t("Fork"), lambda names: actions.fork(names[0]), 1)
            button(t("Resume"), actions.resume)
            button(t("Stop"), actions.stop)
            button(t("Remove"), actions.remove)


def _flat(row: dict[str, Any], differing: list[str], t: Texts) -> dict[str, Any]:
    """A row of the grid: one value per column."""
    status = t.status(row["status"])
    flat = {
        "name": row["name"],
        "address": session_address(row["name"]),
        "number": row["number"],
        "user": row["user"],
        "status": f"{status} ({t.reason(row['why'])})" if row["why"] and row["status"] != DAMAGED else status,
        "age": t.ago(row["created_at"]),
        "created": row["created_at"],
        "tags": row["tags"],
        "memo": row["why"] if row["status"] == DAMAGED else row["memo"],
    }
    flat |= {f"argument {name}": number_or_text(row["arguments"].get(name)) for name in differing}
    flat |= {f"best {name}": value for name, value in row["best"].items()}
    return flat | {f"value {name}": value for name, value in row["summary"].items()}


def number_or_text(value: str | None) -> float | str | None:
    """Converts numbers, so that columns sort by value."""
    try:
        number = float(value) if value is not None and "_" not in value else None
    except ValueError:
        return value
    return number if number is not None and math.isfinite(number) else value


def _columns(rows: dict[str, dict[str, Any]], differing: list[str], read_only: bool, t: Texts) -> list[dict[str, Any]]:
    users = {row["user"] for row in rows.values()}
    values = list(dict.fromkeys(key for row in rows.values() for key in row if key.startswith("value ")))
    columns: list[dict[str, Any]] = [
        {"headerName": t("Number"), "field": "number", "width": 110, ":cellRenderer": _LINK, "pinned": "left"},
        {"headerName": t("User"), "field": "user", "width": 110, "hide": len(users) < 2},
        {"headerName": t("Status"), "field": "status", "width": 150},
        {
            "headerName": t("Started"),
            "field": "age",
            "width": 120,
            ":comparator": "(a, b, one, other) => other.data.created - one.data.created",
        },
        {"headerName": t("Memo"), "field": "memo", "width": 220, "editable": not read_only, "tooltipField": "memo"},
        {"headerName": t("Tags"), "field": "tags", "width": 110, "hide": not any(r["tags"] for r in rows.values())},
    ]
    known = {key for row in rows.values() for key in row}
    for name in [key.partition(" ")[2] for key in values[:_MAX_COLUMNS]]:
        columns.append({"headerName": name, "field": f"value {name}", "width": 120})
        if f"best {name}" in known:
            columns.append({"headerName": t("{name}, best", name=name), "field": f"best {name}", "width": 120})
    columns += [
        {"headerName": name, "field": f"argument {name}", "width": 140, "tooltipField": f"argument {name}"}
        for name in differing[:_MAX_COLUMNS]
    ]
    return columns
