"""Stop a running session, and remove an ended one."""

from __future__ import annotations

from ..errors import Damaged, NsmlError
from ..store.home import Home
from ..store.sessions import Session, check_ended, remove_session
from .engines import engine_of
from .family import end_strays, is_supervised
from .pruning import check_not_awaited


def stop_session(session: Session) -> None:
    """End a session that has not ended, through its engine.

    Raises:
        NsmlError: it runs on another host, where only that host can end it.
        RunFailed: it does not end.
    """
    engine_of(session).stop(session)


def check_removable(home: Home, session: Session) -> None:
    """NsmlError if a session has not ended, or may not have, or another one is about to start from it."""
    try:
        session.check_here()
    except Damaged:
        if is_supervised(session):
            raise NsmlError(
                f"session {session.name} has not ended, though its state.json is damaged; its supervisor writes that again"
            ) from None
        if session.may_run_elsewhere():
            raise NsmlError(
                f"session {session.name} may run on another host that shares this home, as its state.json is damaged; where none "
                "runs it, 'nsml doctor --repair' puts the file aside, and then it can be removed"
            ) from None
    check_ended(session)
    check_not_awaited(home, session)


def end_and_remove(home: Home, session: Session) -> None:
    """Remove an ended session, and before it what a lost one left behind. NsmlError as of `check_removable`."""
    check_removable(home, session)
    end_strays(home, session)
    remove_session(session)
