"""Where the middle of a log is left out: `log-cut.json` beside it. The places of all that is kept stay as they were.

A log that grows past its limit loses what lies between its beginning and its end: the disk gets it back (fallocate(2), a hole), and reading
there gives zero bytes, which readers pass over.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import Damaged
from .files import read_json, write_json

FILE = "log-cut.json"


def read_cut(log: Path) -> tuple[int, int]:
    """The first byte that is left out and the first after it; (0, 0) where nothing is, and where what says so is damaged."""
    try:
        return checked_cut(log)
    except Damaged:
        return 0, 0


def checked_cut(log: Path) -> tuple[int, int]:
    """`read_cut`; Damaged where the file is not what was written."""
    path = log.with_name(FILE)
    try:
        found = read_json(path)
    except FileNotFoundError:
        return 0, 0
    first, after = found.get("first"), found.get("after")
    if not (isinstance(first, int) and isinstance(after, int) and 0 <= first <= after):
        raise Damaged(f"{path} is damaged; move it away to go on without it")
    return first, after


def write_cut(log: Path, first: int, after: int) -> None:
    """Write down what is left out."""
    write_json(log.with_name(FILE), {"format": 1, "first": first, "after": after})
