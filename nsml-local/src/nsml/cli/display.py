"""Tables for people, JSON for programs, and times as options take them."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Sequence

import click

from ..errors import NsmlError
from ..wording import plain

_NARROWEST = 8


def parse_duration(text: str, option: str) -> float:
    """Seconds of "90s", "30m", "1h", "2d" or "90". NsmlError, which names `option`, for anything else."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", text.lower())
    if not match:
        raise NsmlError(f"{option} {text!r} is no time; give 90s, 30m, 1h or 2d")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Columns as wide as their widest cell; on a terminal the widest ones give way until the table fits."""
    table = [[plain(str(cell)) for cell in row] for row in (headings, *rows)]
    widths = [max(_width(row[i]) for row in table) for i in range(len(headings))]
    if os.isatty(1):
        import shutil

        room = shutil.get_terminal_size().columns - 2 * (len(widths) - 1)
        while sum(widths) > room and max(widths) > _NARROWEST:
            widths[widths.index(max(widths))] -= 1
    for row in table:
        cells = [_fit(cell, width, i in right) for i, (cell, width) in enumerate(zip(row, widths, strict=True))]
        click.echo("  ".join(cells).rstrip())


def _width(text: str) -> int:
    """Columns on a terminal: Korean letters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def _fit(text: str, width: int, right: bool) -> str:
    if _width(text) > width:
        while _width(text) > width - 1:
            text = text[:-1]
        text += "…"
    filling = " " * (width - _width(text))
    return filling + text if right else text + filling
