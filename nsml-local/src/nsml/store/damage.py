"""Damaged files of a stored session, one line each."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import Damaged, NsmlError
from .checkpoints import Checkpoint, list_checkpoints
from .log_cut import checked_cut
from .metrics import read_metrics
from .sessions import ANSWERS, EXIT_STATUS, Session

# What nsml reads in the folder of a session besides those whose reader finds the same.
_FILES = (
    "started.txt",
    "memo.txt",
    "log.txt",
    "python.txt",
    "launch.json",
    "supervisor.log",
    "ended",
    EXIT_STATUS,
)
_FOLDERS = ("code", "work", "checkpoints", "reports", ANSWERS)
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFLNK: "a link",
    stat.S_IFDIR: "a folder",
    stat.S_IFREG: "a file",
    stat.S_IFSOCK: "a socket",
}


def strange_files(session: Session) -> Iterator[tuple[Path, str]]:
    """What stands in place of a file or a folder of a session and is something else, and so is not read, with a line on each."""
    for name in (*_FILES, *_FOLDERS):
        path = session.folder / name
        with contextlib.suppress(OSError):
            kind = stat.S_IFMT(path.lstat().st_mode)
            if kind != (stat.S_IFDIR if name in _FOLDERS else stat.S_IFREG):
                yield (
                    path,
                    f"{path} is {_KINDS.get(kind, 'a device')}, so it is not read; move it away to go on without it",
                )


def damage_of(session: Session) -> Iterator[str]:
    """A line for each damaged file of a session. Reads every file of its checkpoints and compares the SHA-256."""
    for read in (session.record, session.state):
        try:
            read()
        except Damaged as error:
            yield str(error)
        except NsmlError:
            return  # just removed
    yield from (line for _, line in strange_files(session))
    try:
        checked_cut(session.log)
    except Damaged as error:
        yield str(error)
    for checkpoint in list_checkpoints(session.checkpoints):
        try:
            if not isinstance(checkpoint, Checkpoint):
                raise checkpoint
            checkpoint.verify()
        except Damaged as error:
            if not isinstance(checkpoint, Checkpoint) or os.path.lexists(checkpoint.folder):
                yield str(error)
    if line := read_metrics(session.folder)[1]:
        yield line
