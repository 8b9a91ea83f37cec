"""Atomic writes."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, private: bool = False) -> Iterator[Path]:
    """Yield the path of a new empty file beside `path`. At the end of the block it is flushed to disk and renamed to `path`.

    After an exception the file is removed and `path` does not change.

    Args:
        path: a path in an existing folder.
        private: whether only the owner can read the file, as for data of patients.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if private else 0o666))
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)  # fsync flushes the file, whichever descriptor is used
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
