"""Atomic writes, where a reader sees the old content or the new, and reads that never follow links."""

from __future__ import annotations

import codecs
import contextlib
import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

from ..errors import FULL, Damaged, NsmlError, RunFailed, first_of
from .sealing import BLANK, MEMBER, seal, unseal

TEMPORARY = ".tmp-"
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# First members of files that older versions wrote, without a checksum.
_UNSEALED = frozenset({"created_at", "format", "home", "name", "packages", "path", "pid", "source", "status", "user"})

_SEARCH = getattr(os, "O_PATH", getattr(os, "O_SEARCH", os.O_RDONLY))  # Linux, macOS
_NOT_REGULAR = "not a regular file, or behind a link"
_LARGEST_RECORD = 1 << 22  # bytes, more than the longest command line in it
_LARGEST_TEXT = 1 << 26


def temporary_name(folder: Path) -> Path:
    """A unique name in `folder`, which all readers skip."""
    return folder / f"{TEMPORARY}{os.getpid()}-{os.urandom(6).hex()}"


def make_private(folder: Path) -> Path:
    """Create the folder and missing parents; only the owner can read them."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Name `path` where the disk is full, as the error of a write names no file, and that of a copy its source."""
    try:
        yield
    except OSError as error:
        first = first_of(error)
        if first.errno not in FULL:
            raise
        raise OSError(first.errno, first.strerror, str(path)) from error


def flush_to_disk(path: Path) -> None:
    """fsync a file or a folder; file systems that cannot sync folders are no error."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def open_regular(path: Path, flags: int = os.O_RDONLY, below: Path | None = None) -> int:
    """Open a file that a competitor's program may have written: only a regular file, without following links.

    A pipe does not block. No folder between `below` (default: the file's own folder) and the file may be a link; they need not be
    readable, only searchable.

    Returns:
        A file descriptor.

    Raises:
        OSError: the file is missing, not regular, or behind a link.
    """
    top = below or path.parent
    *between, name = path.relative_to(top).parts
    if ".." in between:
        raise OSError(errno.EINVAL, _NOT_REGULAR, str(path))
    folder = os.open(top, _SEARCH | os.O_DIRECTORY)
    try:
        for part in between:
            inner = os.open(part, _SEARCH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        file = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600, dir_fd=folder)
    except OSError as error:
        # ENXIO: a pipe without a reader, or a socket. ENOTDIR: a link in place of a folder.
        is_irregular = error.errno in (errno.ELOOP, errno.ENXIO, errno.ENOTDIR)
        raise OSError(error.errno, _NOT_REGULAR if is_irregular else error.strerror, str(path)) from None
    finally:
        os.close(folder)
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        os.close(file)
        raise OSError(errno.EINVAL, os.strerror(errno.EISDIR) if stat.S_ISDIR(mode) else _NOT_REGULAR, str(path))
    return file


def regular(path: Path, below: Path | None = None) -> BufferedReader:
    """Open a file for reading (see `open_regular`)."""
    return open(open_regular(path, os.O_RDONLY, below), "rb")


def read_regular(path: Path, most: int = 1 << 26, below: Path | None = None) -> bytes:
    """The content of a file of at most `most` bytes (see `open_regular`). OSError if it is larger."""
    with regular(path, below) as file:
        return _content(file, most, path)


def _content(file: BufferedReader, most: int, path: Path) -> bytes:
    # Asked before: a file of holes is larger than any disk. Counted after: it may grow.
    too_large = os.fstat(file.fileno()).st_size > most
    content = b"" if too_large else file.read(most + 1)
    if too_large or len(content) > most:
        raise OSError(errno.EINVAL, f"more than {most:,} bytes", str(path))
    return content


def write_text(path: Path, text: str) -> None:
    """`write_bytes` in UTF-8; surrogate escapes, as in file names that are not UTF-8, are written as the bytes they stand for."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_bytes(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace the file's content atomically; unless `mode` says otherwise, only the owner can read it."""
    beside = temporary_name(path.parent)
    try:
        with writing(path):
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    flush_to_disk(path.parent)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace the file atomically by `value` as JSON with a checksum. NaN and infinity are a ValueError."""
    text = json.dumps({MEMBER: BLANK, **value}, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, seal(f"{text}\n"))


def read_json(path: Path, below: Path | None = None, most: int = _LARGEST_RECORD) -> dict[str, Any]:
    """The JSON object in a file (see `read_regular`). FileNotFoundError if it is missing, Damaged if its content has changed."""
    try:
        return unseal(read_regular(path, most, below), _UNSEALED)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        reason = (error.strerror or type(error).__name__) if isinstance(error, OSError) else error
        raise Damaged(f"{path} is damaged ({reason}); move it away to go on without it") from None


def is_number(value: object) -> bool:
    """Whether a stored value is a finite number, as a time, a size or a score."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300


def visible(folder: Path) -> list[os.DirEntry[str]]:
    """Entries of a folder, sorted by name, without hidden and temporary ones; empty if the folder is missing."""
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return []
        raise


_ahead: dict[Path, tuple[float, float]] = {}


def disk_time(folder: Path) -> float:
    """The time by the clock that dates files in `folder`: of a shared disk its server's, from which a host's own may be hours away.

    Seconds since the epoch. The disk is asked once a minute, as that takes a write; where nothing can be written, it is the host's time.
    """
    until, ahead = _ahead.get(folder, (0.0, 0.0))
    if time.monotonic() > until:
        clock, ahead = folder / ".clock", 0.0
        with contextlib.suppress(OSError):
            file = open_regular(clock, os.O_WRONLY | os.O_CREAT)
            try:
                os.utime(file)
                ahead = os.fstat(file).st_mtime - time.time()
            finally:
                os.close(file)
        _ahead[folder] = time.monotonic() + 60, ahead
    return time.time() + ahead


@contextlib.contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """A new temporary folder in `folder`, removed at the end unless it was renamed. A full disk is an error of `folder`."""
    beside = temporary_name(folder)
    try:
        with writing(folder):
            beside.mkdir(mode=0o700, parents=True)
            yield beside
    finally:
        remove_tree(beside)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the file at `path`, which is made, against other processes. RunFailed on a disk without locks."""
    lock = open_regular(path, os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise RunFailed(f"{path} cannot be locked ({error.strerror}); set NSML_HOME to a local disk") from error
        yield
    finally:
        os.close(lock)


def discard(folder: Path) -> None:
    """Remove a folder: rename it, so that it disappears in one step, then delete its files. OSError if the rename fails."""
    hidden = temporary_name(folder.parent)
    with contextlib.suppress(FileNotFoundError):  # another process was first
        os.rename(folder, hidden)
    remove_tree(hidden)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_tree(folder: Path | str) -> None:
    """Remove a folder and its content, however deep it is, without following links; what cannot be removed stays."""
    with contextlib.suppress(OSError):
        top = _open_folder(folder)
        try:
            while [_remove_level(top, entry) for entry in os.scandir(top)].count(True):
                pass
        finally:
            os.close(top)
        os.rmdir(folder)


def _open_folder(path: Path | str, within: int | None = None) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        folder = os.open(path, flags, dir_fd=within)
    except PermissionError:
        os.chmod(path, 0o700, dir_fd=within)
        folder = os.open(path, flags, dir_fd=within)
    # Without these, nothing in it can be removed, and it cannot be moved itself.
    os.fchmod(folder, 0o700)
    return folder


def _remove_level(top: int, entry: os.DirEntry[str]) -> bool:
    """Remove a file or folder in the folder `top`, after moving the folders in it up to `top`; whether anything was removed or moved."""
    changed = False
    try:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.name, dir_fd=top)
            return True
        folder = _open_folder(entry.name, top)
        try:
            for inner in os.scandir(folder):
                if not inner.is_dir(follow_symlinks=False):
                    os.unlink(inner.name, dir_fd=folder)
                else:
                    os.close(_open_folder(inner.name, folder))
                    os.rename(inner.name, temporary_name(Path()).name, src_dir_fd=folder, dst_dir_fd=top)
                changed = True
        finally:
            os.close(folder)
        os.rmdir(entry.name, dir_fd=top)
    except OSError:
        return changed
    return True


def is_utf16(path: Path) -> bool:
    """Whether a file begins with a byte order mark of UTF-16."""
    with open(path, "rb") as file:
        return file.read(2) in _UTF16_MARKS


def read_text(path: Path) -> str:
    r"""A text file of a user, with newlines as `\n`: in UTF-8, UTF-16 with a byte order mark (PowerShell), or CP949.

    Raises:
        NsmlError: the file is not text in one of these encodings.
        OSError: the file cannot be read.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, _NOT_REGULAR, str(path))
        content = _content(file, _LARGEST_TEXT, path)
    for encoding in ("utf-16",) if content[:2] in _UTF16_MARKS else ("utf-8-sig", "cp949"):
        with contextlib.suppress(UnicodeDecodeError):
            text = content.decode(encoding)
            if "\0" in text:
                raise NsmlError(f"{path} is not a text file (it contains a zero byte); save it as UTF-8, or remove it")
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise NsmlError(f"{path} is not text in UTF-8, UTF-16 or CP949; save it as UTF-8, or remove it")


def real_path(path: Path) -> Path:
    """The path with all links resolved. Unlike `Path.resolve` of Python 3.11 and 3.12, a link to itself is no error."""
    return Path(os.path.realpath(path))


def walk(folder: Path, followlinks: bool = False) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk`, but OSError for a folder that cannot be read, and, in all versions of Python, for one that is too deep."""
    waiting = [os.fspath(folder)]
    while waiting:
        root = waiting.pop()
        folders: list[str] = []
        names: list[str] = []
        with os.scandir(root) as entries:
            for entry in entries:
                is_folder = False
                with contextlib.suppress(OSError):  # a link to itself
                    is_folder = entry.is_dir()
                (folders if is_folder else names).append(entry.name)
        yield root, folders, names
        paths = [os.path.join(root, name) for name in reversed(folders)]
        waiting += paths if followlinks else [path for path in paths if not os.path.islink(path)]


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder. Links are not followed."""
    if not path.is_dir():
        return path.lstat().st_size
    return sum((Path(root) / name).lstat().st_size for root, _, names in walk(path) for name in names)


# Errors of mkdir and rename if the name already exists.
_EXISTS = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
# Prefix of a removed folder; its number is never used again.
REMOVED = ".removed-"


def claim_numbered_folder(parent: Path, fill: Callable[[Path], None] | None = None, above: int = 0) -> Path:
    """Create the folder of the next number in `parent`. Creating it claims the number, so no two processes get the same.

    The number is higher than `above`, too.
    `fill(folder)` writes into the folder before it becomes visible.
    """
    make_private(parent)
    with contextlib.ExitStack() as cleared:
        filled = None
        if fill is not None:
            filled = cleared.enter_context(folder_beside(parent))
            fill(filled)
        names = (entry.name.removeprefix(REMOVED) for entry in os.scandir(parent))
        number = max(above, *(int(name) for name in names if name.isdecimal()), 0)
        while True:
            number += 1
            if (parent / f"{REMOVED}{number}").exists():
                continue  # just claimed and removed by another process
            try:
                if filled is None:
                    os.mkdir(parent / str(number), 0o700)
                else:
                    os.rename(filled, parent / str(number))  # fails if that folder exists and is not empty
            except OSError as error:
                if error.errno not in _EXISTS:
                    raise
                continue
            return parent / str(number)
