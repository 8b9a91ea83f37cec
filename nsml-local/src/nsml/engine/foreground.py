"""A session that a program opens by itself when it is started by hand, outside `nsml run`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import NsmlError
from ..store.datasets import Dataset
from ..store.files import remove_tree
from ..store.sessions import Session
from .origin import origin_of

# Somebody may start a program in a folder that is full of data; `nsml run` is the way to copy as much as that.
_LIMIT = 200 * 1024 * 1024


def _entry() -> Path | None:
    path = Path(sys.argv[0]) if sys.argv and sys.argv[0] else None
    return path.resolve() if path and path.suffix == ".py" and path.is_file() else None


def describe_program(datasets: Sequence[Dataset]) -> dict[str, Any]:
    """`entry`, `arguments` and origin of this process, as `nsml run` writes them."""
    entry = _entry()
    program = {"entry": entry.name if entry else "", "arguments": sys.argv[1:], "python": sys.executable}
    return program | origin_of(entry.parent if entry else Path.cwd(), datasets)


def keep_code(session: Session) -> None:
    """Copy the entry file's folder, so that `nsml submit` can start it; a failure is only printed."""
    entry = _entry()
    if entry is None:
        return
    try:
        from .snapshot import take_snapshot

        take_snapshot(entry.parent, session.code, limit=_LIMIT)
    except (NsmlError, ImportError, OSError) as error:
        remove_tree(session.code)
        print(f"nsml: the code cannot be copied, so this session cannot be submitted: {error}", file=sys.stderr)


def leave_exit_status(path: Path) -> None:
    """Have the C library write the exit status of this process into a file of one byte when it ends; "" until then.

    Python calls no function with it: `exit(3)` passes by `sys.exit`, `raise SystemExit(3)` by `sys.excepthook`, and what was raised
    may yet be caught. Where the C library has no on_exit(3), the file is not made.
    """
    import ctypes

    libc = ctypes.CDLL(None)
    if not hasattr(libc, "on_exit"):
        return
    libc.fopen.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(libc.fopen(os.fsencode(path), b"wbe"))
    if stream:
        libc.on_exit(libc.fputc, stream)  # calls fputc(STATUS, stream)
        os.register_at_fork(after_in_child=lambda: libc.freopen(b"/dev/null", b"we", stream))
