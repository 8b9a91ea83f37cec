"""The first page: all datasets; in an empty home, what to type next."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from fastapi import Request
from nicegui import ui

from ..errors import Damaged
from ..store.datasets import Dataset, list_datasets
from ..store.files import visible
from ..store.home import Home
from ..store.sessions import NO_DATASET, list_sessions
from ..wording import plain, size
from .frame import command_lines, frame, heading, tell
from .live import watch
from .site import Site, dataset_address
from .texts import Texts

_LINK = '<q-td :props="props"><a class="link" :href="props.row.address">{{ props.value }}</a></q-td>'


def register(site: Site) -> None:
    """Make the page known."""

    @ui.page("/", response_timeout=30)
    def datasets(request: Request) -> None:
        with frame(site, request) as t:
            heading(t("Datasets"))
            empty = ui.column()
            with empty:
                ui.label(t("No dataset yet. Type one of these in a terminal:"))
                command_lines(
                    t,
                    [
                        ("nsml dataset demo", t("draws a made-up dataset")),
                        ("nsml dataset push NAME PATH", t("registers a folder of yours")),
                        ("nsml run -d NAME", t("starts main.py of a folder as a session")),
                    ],
                )
            found = ui.input(t("Find a dataset")).props("dense clearable outlined").classes("w-64")
            table = ui.table(rows=[], columns=_columns(t), row_key="name").classes("w-full").props("flat bordered")
            table.props(f'no-data-label="{t("There is nothing here")}"')
            table.bind_filter_from(found, "value", lambda value: value or "")
            table.add_slot("body-cell-name", _LINK)

            def show(rows: list[dict[str, Any]]) -> None:
                empty.set_visibility(not rows)
                for element in (found, table):
                    element.set_visibility(bool(rows))
                table.rows = rows

            show(_rows(site.home, t))
            watch(5, lambda: _rows(site.home, t), show, tell)


def _columns(t: Texts) -> list[dict[str, Any]]:
    return [
        {"name": "name", "label": t("Name"), "field": "name", "align": "left", "sortable": True},
        {"name": "train", "label": t("Train"), "field": "train", "sortable": True},
        {"name": "test", "label": t("Test"), "field": "test", "sortable": True},
        {"name": "labels", "label": t("Labels"), "field": "labels", "align": "left"},
        {"name": "size", "label": t("Size"), "field": "size_text"},
        {"name": "sessions", "label": t("Sessions"), "field": "sessions", "sortable": True},
        {"name": "used", "label": t("Last use"), "field": "used", "align": "left"},
        {"name": "classes", "label": t("Classes"), "field": "classes", "align": "left"},
    ]


def _rows(home: Home, t: Texts) -> list[dict[str, Any]]:
    rows = [_row(home, dataset, t) for dataset in list_datasets(home)]
    # Sessions may outlive their dataset, or be of none.
    known = {row["name"] for row in rows}
    others = {session.name.dataset for session in list_sessions(home)} - known
    return rows + [_row_without_dataset(home, name, t) for name in sorted(others)]


def _row(home: Home, dataset: Dataset, t: Texts) -> dict[str, Any]:
    row = {"name": dataset.name, "address": dataset_address(dataset.name), **_use(home, dataset.name, t)}
    try:
        record = dataset.record()
    except Damaged as error:
        return {**row, "labels": t("Damaged"), "classes": plain(str(error))}
    return {
        **row,
        "train": record["train_files"],
        "test": record["test_files"],
        "labels": t("hidden") if dataset.labels.exists() else t("none"),
        "size_text": size(record["size"]),
        "classes": ", ".join(f"{plain(name)} {count}" for name, count in record["train"].items()),
    }


def _row_without_dataset(home: Home, name: str, t: Texts) -> dict[str, Any]:
    shown = t("none") if name == NO_DATASET else name
    return {"name": shown, "address": dataset_address(name), **_use(home, name, t)}


def _use(home: Home, name: str, t: Texts) -> dict[str, Any]:
    """How many sessions there are, and when one was last started or a submission made: when the folders last changed."""
    folders = [f"{user.path}/{name}" for user in visible(home.sessions)]
    count, changed = 0, 0.0
    for folder in [*folders, str(home.submissions / name)]:
        with contextlib.suppress(OSError):
            changed = max(changed, os.stat(folder).st_mtime)
            if folder in folders:
                count += sum(entry.name.isdecimal() for entry in os.scandir(folder))
    return {"sessions": count, "used": t.ago(changed) if changed else ""}
