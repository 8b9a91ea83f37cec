"""`log-cut.json`: which part of a long log was removed. Offsets of the rest do not change.

A log above its limit loses its middle: fallocate(2) punches a hole, which frees the disk space and reads as zero bytes. Readers
skip the hole.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import Damaged
from .files import read_json, write_json

FILE = "log-cut.json"


def read_cut(log: Path) -> tuple[int, int]:
    """Offsets of the first removed byte and of the first byte after it; (0, 0) if nothing is removed or `log-cut.json` is damaged."""
    try:
        return checked_cut(log)
    except Damaged:
        return 0, 0


def checked_cut(log: Path) -> tuple[int, int]:
    """`read_cut`, but a damaged `log-cut.json` is a Damaged error."""
    path = log.with_name(FILE)
    try:
        record = read_json(path)
    except FileNotFoundError:
        return 0, 0
    first, after = record.get("first"), record.get("after")
    if not (isinstance(first, int) and isinstance(after, int) and 0 <= first <= after):
        raise Damaged(f"{path} is damaged; move it away to go on without it")
    return first, after


def write_cut(log: Path, first: int, after: int) -> None:
    """Record the removed bytes."""
    write_json(log.with_name(FILE), {"format": 1, "first": first, "after": after})
