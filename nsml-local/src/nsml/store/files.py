"""Writing files so that a reader sees the old content or the new, never a half, and reading them back with one clear error."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import Damaged

TEMPORARY = ".tmp-"


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


def write_text(path: Path, text: str) -> None:
    """Replace the file by `text` in UTF-8, all or nothing, readable by its owner only."""
    beside = temporary_name(path.parent)
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    flush_to_disk(path.parent)


def write_json(path: Path, value: object) -> None:
    """Replace the file by `value` as JSON, all or nothing. NaN and infinity are a ValueError."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in the file. FileNotFoundError where there is none, Damaged where it is not a JSON object."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise Damaged(f"{path} is damaged ({_reason(error)}); move it away to go on without it") from None
    if not isinstance(value, dict):
        raise Damaged(f"{path} is damaged (no JSON object); move it away to go on without it")
    return value


def _reason(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "not valid JSON"


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


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; links are not followed."""
    if not path.is_dir():
        return path.lstat().st_size
    return sum((Path(root) / name).lstat().st_size for root, _, names in os.walk(path) for name in names)


# Marks the number of a folder that was removed, so that it is never given again.
REMOVED = ".removed-"


def claim_numbered_folder(parent: Path) -> Path:
    """Make the folder of the next number in `parent`. The number is claimed by making it, so no two processes get the same."""
    names = (entry.name.removeprefix(REMOVED) for entry in os.scandir(make_private(parent)))
    number = max((int(name) for name in names if name.isdecimal()), default=0)
    while True:
        number += 1
        try:
            os.mkdir(parent / str(number), 0o700)
        except FileExistsError:
            continue
        return parent / str(number)
