"""Writing files so that a reader sees the old content or the new, never a half, and reading them back with one clear error."""

from __future__ import annotations

import codecs
import contextlib
import errno
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

from ..errors import Damaged, NsmlError
from .sealing import BLANK, MEMBER, seal, unseal

TEMPORARY = ".tmp-"
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What the files of versions that wrote no checksum begin with.
_UNSEALED = frozenset({"created_at", "format", "home", "name", "packages", "path", "pid", "source", "status", "user"})

_NOT_REGULAR = "no regular file, or behind a link"


def temporary_name(folder: Path) -> Path:
    """A name in `folder` that nobody else uses and that every reader skips."""
    return folder / f"{TEMPORARY}{os.getpid()}-{os.urandom(6).hex()}"


def make_private(folder: Path) -> Path:
    """Make the folder, and the missing ones above it, readable by its owner only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def flush_to_disk(path: Path) -> None:
    """fsync a file or a folder; file systems that cannot sync a folder are left alone."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def open_regular(path: Path, flags: int = os.O_RDONLY, below: Path | None = None) -> int:
    """A descriptor of a file that a program could have put there: a regular one, never what a link leads to.

    Nothing blocks on a pipe, and no folder between `below` (the file's own folder unless given) and the file is a link.

    Raises:
        OSError: there is none, it is no regular file, or a link is on the way.
    """
    top = below or path.parent
    *between, name = path.relative_to(top).parts
    if ".." in between:
        raise OSError(errno.EINVAL, _NOT_REGULAR, str(path))
    folder = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in between:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        file = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600, dir_fd=folder)
    except OSError as error:
        # ENXIO: a pipe without a reader, or a socket. ENOTDIR: a link in place of a folder.
        is_strange = error.errno in (errno.ELOOP, errno.ENXIO, errno.ENOTDIR)
        raise OSError(error.errno, _NOT_REGULAR if is_strange else error.strerror, str(path)) from None
    finally:
        os.close(folder)
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        os.close(file)
        raise OSError(errno.EINVAL, os.strerror(errno.EISDIR) if stat.S_ISDIR(mode) else _NOT_REGULAR, str(path))
    return file


def regular(path: Path, below: Path | None = None) -> BufferedReader:
    """The file opened for reading; see `open_regular`."""
    return open(open_regular(path, os.O_RDONLY, below), "rb")


def read_regular(path: Path, most: int = 1 << 26, below: Path | None = None) -> bytes:
    """The content of a file of at most `most` bytes; see `open_regular`. OSError where there are more."""
    with regular(path, below) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"more than {most:,} bytes", str(path))
    return content


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of a text in UTF-8; what stands for a byte that is none, as in the names of files, is written as that byte."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file by `content`, all or nothing, readable by its owner only."""
    beside = temporary_name(path.parent)
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
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
    """Replace the file by `value` as JSON with a checksum, all or nothing. NaN and infinity are a ValueError."""
    text = json.dumps({MEMBER: BLANK, **value}, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, seal(f"{text}\n"))


def read_json(path: Path, below: Path | None = None) -> dict[str, Any]:
    """The JSON object in the file, see `open_regular`. FileNotFoundError where there is none, Damaged where it is not what was written."""
    try:
        return unseal(read_regular(path, below=below), _UNSEALED)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        reason = (error.strerror or type(error).__name__) if isinstance(error, OSError) else error
        raise Damaged(f"{path} is damaged ({reason}); move it away to go on without it") from None


def is_number(value: object) -> bool:
    """Whether a stored value is a number that a time, a size or a score can be."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300


def visible(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder without temporary and hidden ones, sorted by name; empty where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


@contextlib.contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """A fresh temporary folder in `folder`; whatever is left of it afterwards is removed."""
    beside = temporary_name(folder)
    beside.mkdir(mode=0o700, parents=True)
    try:
        yield beside
    finally:
        remove_tree(beside)


def remove_tree(folder: Path | str) -> None:
    """Remove a folder with all that is in it, as far as that can be done."""
    # Imported here, with the compression modules that come with it, since commands that only look would pay for them.
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def is_utf16(path: Path) -> bool:
    """Whether a file begins with the mark of UTF-16."""
    with open(path, "rb") as file:
        return file.read(2) in _UTF16_MARKS


def read_text(path: Path) -> str:
    """A text that somebody wrote, with newlines as Python has them: UTF-8, UTF-16 with its mark as PowerShell writes it, or CP949.

    Raises:
        NsmlError: it is none of these.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    for encoding in ("utf-16",) if content[:2] in _UTF16_MARKS else ("utf-8-sig", "cp949"):
        with contextlib.suppress(UnicodeDecodeError):
            text = content.decode(encoding)
            if "\0" in text:
                raise NsmlError(f"{path} is no text, it holds a zero byte; save it as UTF-8, or remove it")
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise NsmlError(f"{path} is no text in UTF-8, UTF-16 or CP949; save it as UTF-8, or remove it")


def real_path(path: Path) -> Path:
    """The path without links in it. Unlike `Path.resolve` of Python 3.11 and 3.12 it takes a link to itself."""
    return Path(os.path.realpath(path))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; links are not followed."""
    if not path.is_dir():
        return path.lstat().st_size
    return sum((Path(root) / name).lstat().st_size for root, _, names in os.walk(path) for name in names)


# What making or renaming a folder fails with where something of that name is there.
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
# Marks the number of a folder that was removed, so that it is never given again.
REMOVED = ".removed-"


def claim_numbered_folder(parent: Path, fill: Callable[[Path], None] | None = None) -> Path:
    """Make the folder of the next number in `parent`. The number is claimed by making it, so no two processes get the same.

    `fill(folder)` puts something into the folder before anybody can see it.
    """
    make_private(parent)
    with contextlib.ExitStack() as cleared:
        filled = None
        if fill is not None:
            filled = cleared.enter_context(folder_beside(parent))
            fill(filled)
        names = (entry.name.removeprefix(REMOVED) for entry in os.scandir(parent))
        number = max((int(name) for name in names if name.isdecimal()), default=0)
        while True:
            number += 1
            if (parent / f"{REMOVED}{number}").exists():
                continue  # claimed and removed since the look
            try:
                if filled is None:
                    os.mkdir(parent / str(number), 0o700)
                else:
                    os.rename(filled, parent / str(number))  # never onto a folder that holds anything
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
                continue
            return parent / str(number)
