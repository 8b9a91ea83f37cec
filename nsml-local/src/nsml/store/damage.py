"""Damaged files of a stored session, one line each."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Damaged, NsmlError
from .checkpoints import Checkpoint, list_checkpoints
from .log_cut import checked_cut
from .metrics import read_metrics
from .sessions import Session


def damage_of(session: Session) -> Iterator[str]:
    """A line for each damaged file of a session. Reads every file of its checkpoints and compares the SHA-256."""
    for read in (session.record, session.state):
        try:
            read()
        except Damaged as error:
            yield str(error)
        except NsmlError:
            return  # just removed
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
            if not isinstance(checkpoint, Checkpoint) or checkpoint.folder.exists():
                yield str(error)
    if line := read_metrics(session.folder)[1]:
        yield line
