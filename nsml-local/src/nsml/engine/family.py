"""The family of a program: all processes started by it or by its descendants, so that no process outlives its session.

On Linux, each program has a keeper: its parent process, which adopts orphaned descendants and ends with the program (prctl(2):
PR_SET_CHILD_SUBREAPER). The family is all processes below the keeper, so that one process can start several programs and sessions. A
keeper and a program die with the process that started them (PR_SET_PDEATHSIG). On other systems, the family is only the program's current
descendants. Remaining processes of a lost session are recognised by its control group, if it has one, else by their environment and log.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Damaged, NsmlError
from ..store import metrics
from ..store.files import read_json
from ..store.home import Home
from ..store.launches import FILE, VARIABLE
from ..store.processes import identity, is_alive
from ..store.sessions import Session, list_sessions
from .control_group import enter_group, kill_group, members

if TYPE_CHECKING:
    import psutil

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_KILLING = 3.0
# The entry of a state for the control group of its program; "" if it is isolated.
GROUP = "group"
HAS_KEEPERS = sys.platform == "linux"


@lru_cache(1)
def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Make this process the parent of orphaned descendants."""
    if HAS_KEEPERS:
        _libc().prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _die_with(parent: int) -> None:
    """Kill this process when its parent ends."""
    _libc().prctl(_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended between the fork and the call
        os._exit(1)


def die_with_parent() -> Callable[[], None]:
    """A function to be called in a new process, which is then killed when this process ends."""
    _libc()
    parent = os.getpid()
    return lambda: _die_with(parent)


def below_bubblewrap(pid: int) -> list[psutil.Process]:
    """The living processes below bubblewrap, except the first, which is its own and reaps the others."""
    import psutil

    try:
        bubblewrap = psutil.Process(pid)
        own = bubblewrap.children()
        return [process for process in bubblewrap.children(recursive=True) if process not in own]
    except psutil.Error:
        return []


def below_a_keeper(home: Home, group: Path | None) -> Callable[[], None]:
    """A function to be called in a new process before it runs a program: the process becomes the keeper, and its child runs the program.

    The keeper kills the rest of the family after the program has ended, and ends with the same status.

    group: the control group of the program.
    """
    # Imported before the fork: in the new process, the import lock may be held for ever by a thread of this one.
    import psutil  # noqa: F401

    _libc()
    parent = os.getpid()

    def become_keeper() -> None:
        if not HAS_KEEPERS:
            return
        _die_with(parent)
        adopt_orphans()
        keeper = os.getpid()
        program = os.fork()
        if program:
            _run_keeper(program, home, group)
        if group:
            enter_group(group)
        os.setsid()
        _die_with(keeper)

    return become_keeper


def _run_keeper(program: int, home: Home, group: Path | None) -> None:
    """Wait for the program, kill its remaining processes, and exit with its status or signal. Never returns."""
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.closerange(3, 1 << 20)  # else Popen in the parent process waits for the keeper
        ended = None
        while ended is None:
            pid, status = os.waitpid(-1, 0)
            ended = status if pid == program else None
        if group:
            kill_group(group)
        kill_below(home)
        code = os.waitstatus_to_exitcode(ended)
        if code < 0:
            with contextlib.suppress(OSError):  # SIGKILL needs no default action
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(code)
    finally:
        os._exit(1)


def kill_below(home: Home) -> list[int]:
    """Kill all processes below this one, which adopts orphans, except sessions that were started there. Return the ids of those left."""
    until = time.monotonic() + _KILLING
    nobody = 0
    left: list[psutil.Process] = []
    # Twice, as a process that has just lost its parent is not below this one for a moment.
    while nobody < 2 and time.monotonic() < until:
        left = family(os.getpid(), home)
        nobody = 0 if left else nobody + 1
        signal_all(left, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return []
        time.sleep(0.01)
    return [process.pid for process in left]


def family(keeper: int, home: Home) -> list[psutil.Process]:
    """The living processes below a keeper, including the program.

    Supervisors of sessions of `home` and all processes below them are left out: a session started by a session is independent.
    """
    import psutil

    try:
        below = psutil.Process(keeper).children(recursive=True)
    except psutil.Error:
        return []
    spared = set(_supervisors(home)) - {keeper} if len(below) > 1 else set()
    processes = []
    # Parents come before their children.
    for process in below:
        with contextlib.suppress(psutil.Error):
            if process.pid in spared or process.ppid() in spared:
                spared.add(process.pid)
            elif process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
    return processes


def signal_all(processes: list[psutil.Process], number: int) -> None:
    """Send a signal to each living process."""
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


def _strays(home: Home, session: Session) -> list[psutil.Process]:
    """The remaining processes of a lost session: those with its launch in their environment, or with its log open for writing."""
    import psutil

    launch = str(session.folder / FILE)
    if not os.path.exists(launch):
        return []
    spared = {os.getpid(), os.getppid(), *_supervisors(home)}
    log = os.path.realpath(session.log)
    processes = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            known = process.environ().get(VARIABLE) == launch or _writes(process, log)
            if known and process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
    return [process for process in processes if process.pid not in spared]


def _writes(process: psutil.Process, path: str, *, unless_told: bool = False) -> bool:
    """Whether the process has a file open for writing; where the system does not tell for what, `unless_told`."""
    return any(file.path == path and getattr(file, "mode", "rw"[unless_told]) != "r" for file in process.open_files())


def is_supervised(session: Session) -> bool:
    """Whether a supervisor on this machine, or a program started by hand, has the session, whatever its state.json says."""
    import psutil

    own = "supervisor.log" if os.path.exists(session.folder / FILE) else metrics.FILE
    path = os.path.realpath(session.folder / own)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if _writes(process, path, unless_told=True):
                return True
    return False


def end_strays(home: Home, session: Session) -> int:
    """Kill the remaining processes of a lost session; return their number."""
    try:
        if session.status() != "Lost":
            return 0
    except Damaged:
        if is_supervised(session):
            return 0
    group = _group_of(session)
    killed = set(members(group)) if group else set()
    if group:
        kill_group(group)
    until = time.monotonic() + _KILLING
    while (left := _strays(home, session)) and time.monotonic() < until:
        signal_all(left, signal.SIGKILL)
        killed |= {process.pid for process in left}
        time.sleep(0.02)
    return len(killed)


def still_runs(home: Home, session: Session) -> bool:
    """Whether processes of a lost session are left, as far as they can be found."""
    group = _group_of(session)
    return bool(group and members(group)) or bool(_strays(home, session))


def _group_of(session: Session) -> Path | None:
    """The control group in which the program of a session was started, if it had one."""
    with contextlib.suppress(OSError, NsmlError):
        if isinstance(group := session.state().get(GROUP), str):
            return Path(group)
    return None


def may_be_left(session: Session) -> str:
    """What cannot be found of the processes of a lost session, as a sentence; "" if all can."""
    with contextlib.suppress(OSError, NsmlError):
        state = session.state()
        # Since a restart of the machine nothing is left.
        here = HAS_KEEPERS and state.get("process", {}).get("boot") == identity().get("boot")
        if state["status"] == "Lost" and here and "program" in state and GROUP not in state:
            return (
                f"a process of {session.name} that has neither its environment nor its log would not be found, since its program had no "
                "control group; look for one with 'ps -fu $USER'"
            )
    return ""
