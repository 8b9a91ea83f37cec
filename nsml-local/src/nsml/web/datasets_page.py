"""The first page: all datasets; in an empty home, what to type next."""

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
from ..store.sessions import NO_DATASET
from ..wording import plain, size
from .frame import command_lines, data_table, frame, heading, tell
from .live import watch
from .site import Site, dataset_address
from .texts import Texts


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
            table = data_table(_columns(t), "name", links="name", empty=t("There is nothing here"))
            table.bind_filter_from(found, "value", lambda value: value or "")

            def show(rows: list[dict[str, Any]]) -> None:
                empty.set_visibility(not rows)
                for element in (found, table):
                    element.set_visibility(bool(rows))
                table.rows = rows

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
    uses = _uses(home)
    datasets = list_datasets(home)
    # Sessions may outlive their dataset, or be of none.
    others = {name for name, use in uses.items() if use.sessions} - {dataset.name for dataset in datasets}
    return [_row(dataset, uses, t) for dataset in datasets] + [
        _shared(name, t("none") if name == NO_DATASET else name, uses, t) for name in sorted(others)
    ]


def _row(dataset: Dataset, uses: dict[str, _Use], t: Texts) -> dict[str, Any]:
    row = _shared(dataset.name, dataset.name, uses, t)
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


def _shared(name: str, shown: str, uses: dict[str, _Use], t: Texts) -> dict[str, Any]:
    use = uses.get(name, _Use())
    used = t.ago(use.changed) if use.changed else ""
    return {"name": shown, "address": dataset_address(name), "sessions": use.sessions, "used": used}


@dataclass
class _Use:
    """How many sessions a dataset has, and when one was last started or a submission made: when the folders last changed."""

    sessions: int = 0
    changed: float = 0.0


def _uses(home: Home) -> dict[str, _Use]:
    """By dataset, without opening a session."""
    uses: dict[str, _Use] = {}
    for parent in [home.submissions, *(Path(user.path) for user in visible(home.sessions))]:
        for entry in visible(parent):
            use = uses.setdefault(entry.name, _Use())
            with contextlib.suppress(OSError):
                use.changed = max(use.changed, entry.stat().st_mtime)
                if parent != home.submissions:
                    use.sessions += sum(number.name.isdecimal() for number in os.scandir(entry.path))
    return uses
