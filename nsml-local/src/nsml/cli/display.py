"""Tables for people, and JSON for programs."""

from __future__ import annotations

import codecs
import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import click

from ..store.files import writing
from ..wording import plain, printable

_NARROWEST = 10


def print_json(value: object) -> None:
    """Print one JSON document to stdout, with control characters escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    click.echo("".join(c if c == "\n" or printable(c) == c else _escaped(c) for c in text))


def _escaped(letter: str) -> str:
    return json.dumps(letter)[1:-1]


OUTPUT = "the output"  # in place of a file's name


class Printable:
    """A stream of text whose control characters are left out: what is printed of a record may have been written by a program."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text`, `printable`."""
        with writing(OUTPUT):
            self._stream.write(printable(text))
        return len(text)

    def flush(self) -> None:
        """Write what waits."""
        with writing(OUTPUT):
            self._stream.flush()

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


def print_text(text: str = "") -> None:
    """Print lines. On a terminal, one that is too long for it goes on below, indented, and is broken between words only."""
    if os.isatty(1):
        columns = shutil.get_terminal_size().columns
        text = "\n".join(_folded(line, columns) for line in text.split("\n"))
    click.echo(text)


def _folded(line: str, columns: int) -> str:
    lines = [""]
    for word in line.split(" ") if _width(line) > columns else [line]:
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and _width(longer) > columns:
            lines.append(f"  {word}")
        else:
            lines[-1] = longer
    return "\n".join(lines)


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[int] = (),
    whole: Sequence[int] = (),
    stack: bool = False,
) -> None:
    """Print a table, whose columns are as wide as their widest cell. On a terminal that is too narrow for it:

    - with `stack`, or where the columns in `whole` alone are too wide, each row is printed as lines below its first cell, a line a column;
    - else empty columns are left out, and the widest are cut, but for headings and those in `whole`; where that is not enough, columns
      are left out from the right, and named on stderr.
    """
    table = [[plain(str(cell)) for cell in row] for row in (headings, *rows)]
    shown = named = list(range(len(headings)))
    widths = [max(_width(row[i]) for row in table) for i in shown]
    least = [min(width, max(_width(heading), _NARROWEST)) for width, heading in zip(widths, table[0], strict=True)]
    if os.isatty(1):
        columns = shutil.get_terminal_size().columns
        if _total(widths if stack else [widths[i] for i in whole]) > columns:
            _print_stacked(table)
            return
        if _total(widths) > columns:
            shown = named = [i for i in shown if i in whole or any(row[i] for row in table[1:])]
        flexible = [i for i in shown if i not in whole]
        while flexible and _total([least[i] if i in flexible else widths[i] for i in shown]) > columns:
            last = flexible.pop()
            shown = [i for i in shown if i != last]
        while _total([widths[i] for i in shown]) > columns and (long := [i for i in flexible if widths[i] > least[i]]):
            widths[max(long, key=lambda i: widths[i])] -= 1
    for row in table:
        cells = [_fit(row[i], widths[i], i in right) for i in shown]
        click.echo("  ".join(cells).rstrip())
    if without := ", ".join(headings[i] for i in named if i not in shown):
        click.echo(f"left out on this narrow terminal: {without}", err=True)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _print_stacked(table: Sequence[Sequence[str]]) -> None:
    (first, *names), *rows = table
    if first:
        click.echo(first)
    width = max(_width(name) for name in names)
    for row in rows:
        click.echo(row[0])
        for name, cell in ((name, cell) for name, cell in zip(names, row[1:], strict=True) if cell):
            click.echo(f"  {_fit(name, width, False)}  {cell}".rstrip())


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
