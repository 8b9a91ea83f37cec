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
import os
import re

# Of a disk, a quota and a limit.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


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
    if error.errno in FULL:
        return "free some space and try again"
    if error.errno in FORBIDDEN:
        return "change its permissions, or name another folder (NSML_HOME names the one that holds everything)"
    return "fix that and try again"


def first_of(error: OSError) -> OSError:
    """The first of the errors that `shutil.copytree` puts into one, with file and reason; any other error itself."""
    if not (error.args and isinstance(error.args[0], list)):
        return error
    path, _, why = error.args[0][0]
    number = re.match(r"\[Errno (\d+)\]", str(why))
    return OSError(int(number[1]), os.strerror(int(number[1])), path) if number else OSError(errno.EIO, str(why), path)


def install(extra: str) -> str:
    """The command that installs an extra of nsml-local from where nsml-local itself was installed: a checkout, a wheel, or the registry."""
    import contextlib
    import json
    import shlex
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import unquote, urlsplit

    source, wanted = {}, f"nsml-local[{extra}]"
    with contextlib.suppress(PackageNotFoundError, ValueError):
        source = json.loads(distribution("nsml-local").read_text("direct_url.json") or "{}")  # PEP 610
    url = source.get("url", "")
    if url.startswith("file:"):
        wanted = f"{unquote(urlsplit(url).path)}[{extra}]"
    elif "vcs_info" in source:
        folder = source.get("subdirectory")
        wanted += f" @ {source['vcs_info']['vcs']}+{url}" + (f"#subdirectory={folder}" if folder else "")
    editable = "-e " if source.get("dir_info", {}).get("editable") else ""
    return f"pip install {editable}{shlex.quote(wanted)}"
