"""What of a stored session is not what was written, one line each; whatever is damaged hides nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Damaged, NsmlError
from .checkpoints import Checkpoint, list_checkpoints
from .log_cut import checked_cut
from .metrics import read_metrics
from .sessions import Session


def damage_of(session: Session) -> Iterator[str]:
    """The damaged files of a session; every file of its checkpoints is read and compared with the SHA-256 that it was saved with."""
    for read in (session.record, session.state):
        try:
            read()
        except Damaged as error:
            yield str(error)
        except NsmlError:
            return  # removed since it was listed
    try:
        checked_cut(session.log)
    except Damaged as error:
        yield str(error)
    for kept in list_checkpoints(session.checkpoints):
        try:
            if not isinstance(kept, Checkpoint):
                raise kept
            kept.verify()
        except Damaged as error:
            if not isinstance(kept, Checkpoint) or kept.folder.exists():
                yield str(error)
    if line := read_metrics(session.folder)[1]:
        yield line
