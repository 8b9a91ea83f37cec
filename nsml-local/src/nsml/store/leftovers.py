"""Temporary files and folders left by processes that have ended."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import NsmlError
from .files import TEMPORARY, visible
from .home import Home
from .sessions import ENDED, Session, list_sessions

_DAY = 86400.0
# The temporary folder of a scorer's links is called so, then by the id of its process.
SCORING = "nsml-score-"


def leftovers(home: Home) -> Iterator[Path]:
    """Leftovers in a home, in the folders that nsml itself writes to.

    Files inside a checkpoint or a dataset are never leftovers, whatever their names.

    A temporary name begins with the id of its process; one without an id is a leftover after a day.
    """
    for path in Path(tempfile.gettempdir()).glob(f"{SCORING}*"):
        owner = path.name.removeprefix(SCORING).partition("-")[0]
        with contextlib.suppress(OSError):
            if path.lstat().st_uid == os.getuid() and owner.isdecimal() and not _is_running(int(owner)):
                yield path
    for folder in _folders(home):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        yield from (folder / name for name in names if name.startswith(TEMPORARY) and _is_dead(folder / name))


def _folders(home: Home) -> Iterator[Path]:
    datasets, numbers = _below(home.datasets), _below(home.submissions)
    yield from (home.path, home.datasets, *datasets, home.submissions, *numbers)
    for folder in numbers:
        yield from _below(folder)
    for user in _below(home.output):
        # A program can write here, and put links in their place.
        if not (cache := user / "cache").is_symlink():
            yield from (folder for folder in _below(cache) if not folder.is_symlink())
    for user in _below(home.sessions):
        for folder in _below(user):
            yield folder
            for session in list_sessions(home, user.name, folder.name):
                yield from (session.folder, session.reports)
                # An isolated program counts its processes from 1, so that the number of a living one may be nobody's out here.
                if _has_ended(session):
                    yield session.checkpoints


def _has_ended(session: Session) -> bool:
    try:
        return session.status() in ENDED
    except NsmlError:
        return True


def _below(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in visible(folder)]


def _is_dead(path: Path) -> bool:
    owner = path.name.removeprefix(TEMPORARY).partition("-")[0]
    if owner.isdecimal():
        return not _is_running(int(owner))
    try:
        return time.time() - path.lstat().st_mtime > _DAY
    except OSError:
        return False


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
