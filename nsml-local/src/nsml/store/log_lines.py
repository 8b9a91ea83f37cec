"""Read lines from a log of any size without reading all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .files import open_regular, regular
from .log_cut import read_cut

_PIECE = 1 << 20
_LONGEST = 300  # characters of a matching line


@dataclass(frozen=True)
class Match:
    """A matching line: its offset in the file, and its text, shortened."""

    start: int
    text: str


def left_out(count: int) -> bytes:
    """The line shown in place of the removed middle of a log."""
    return f"nsml: {count:,} bytes removed here (--log-limit)\n".encode()


def start_of_last_lines(log: IO[bytes], last: int, *, least: int = 0, end: int | None = None) -> int:
    """Offset of the last `last` lines before `end` (default: end of file), searched backwards, at least `least`."""
    end = position = log.seek(0, os.SEEK_END) if end is None else end
    left = last
    while position > least:
        start = max(least, position - _PIECE)
        log.seek(start)
        piece = log.read(position - start)
        # The newline at the end of the last line does not start another line.
        until = len(piece) - 1 if position == end else len(piece)
        count = piece.count(b"\n", 0, until)
        if count < left:
            left -= count
            position = start
            continue
        for _ in range(left):
            until = piece.rfind(b"\n", 0, until)
        return start + until + 1
    return least


def read_between(path: Path, start: int, end: int) -> bytes:
    """The bytes from `start` up to `end`, with a line in place of a removed part."""
    with regular(path, path.parent.parent) as log:
        log.seek(start)
        content = log.read(max(0, end - start))
    # After the read: a hole that was read is then already recorded.
    first, after = read_cut(path)
    first, until = max(first, start), min(after, start + len(content))
    if first >= until:
        return content
    return content[: first - start] + left_out(after - first) + content[until - start :]


def find_lines(path: Path, text: str, most: int) -> Iterator[Match]:
    """The first `most` lines that contain `text`, case-insensitive; a removed part is skipped."""
    wanted = text.encode().lower()
    if not wanted:
        return
    first, after = read_cut(path)
    with regular(path, path.parent.parent) as log:
        base, rest = 0, b""
        while most > 0:
            if first <= base + len(rest) < after:
                base, rest = log.seek(after), b""
            piece = log.read(_PIECE)
            block = rest + piece
            whole = len(block) if not piece else block.rfind(b"\n") + 1
            if not whole and len(block) > 8 * _PIECE:
                whole = len(block)  # give up on the end of a line this long
            lowered, position = block[:whole].lower(), 0
            while most > 0 and (hit := lowered.find(wanted, position)) >= 0:
                begin = lowered.rfind(b"\n", 0, hit) + 1
                if base + begin < after <= base + hit:
                    begin = after - base
                finish = lowered.find(b"\n", hit)
                finish = whole if finish < 0 else finish
                yield Match(base + begin, block[begin:finish][-_LONGEST:].decode(errors="replace").strip("\r\0"))
                most -= 1
                position = finish + 1
            if not piece:
                return
            base, rest = base + whole, block[whole:]


def append_line(log: Path, line: str) -> None:
    """Append a line to a log, on a line of its own."""
    with open(open_regular(log, os.O_RDWR | os.O_CREAT | os.O_APPEND), "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else f"\n{line}"
        file.write(f"{line}\n".encode())
