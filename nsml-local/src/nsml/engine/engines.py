"""Engines: what runs the supervisors of sessions. `local` is this machine and its queue, `slurm` a cluster (see slurm.py).

The supervisor itself is the same everywhere, so what it writes is too. The state of a session is `Session.state()`: what its files say and,
where they do not, the processes of this machine or the session's job.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any, Protocol

from ..errors import NsmlError, RunFailed
from ..store.files import read_json
from ..store.home import Home
from ..store.launches import FILE
from ..store.sessions import ENDED, Session
from .background import leave_supervisor
from .queue import LOCAL, look, places, wait_for_turn, withdraw
from .resources import Limits


class Engine(Protocol):
    """`start`, `stop` and `where` are of commands, the others of the supervisor.

    `signals_late`: seconds by which a signal may reach the supervisor later than its program.
    """

    signals_late: float

    def start(self, session: Session) -> None:
        """Have the supervisor run on the session's launch.json; its state is written. NsmlError or RunFailed where that is refused."""

    def stop(self, session: Session) -> None:
        """End a session that has not ended, also where it waits. RunFailed where it does not end."""

    def where(self, home: Home, session: Session) -> str:
        """Where a session waits and for what, to follow "is queued"."""

    def claim(self, home: Home, session: Session, process: dict[str, Any]) -> bool:
        """Return once the session is Starting. False where it is not this process's to start. NeverStarts where it never will."""

    def interrupted(self, session: Session) -> tuple[str, str]:
        """Status and reason of a session whose supervisor was asked to end: Stopped, or Queued where it starts again by itself."""

    def release(self, home: Home) -> None:
        """Called by the supervisor when the session has ended."""


class Local:
    """Processes of this machine, which wait for their turn in its queue."""

    signals_late = 0.0

    def start(self, session: Session) -> None:
        leave_supervisor(session.folder)

    def stop(self, session: Session) -> None:
        """Send SIGTERM to the supervisor and wait, for 15 seconds at most. NsmlError if the session runs on another host."""
        session.check_here()
        if withdraw(session.home, session):
            return
        process = session.state().get("process") or {}
        until = time.monotonic() + 15
        while not process and session.status() not in ENDED and time.monotonic() < until:
            time.sleep(0.02)
            process = session.state().get("process") or {}
        with contextlib.suppress(ProcessLookupError, KeyError):
            os.kill(process["pid"], signal.SIGTERM)
        while session.status() not in ENDED and time.monotonic() < until:
            with contextlib.suppress(ProcessLookupError, KeyError):
                os.kill(process["pid"], signal.SIGCONT)  # its program may have stopped it
            time.sleep(0.05)
        if session.status() not in ENDED:
            raise RunFailed(f"session {session.name} does not end; end process {process.get('pid')} by hand")

    def where(self, home: Home, session: Session) -> str:
        place, why = places(home).get(str(session.name), (0, "its supervisor starts"))
        return f"at place {place}: {why or 'it starts in a moment'}"

    def claim(self, home: Home, session: Session, process: dict[str, Any]) -> bool:
        if not wait_for_turn(home, session, process):
            return False
        Limits.of(read_json(session.folder / FILE)).restrict_processors()
        return True

    def interrupted(self, session: Session) -> tuple[str, str]:
        return "Stopped", ""

    def release(self, home: Home) -> None:
        look(home)


def engine_of(session: Session) -> Engine:
    """The engine that a session was started with."""
    name = LOCAL
    with contextlib.suppress(OSError, NsmlError, AttributeError):
        name = (read_json(session.folder / FILE).get("queue") or {}).get("engine", LOCAL)
    if name == LOCAL:
        return Local()
    from .slurm import Slurm  # most sessions are local

    return Slurm()
