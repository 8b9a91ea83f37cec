"""The errors of `nsml`, and the exit status of the command for each.

NsmlError                 wrong use: an unknown name, a bad argument, a missing file  (exit status 2)
  Refused                 a submit that the dataset's rules do not allow              (exit status 2)
  RunFailed               a run, a submit or a write that failed                      (exit status 1)
    Damaged               something stored cannot be read back                        (exit status 1)
    PredictionsRefused    what `infer` returned cannot be scored                      (exit status 1)

Every message is one line: file or argument, what happened, then what to do.
"""

from __future__ import annotations

import errno

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class NsmlError(Exception):
    """Wrong use. `str(error)` is one line for the user."""

    exit_status = 2


class Refused(NsmlError):
    """A submit that the dataset's rules do not allow."""


class RunFailed(NsmlError):
    """A run, a submit or a write that failed."""

    exit_status = 1


class Damaged(RunFailed):
    """A stored file that cannot be read back."""


class PredictionsRefused(RunFailed):
    """Predictions of the wrong count, type or range."""


def fix_for(error: OSError) -> str:
    """What to do about a file that cannot be read or written."""
    if error.errno in _FULL:
        return "free some space and try again"
    if error.errno in _FORBIDDEN:
        return "change its permissions, or name another folder (NSML_HOME names the one that holds everything)"
    return "fix that and try again"
