"""`metrics.jsonl`: the reports of a session, one JSON object with a checksum per line, written by the session's process."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .files import is_number, read_regular, regular, temporary_name
from .sealing import BLANK, MEMBER, seal, unseal

FILE = "metrics.jsonl"
_TAIL, _LONG_TAIL, _PIECE = 64 * 1024, 1024 * 1024, 8 << 20
_LARGEST = 1 << 30  # bytes, about ten million reports
_MOMENT = 0.05
# What the name of a value ends in where more is better, and where less is; the most telling first.
MORE, LESS = ("score", "accuracy", "acc", "auc"), ("loss", "error")
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
# First members of lines that older versions wrote, without a checksum.
_UNSEALED = frozenset({"step"})


class MetricsWriter:
    """Appends lines. Each is passed to the operating system at once, so a crash of the process loses none."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._descriptor: int | None = None
        self._torn = False
        with contextlib.suppress(FileNotFoundError):
            self._open(0)

    def append(self, line: dict[str, Any]) -> None:
        """Write one record. OSError if the disk is full."""
        content = seal(_encode({MEMBER: BLANK, **line})) + b"\n"
        if self._descriptor is None:
            created = self._begin(content)
            self._open(os.O_CREAT)
            if created:
                return
        assert self._descriptor is not None
        if self._torn:
            content = b"\n" + content
        written = os.write(self._descriptor, content)
        self._torn = written < len(content) and (self._torn or written > 0)
        if written < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _begin(self, content: bytes) -> bool:
        """Create the file with its first line, as an empty file counts as damaged.

        False if another process of the session has just created it, or the file system has no hard links.
        """
        beside = temporary_name(self._path.parent)
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            os.link(beside, self._path)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                return False
            raise
        finally:
            with contextlib.suppress(OSError):
                beside.unlink()
        return True

    def _open(self, more: int) -> None:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | more, 0o600)
        length = os.lseek(self._descriptor, 0, os.SEEK_END)
        # The writer was killed, or the disk was full.
        self._torn = length > 0 and os.pread(self._descriptor, 1, length - 1) != b"\n"

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)


def _records(lines: Iterable[bytes]) -> Iterator[dict[str, Any] | None]:
    """The records; None for a damaged line."""
    for line in lines:
        if not line:
            continue
        try:
            record = unseal(line, _UNSEALED)
        except ValueError:
            yield None
            continue
        fits = isinstance(record.get("values"), dict) and isinstance(record.get("not_finite", {}), dict)
        yield record if fits else None


def whole_lines(content: bytes) -> list[bytes]:
    """The readable lines, unchanged."""
    lines = [line for line in content.split(b"\n") if line]
    return [line for line, record in zip(lines, _records(lines), strict=True) if record is not None]


def read_metrics(folder: Path) -> tuple[list[dict[str, Any]], str]:
    """All readable records of a session, in order, and a message on damaged lines ("" if there are none)."""
    path = folder / FILE
    try:
        content = read_regular(path, _LARGEST, folder.parent)
        if not content:
            # Without hard links, a writer creates the file and then writes.
            time.sleep(_MOMENT)
            content = read_regular(path, _LARGEST, folder.parent)
    except FileNotFoundError:
        return [], ""
    except OSError as error:
        return [], f"{path} is damaged ({error.strerror}); move it away to go on without it"
    records = list(_records(content.split(b"\n")))
    good = [record for record in records if record is not None]
    if not content:
        return [], f"{path} is damaged (it is empty); move it away to go on without it"
    if bad := len(records) - len(good):
        return (
            good,
            f"{path} is damaged: {bad} of its {len(records)} lines cannot be read and {'is' if bad == 1 else 'are'} left out",
        )
    return good, ""


def why_unreadable(folder: Path) -> str:
    """A message on reports that are there and cannot be read; "" else."""
    try:
        regular(folder / FILE, folder.parent).close()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{folder / FILE} cannot be read ({error.strerror}); change its permissions, or move it away to go on without it"
    return ""


class MetricsReader:
    """Reads the records of a session incrementally, each once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._place = 0
        self._file: tuple[int, int] | None = None
        self.damaged = 0

    def read_new(self) -> list[dict[str, Any]] | None:
        """New records since the last call, 8 MiB of them at most. `damaged` counts unreadable lines.

        None if the file was replaced or truncated; the next call starts at its beginning.
        """
        try:
            with regular(self._path, self._path.parent.parent) as file:
                status = os.fstat(file.fileno())
                identity = (status.st_dev, status.st_ino)
                if self._file not in (None, identity) or status.st_size < self._place:
                    self._file, self._place, self.damaged = None, 0, 0
                    return None
                self._file = identity
                file.seek(self._place)
                content = file.read(_PIECE)
        except OSError:
            return []
        # Without an incomplete last line.
        whole = content.rfind(b"\n") + 1
        if not whole and len(content) == _PIECE:
            whole = len(content)
        self._place += whole
        records = list(_records(content[:whole].split(b"\n")))
        self.damaged += records.count(None)
        return [record for record in records if record is not None]


def last_summary(folder: Path) -> dict[str, Any]:
    """The last value of each name reported with `summary=True`, in the last 64 KiB of the file, `newest_first`."""
    values: dict[str, Any] = {}
    for record in _newest_records(folder):
        if record.get("summary"):
            values = newest_first(values, shown(record))
    return values


def newest_first(newest: dict[str, Any], older: dict[str, Any]) -> dict[str, Any]:
    """The values of `newest`, then those that only `older` has, unless its step is a later one: the training has gone back since."""
    step, before = newest.get("step"), older.get("step")
    went_back = is_number(step) and is_number(before) and before > step  # type: ignore[operator]
    return newest if went_back else newest | older | newest


def last_values(folder: Path) -> dict[str, Any]:
    """The last value of each name that was reported, with `summary=True` or without, in the last 64 KiB of the file."""
    values: dict[str, Any] = {}
    for record in _newest_records(folder):
        values = shown(record) | values
    return values


def judging_value(names: Iterable[str]) -> str:
    """The name among these whose values say which of several sessions, or of several reports, is better; "" if none does.

    Names that end in `score` go before those in `accuracy`, `acc` and `auc`, these before `loss` and `error`; of those that end alike,
    one of the training comes last.
    """
    names = sorted(names, key=lambda name: name.lower().startswith("train"))
    return next((name for ending in (*MORE, *LESS) for name in names if name.lower().endswith(ending)), "")


def best_values(folder: Path) -> dict[str, tuple[float, Any]]:
    """The best value and its step of each name that says whether more or less is better, in the last 1 MiB of the file."""
    best: dict[str, tuple[float, Any]] = {}
    for record in _newest_records(folder, _LONG_TAIL):
        for name, value in record["values"].items():
            if not is_number(value) or not name.lower().endswith((*MORE, *LESS)):
                continue
            sign = 1 if more_is_better(name) else -1
            # From the newest: the first of several that are equally good counts.
            if name not in best or sign * value >= sign * best[name][0]:
                best[name] = value, record.get("step")
    return best


def _newest_records(folder: Path, most: int = _TAIL) -> Iterator[dict[str, Any]]:
    try:
        with regular(folder / FILE, folder.parent) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - most))
            lines = file.read().split(b"\n")
    except OSError:
        return
    yield from (record for record in _records(lines[::-1]) if record is not None)


def more_is_better(name: str) -> bool:
    """Whether the larger of two values of this name is the better one: unless it ends in loss or error."""
    return not name.lower().endswith(LESS)


def shown(record: dict[str, Any]) -> dict[str, Any]:
    """The step and values of a record; values that are not finite are `nan`, `inf` or `-inf`."""
    step = {} if record.get("step") is None else {"step": record["step"]}
    values: dict[str, Any] = record["values"]
    return step | values | (record.get("not_finite") or {})
