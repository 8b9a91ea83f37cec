"""Copy stored files to a folder of the user, never outside of it, and over existing files only with `force`."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import NsmlError, RunFailed
from .files import real_path, regular, walk, writing

_PIECE = 1 << 20


def _files(source: Path) -> Iterator[Path]:
    """Regular files below a folder; links are skipped."""
    for root, folders, names in walk(source):
        folders[:] = sorted(f for f in folders if not os.path.islink(os.path.join(root, f)))
        for name in sorted(names):
            path = Path(root, name)
            if path.is_file() and not path.is_symlink():
                yield path


def count_left_out(source: Path) -> int:
    """Number of links, pipes and the like below a folder, which `copy_out` does not copy."""
    paths = [Path(root, name) for root, folders, names in walk(source) for name in (*folders, *names)]
    return sum(path.is_symlink() or not (path.is_file() or path.is_dir()) for path in paths)


def copy_file(source: Path, target: Path, below: Path | None = None) -> None:
    """Copy a regular file with its times, permissions and holes (see `open_regular`)."""
    with regular(source, below) as content, writing(target), open(target, "wb") as copy:
        # Asked once: what is appended meanwhile is left out, and would else be a hole.
        status = os.fstat(content.fileno())
        for start, end in data_of(content.fileno(), status.st_size):
            copy.seek(start)
            while start < end and (piece := os.pread(content.fileno(), min(_PIECE, end - start), start)):
                start += copy.write(piece)
        copy.truncate(status.st_size)
    os.chmod(target, stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def data_of(file: int, size: int) -> Iterator[tuple[int, int]]:
    """Where the first `size` bytes of a file hold data: a file of holes can be larger than the disk that its copy is written to."""
    place = 0
    while place < size:
        try:
            start = os.lseek(file, place, os.SEEK_DATA)
            place = min(os.lseek(file, start, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # the rest is a hole
            start, place = place, size  # the file system does not say
        yield start, place


def copy_out(source: Path, target: Path, *, force: bool, below: Path | None = None) -> int:
    """Copy a file, or the files of a folder, to `target`; return the number of files. Where there are none, `target` is an empty folder.

    No folder between `below` and a file may be a link.

    Raises:
        NsmlError: a file exists and `force` is not set, or a link in `target` leads out of it. Nothing is copied.
        RunFailed: a file cannot be written.
    """
    pairs = [(source, target)] if os.path.lexists(source) else []
    if source.is_dir() and not source.is_symlink():
        pairs = [(path, target / path.relative_to(source)) for path in _files(source)]
    root = real_path(target)
    for _, copy in pairs:
        if not real_path(copy).is_relative_to(root) or copy.is_symlink():
            raise NsmlError(f"{copy} is a link, or leads out of {target}; name another folder")
        if copy.exists() and not force:
            raise NsmlError(f"{copy} already exists; name another folder, or overwrite with -f")
        if copy.is_dir():
            raise NsmlError(f"{copy} is a folder, not a file; name another folder")
    if not pairs:
        target.mkdir(parents=True, exist_ok=True)
    for path, copy in pairs:
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy_file(path, copy, below or source.parent)
        except OSError as error:
            raise RunFailed(
                f"{copy} cannot be written: {error.strerror}; name another folder or free some space"
            ) from None
    return len(pairs)
