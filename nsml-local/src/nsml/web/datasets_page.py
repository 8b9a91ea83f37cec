"""The start page: all datasets, or in an empty home the first commands."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from nicegui import ui

from ..errors import Damaged
from ..store.datasets import Dataset, list_datasets
from ..store.files import visible
from ..store.home import Home
from ..store.names import is_name
from ..store.sessions import NO_DATASET
from ..wording import plain, size
from .frame import command_lines, data_table, frame, heading, show_error
from .live import watch
from .site import Site, dataset_address
from .texts import Texts


def register(site: Site) -> None:
    """Register the page."""

    @ui.page("/", response_timeout=30)
    def datasets(request: Request) -> None:
        with frame(site, request) as t:
            heading(t("Datasets"))
            empty = ui.column()
            with empty:
                ui.label(t("No datasets yet. Run one of these in a terminal:"))
                command_lines(
                    [
                        ("nsml dataset demo", t("creates a synthetic dataset")),
                        ("nsml dataset push NAME PATH", t("registers a folder as a dataset")),
                        ("nsml run -d NAME", t("starts main.py of the current folder as a session")),
                    ],
                )
            search = ui.input(t("Find a dataset")).props("dense clearable outlined").classes("w-64")
            table = data_table(_columns(t), "name", links="name", empty=t("No data"))
            table.bind_filter_from(search, "value", lambda value: value or "")

            def show(rows: list[dict[str, Any]]) -> None:
                empty.set_visibility(not rows)
                for element in (search, table):
                    element.set_visibility(bool(rows))
                table.rows = rows

            watch(5, lambda: _rows(site.home, t), show, show_error)


def _columns(t: Texts) -> list[dict[str, Any]]:
    return [
        {"name": "name", "label": t("Name"), "field": "name", "align": "left", "sortable": True},
        {"name": "train", "label": t("Train"), "field": "train", "sortable": True},
        {"name": "test", "label": t("Test"), "field": "test", "sortable": True},
        {"name": "labels", "label": t("Labels"), "field": "labels", "align": "left"},
        {"name": "size", "label": t("Size"), "field": "size_text"},
        {"name": "sessions", "label": t("Sessions"), "field": "sessions", "sortable": True},
        {"name": "used", "label": t("Last used"), "field": "used", "align": "left"},
        {
            "name": "classes",
            "label": t("Classes"),
            "field": "classes",
            "align": "left",
            "style": "white-space: normal; min-width: 16rem",
        },
    ]


def _rows(home: Home, t: Texts) -> list[dict[str, Any]]:
    usage = _usage(home)
    datasets = list_datasets(home)
    # Some sessions have no dataset, or one that was removed.
    others = {name for name, item in usage.items() if item.sessions} - {dataset.name for dataset in datasets}
    return [_row(dataset, usage, t) for dataset in datasets] + [
        _common_cells(name, t("none") if name == NO_DATASET else name, usage, t) for name in sorted(others)
    ]


def _row(dataset: Dataset, usage: dict[str, _Usage], t: Texts) -> dict[str, Any]:
    row = _common_cells(dataset.name, dataset.name, usage, t)
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
        "classes": plain(dataset.class_counts()).replace(": ", ":\u00a0"),
    }


def _common_cells(name: str, shown: str, usage: dict[str, _Usage], t: Texts) -> dict[str, Any]:
    item = usage.get(name, _Usage())
    used = t.ago(item.changed) if item.changed else ""
    return {"name": shown, "address": dataset_address(name), "sessions": item.sessions, "used": used}


@dataclass
class _Usage:
    """Number of sessions of a dataset, and the time of the last new session or submission (when its folders last changed)."""

    sessions: int = 0
    changed: float = 0.0


def _usage(home: Home) -> dict[str, _Usage]:
    """Usage by dataset, without opening any session."""
    usage: dict[str, _Usage] = {}
    for parent in [home.submissions, *(Path(user.path) for user in visible(home.sessions))]:
        for entry in filter(lambda folder: is_name(folder.name), visible(parent)):
            item = usage.setdefault(entry.name, _Usage())
            with contextlib.suppress(OSError):
                item.changed = max(item.changed, entry.stat().st_mtime)
                if parent != home.submissions:
                    item.sessions += sum(number.name.isdecimal() for number in os.scandir(entry.path))
    return usage
