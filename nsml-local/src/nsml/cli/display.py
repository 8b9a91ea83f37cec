"""Tables for people, JSON for programs, and parsing of durations in options."""

from __future__ import annotations

import codecs
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import click

from ..errors import NsmlError
from ..wording import plain, printable

_NARROWEST = 8


def parse_duration(text: str, option: str) -> float:
    """Seconds of "90s", "30m", "1h", "2d" or "90". Anything else is an NsmlError that names `option`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", text.lower())
    if not match:
        raise NsmlError(f"{option} {text!r} is not a duration; give 90s, 30m, 1h or 2d")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


def print_json(value: object) -> None:
    """Print one JSON document to stdout, with control characters escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    click.echo("".join(c if c == "\n" or printable(c) == c else _escaped(c) for c in text))


def _escaped(letter: str) -> str:
    return json.dumps(letter)[1:-1]


class Printable:
    """A stream of text whose control characters are left out: what is printed of a record may have been written by a program."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text`, `printable`."""
        self._stream.write(printable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each, `printable`."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


# Of a terminal's escape sequences those that programs draw with: colours, and the moves and erasures of a progress bar.
_DRAWING = re.compile(r"\x1b\[[0-9;]*[ABCDGJKm]|[\n\t\r\b]")


class ProgramOutput:
    """Writes what a program printed: as it is, but to a terminal only text and what draws, nothing that asks or sets anything there."""

    def __init__(self, stream: Any) -> None:
        self._out = stream.buffer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace") if stream.isatty() else None

    def write(self, content: bytes) -> None:
        """Write a piece, at once."""
        self._out.write(content if self._decoder is None else _drawn(self._decoder.decode(content)).encode())
        self._out.flush()


def erase_line() -> None:
    """Begin the last line on stderr, a terminal, anew."""
    sys.stderr.buffer.write(b"\r\x1b[K")


def _drawn(text: str) -> str:
    pieces, place = [], 0
    for match in _DRAWING.finditer(text):
        pieces += [printable(text[place : match.start()]), match[0]]
        place = match.end()
    return "".join([*pieces, printable(text[place:])])


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print a table. Columns are as wide as their widest cell; on a terminal, the widest are cut until the table fits."""
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
    """Width on a terminal: Korean letters take two columns."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def _fit(text: str, width: int, right: bool) -> str:
    if _width(text) > width:
        while _width(text) > width - 1:
            text = text[:-1]
        text += "…"
    filling = " " * (width - _width(text))
    return filling + text if right else text + filling
