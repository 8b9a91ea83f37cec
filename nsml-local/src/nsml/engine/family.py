"""What a program started, and all that these started: found however they hide, so that nothing of a session outlives it.

On Linux the process that starts a program adopts what below it loses its parent, and a program dies with the process that started it
(prctl(2): PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG). Elsewhere only what still hangs below the program is found. What a lost session left
behind is found by its environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..errors import Damaged, NsmlError
from ..store.files import read_json
from ..store.home import Home
from ..store.launches import FILE, VARIABLE
from ..store.processes import is_alive
from ..store.sessions import Session, list_sessions

if TYPE_CHECKING:
    import psutil

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_KILLING = 3.0


@lru_cache(1)
def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Make this process the parent of whatever below it loses its own."""
    if sys.platform == "linux":
        _libc().prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def dying_with_parent() -> Callable[[], None] | None:
    """A function for a new process to call before it becomes a program: it is killed when its parent is gone, however that ends."""
    if sys.platform != "linux":
        return None
    libc, parent = _libc(), os.getpid()

    def die_with_parent() -> None:
        libc.prctl(_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it ended between the fork and the call
            os._exit(1)

    return die_with_parent


def own_children() -> frozenset[int]:
    """The numbers of this process's children."""
    import psutil

    return frozenset(child.pid for child in psutil.Process().children())


def family(leader: int, others: frozenset[int], home: Home) -> list[psutil.Process]:
    """The living processes of a program of this process, it among them, and those that this process adopted from it.

    Args:
        leader: the program's number.
        others: children of this process that were there before, which with all below them are left out.
        home: whose sessions' supervisors, and all below them, are left out: a session that a session starts is one of its own.
    """
    import psutil

    try:
        below = psutil.Process().children(recursive=True)
    except psutil.Error:
        return []
    spared = set(others)
    found = []
    supervisors = set(_supervisors(home)) if any(process.pid != leader for process in below) else set()
    # Parents come before their children.
    for process in below:
        with contextlib.suppress(psutil.Error):
            if process.pid in spared | supervisors or process.ppid() in spared:
                spared.add(process.pid)
            elif process.status() == psutil.STATUS_ZOMBIE:
                _bury(process.pid, leader)
            else:
                found.append(process)
    return found


def _bury(pid: int, leader: int) -> None:
    # The leader's end is told to whoever waits for it.
    if pid != leader:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def signal_all(processes: list[psutil.Process], number: int) -> None:
    """Send a signal to each of them that still lives."""
    import psutil

    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            process.send_signal(number)


def _supervisors(home: Home) -> Iterator[int]:
    for session in list_sessions(home, but_for_ended=True):
        with contextlib.suppress(OSError, NsmlError):
            process = read_json(session.folder / "state.json").get("process")
            if process and session.record().get("kind") in ("run", "infer") and is_alive(process):
                yield process["pid"]


def strays(home: Home, session: Session) -> list[psutil.Process]:
    """The processes that a lost session left behind, known by the launch in their environment; none of any other session."""
    import psutil

    launch = str(session.folder / FILE)
    try:
        lost = session.status() == "Lost"
    except Damaged:
        lost = True
    if not lost or not os.path.exists(launch):
        return []
    spared = {os.getpid(), os.getppid(), *_supervisors(home)}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(VARIABLE) == launch and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return [process for process in found if process.pid not in spared]


def end_strays(home: Home, session: Session) -> int:
    """Kill what a lost session left behind; the number of processes."""
    killed: set[int] = set()
    until = time.monotonic() + _KILLING
    while (left := strays(home, session)) and time.monotonic() < until:
        signal_all(left, signal.SIGKILL)
        killed |= {process.pid for process in left}
        time.sleep(0.02)
    return len(killed)
