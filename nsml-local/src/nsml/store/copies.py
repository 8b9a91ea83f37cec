"""Copying stored files out, never beyond the folder that the user named, never over what is there unless told to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import NsmlError, RunFailed
from .files import real_path


def _files(source: Path) -> Iterator[Path]:
    """The regular files below a folder, without links."""
    for root, folders, names in os.walk(source):
        folders[:] = sorted(f for f in folders if not os.path.islink(os.path.join(root, f)))
        for name in sorted(names):
            path = Path(root, name)
            if path.is_file() and not path.is_symlink():
                yield path


def copy_out(source: Path, target: Path, *, force: bool) -> int:
    """Copy a file, or the files of a folder, to `target`; return how many.

    Raises:
        NsmlError: a file is there already and `force` is not set (nothing is copied then), or a link in `target` leads out of it.
        RunFailed: a file cannot be written.
    """
    pairs = (
        [(source, target)]
        if source.is_file()
        else [(path, target / path.relative_to(source)) for path in _files(source)]
    )
    root = real_path(target)
    for _, copy in pairs:
        if not real_path(copy).is_relative_to(root) or copy.is_symlink():
            raise NsmlError(f"{copy} is a link, or leads out of {target}; name another folder")
        if copy.exists() and not force:
            raise NsmlError(f"{copy} is there already; name another folder, or overwrite with -f")
        if copy.is_dir():
            raise NsmlError(f"{copy} is a folder where a file should go; name another folder")
    for path, copy in pairs:
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        except OSError as error:
            raise RunFailed(
                f"{copy} cannot be written: {error.strerror}; name another folder or free some space"
            ) from None
    return len(pairs)
