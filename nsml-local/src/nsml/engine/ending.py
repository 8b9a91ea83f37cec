"""Stop a running session through its supervisor, and remove an ended one."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from ..errors import Damaged, RunFailed
from ..store.home import Home
from ..store.sessions import ENDED, Session, remove_session
from .family import end_strays
from .queue import withdraw


def stop_session(session: Session) -> None:
    """Send SIGTERM to the supervisor and wait until the session has ended.

    Raises:
        NsmlError: it runs on another host.
        RunFailed: it does not end within 15 seconds.
    """
    session.check_here()
    if withdraw(Home(session.folder.parents[3]), session):
        return
    process = session.state().get("process") or {}
    until = time.monotonic() + 15
    while not process and session.status() not in ENDED and time.monotonic() < until:
        time.sleep(0.02)
        process = session.state().get("process") or {}
    with contextlib.suppress(ProcessLookupError, KeyError):
        os.kill(process["pid"], signal.SIGTERM)
    while session.status() not in ENDED and time.monotonic() < until:
        time.sleep(0.05)
    if session.status() not in ENDED:
        raise RunFailed(f"session {session.name} does not end; end process {process.get('pid')} by hand")


def end_and_remove(home: Home, session: Session) -> None:
    """Remove an ended session, and before it what a lost one left behind. NsmlError where it has not ended."""
    with contextlib.suppress(Damaged):
        session.check_here()
    end_strays(home, session)
    remove_session(session)
