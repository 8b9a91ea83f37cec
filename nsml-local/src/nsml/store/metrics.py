"""What a session reported: `metrics.jsonl`, one JSON object a line, written by the session's own process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = "metrics.jsonl"
_TAIL = 64 * 1024
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class MetricsWriter:
    """Appends lines; each is handed to the operating system at once, so that a crash of the process loses none."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def append(self, line: dict[str, Any]) -> None:
        """Write one record. OSError where the disk is full."""
        os.write(self._descriptor, (_encode(line) + "\n").encode())


def _records(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue  # a torn or damaged line never hides the others
        if isinstance(record, dict) and isinstance(record.get("values"), dict):
            yield record


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """All readable records of a session, in the order written; damaged lines are skipped."""
    try:
        return list(_records((folder / FILE).read_bytes().split(b"\n")))
    except FileNotFoundError:
        return []


def last_summary(folder: Path) -> dict[str, Any]:
    """The values last reported with `summary=True`, looked for at the end of the file only."""
    try:
        with open(folder / FILE, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            lines = file.read().split(b"\n")
    except OSError:
        return {}
    return next((shown(r) for r in _records(lines[::-1]) if r.get("summary")), {})


def shown(record: dict[str, Any]) -> dict[str, Any]:
    """The values of a record with its step in front; those that are not finite are `nan`, `inf` or `-inf`."""
    step = {} if record.get("step") is None else {"step": record["step"]}
    values: dict[str, Any] = record["values"]
    return step | values | (record.get("not_finite") or {})
