"""Limit the disk space of a session's log: its first quarter and its end stay, the middle is removed.

The program writes to the file directly, so the log is complete even if the supervisor ends. The log may exceed the limit between two
checks; the faster it grows, the more often it is checked.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from ..store.files import open_regular
from ..store.log_cut import read_cut, write_cut

DEFAULT = 10**9
SMALLEST = 10**5
_PUNCH_HOLE = 0x02 | 0x01  # linux/falloc.h: FALLOC_FL_PUNCH_HOLE, which needs FALLOC_FL_KEEP_SIZE
_LINE = 1 << 16  # a longer line is cut in two
_SOONEST, _LATEST = 0.01, 0.5


class LogLimit:
    """Limits one log. `trouble`: the reason why the log cannot be cut, or ""."""

    def __init__(self, log: Path, limit: int) -> None:
        self._log = log
        self._limit = limit
        self._first, self._after = read_cut(log)
        self._before = (time.monotonic(), self._size())
        self.trouble = ""

    def look(self) -> float:
        """Cut the log if it is too long, and return the seconds until the next check."""
        size = self._size()
        now, (then, less) = time.monotonic(), self._before
        self._before = now, size
        room = self._limit - (size - (self._after - self._first))
        if room <= 0 and not self.trouble:
            self._cut(size)
            room = self._limit - (size - (self._after - self._first))
        rate = (size - less) / max(now - then, 1e-3)
        return min(_LATEST, max(_SOONEST, room / rate / 2)) if rate > 0 else _LATEST

    def _size(self) -> int:
        try:
            return self._log.lstat().st_size
        except OSError:
            return 0

    def _cut(self, size: int) -> None:
        try:
            file = open_regular(self._log, os.O_RDWR)
        except OSError as error:
            self.trouble = str(error)
            return
        try:
            first = self._first or _line_before(file, self._limit // 4)
            after = _line_after(file, size - self._limit // 2, size)
            # Said before it is done: who reads in between passes over bytes that are still there, and nobody reads zeros.
            write_cut(self._log, first, after)
            # The hole of before too: a block at its edge is given back only where all of it is asked for at once.
            _punch(file, first, after)
            self._first, self._after = first, after
        except OSError as error:
            self.trouble = f"this disk cannot give back the middle of a file ({error.strerror or error})"
            write_cut(self._log, self._first, self._after)
        finally:
            os.close(file)


def _line_before(file: int, position: int) -> int:
    start = max(0, position - _LINE)
    newline = os.pread(file, position - start, start).rfind(b"\n")
    return position if newline < 0 else start + newline + 1


def _line_after(file: int, position: int, size: int) -> int:
    newline = os.pread(file, min(_LINE, size - position), position).find(b"\n")
    return position if newline < 0 else position + newline + 1


def _punch(file: int, first: int, after: int) -> None:
    """Give the bytes from `first` to `after` back to the disk; they read as zeros. OSError where the file system cannot."""
    if sys.platform != "linux":
        raise OSError(0, "only Linux can")
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if libc.fallocate(file, _PUNCH_HOLE, first, after - first):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
