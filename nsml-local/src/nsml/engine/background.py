"""Start a session's supervisor in the background, where it survives the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from ..errors import RunFailed
from ..store.files import open_regular

_STARTING = 30.0
_left: list[subprocess.Popen[bytes]] = []  # so that they are waited for: a long-lived process would have zombies


def leave_supervisor(folder: Path) -> None:
    """Start the supervisor of the session in `folder` in a process of its own, outside this process's group and terminal.

    Returns once it has written the session's state, by which others know it as a supervisor. What it has to complain of goes to
    `supervisor.log`. It is forked where that is safe, since a new interpreter that imports the same modules again would make every
    session start a tenth of a second later.

    Raises:
        RunFailed: it ended at once.
    """
    has_ended = _fork(folder) if hasattr(os, "fork") and threading.active_count() == 1 else _start_anew(folder)
    until = time.monotonic() + _STARTING
    while not (folder / "state.json").exists() and time.monotonic() < until:
        if has_ended() and not (folder / "state.json").exists():
            raise RunFailed(f"its supervisor ended at once; see {folder / 'supervisor.log'}")
        time.sleep(0.002)


def _open_error_log(folder: Path) -> int:
    return open_regular(folder / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def _start_anew(folder: Path) -> Callable[[], bool]:
    with open(_open_error_log(folder), "ab") as errors:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "nsml.engine.supervisor", str(folder)],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
    _left[:] = [*(each for each in _left if each.poll() is None), supervisor]
    return lambda: supervisor.poll() is not None


def _fork(folder: Path) -> Callable[[], bool]:
    sys.stdout.flush()
    sys.stderr.flush()
    errors = _open_error_log(folder)
    supervisor = os.fork()
    if supervisor:
        os.close(errors)
        return lambda: os.waitpid(supervisor, os.WNOHANG)[0] == supervisor
    status = 1
    try:
        os.setsid()
        os.chdir("/")
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, errors), (2, errors)):
            os.dup2(source, target)
        os.closerange(3, 256)
        from .supervisor import supervise

        supervise(folder)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        # Never return into the forked command, nor run its exit handlers.
        os._exit(status)
