"""Temporary files and folders whose writer is dead."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from .files import TEMPORARY
from .home import Home

_DAY = 86400.0
# What programs keep there is theirs.
_NOT_OURS = ("work", "code", "environments", "output", "damaged")


def leftovers(home: Home) -> Iterator[Path]:
    """Those of a home. The name begins with the number of the process that writes; one without a number counts as left after a day."""
    for root, folders, names in os.walk(home.path):
        for name in [*folders, *names]:
            if name.startswith(TEMPORARY) and _is_dead(Path(root, name)):
                yield Path(root, name)
        folders[:] = [name for name in folders if not name.startswith(TEMPORARY) and name not in _NOT_OURS]


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
