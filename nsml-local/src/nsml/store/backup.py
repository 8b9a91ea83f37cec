"""A copy of a home in a folder of its own, made while sessions run, and the way back.

    SHA256SUMS    the digest of each file, as `sha256sum --check` reads it
    backup.json   time, home, numbers, and the digest of SHA256SUMS; written last
    home/         the files

Files of a home are replaced in one step or appended to, and folders of checkpoints appear and disappear in one step. So each file of the
copy is whole as of some moment, and a folder is copied until no new name has come. Submissions are copied before the sessions that they
name, and these before their datasets, so that nothing names what is not there.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Damaged, NsmlError, RunFailed, fix_for
from .copies import copy_file
from .files import (
    REMOVED,
    TEMPORARY,
    folder_beside,
    make_private,
    read_json,
    real_path,
    remove_tree,
    sha256_of,
    visible,
    write_json,
    write_text,
)
from .home import Home
from .sessions import ENDED, list_sessions
from .submissions import FAILED, SCORED, close_submission, record_failure

_SUMS, _RECORD, _HOME, _FORMAT = "SHA256SUMS", "backup.json", "home", 1
# In this order, see above. What is not named is made again where it is needed: environments and the queue.
_PARTS = ("home.json", "user.json", "submissions", "ledgers", "sessions", "output", "datasets", "damaged")
# Below these, names are those of programs and organisers, whatever they begin with.
_OF_OTHERS = ("code", "work", "model", "training", "submission", "hidden", "feed", "output", "damaged")


@dataclass
class Counts:
    """What a backup holds. `left_out` are links, pipes, sockets, devices, and what a program made unreadable."""

    files: int = 0
    bytes: int = 0
    left_out: int = 0


def back_up(home: Home, target: Path, on_progress: Callable[[Counts], None] = lambda counts: None) -> Counts:
    """Copy the home to the new folder `target`.

    Raises:
        NsmlError: `target` exists, or lies in the home.
        RunFailed: a file cannot be read or written. Nothing is left of the copy.
    """
    target = target.absolute()
    if os.path.lexists(target):
        raise NsmlError(f"DIR: {target} already exists; name a new folder for each backup")
    if real_path(target).is_relative_to(real_path(home.path)):
        raise NsmlError(f"DIR: {target} lies in {home.path}, the home of nsml; name a folder on another disk")
    counts, sums = Counts(), []
    try:
        make_private(target.parent)
        with folder_beside(target.parent) as beside:
            inside = make_private(beside / _HOME)
            for part in _PARTS:
                # A part may be a link to a folder that several homes share.
                source = real_path(home.path / part)
                if source.is_dir():
                    copied = _copy_folder(source, inside / part, (part,), source, counts, on_progress)
                elif source.is_file():
                    copied = _copy_one(source, inside / part, source.parent, counts)
                else:
                    continue
                sums += [(f"{_HOME}/{path.relative_to(inside)}", digest) for path, digest in copied]
            text = "".join(_sum_line(digest, name) for name, digest in sorted(sums))
            write_text(beside / _SUMS, text)
            os.sync()
            record = {"format": _FORMAT, "created_at": time.time(), "home": str(home.path)}
            write_json(beside / _RECORD, record | vars(counts) | {"sums": sha256_of(beside / _SUMS)})
            os.rename(beside, target)
    except OSError as error:
        raise RunFailed(f"{error.filename or target}: {error.strerror}; {fix_for(error)}") from None
    return counts


def check_backup(source: Path) -> dict[str, Any]:
    """Compare each file of a backup with its digest; return backup.json.

    Raises:
        NsmlError: `source` is no backup.
        Damaged: a file is missing or differs; the message names the first and counts them.
    """
    record, sums = _read(source)
    bad = [name for name, digest in sums if _digest_or_none(source / name) != digest]
    if bad:
        raise Damaged(
            f"{source / bad[0]} is missing or differs, {len(bad)} of {len(sums)} files in all; take another backup"
        )
    return record


def restore(
    source: Path, home: Home, on_progress: Callable[[Counts], None] = lambda counts: None
) -> tuple[Counts, list[str]]:
    """Copy a backup to a home that does not exist yet. What was running is Lost there, as its processes are those of the other home.

    Returns:
        What was copied, and the names of the sessions that were running.

    Raises:
        NsmlError: `source` is no backup, or the home is not empty.
        Damaged: a file is missing or differs. Nothing is restored.
    """
    _, sums = _read(source)
    if home.path.exists() and (not home.path.is_dir() or any(home.path.iterdir())):
        raise NsmlError(f"{home.path} is not empty; name a new folder: NSML_HOME=FOLDER nsml restore DIR")
    counts = Counts()
    try:
        make_private(home.path.parent)
        with folder_beside(home.path.parent) as beside:
            for name, digest in sums:
                copy = beside / name.removeprefix(f"{_HOME}/")
                make_private(copy.parent)
                try:
                    copy_file(source / name, copy, source)
                except FileNotFoundError:
                    raise Damaged(f"{source / name} is missing; take another backup") from None
                if sha256_of(copy) != digest:
                    raise Damaged(f"{source / name} differs from what was backed up; take another backup")
                counts.files += 1
                counts.bytes += copy.stat().st_size
                on_progress(counts)
            for folder in (source / _HOME).rglob("*"):
                if folder.is_dir() and not folder.is_symlink():  # those without files, which keep numbers
                    make_private(beside / folder.relative_to(source / _HOME))
            ended = _end_what_ran(Home(beside))
            os.sync()
            if home.path.exists():
                home.path.rmdir()
            os.rename(beside, home.path)
    except OSError as error:
        raise RunFailed(f"{error.filename or home.path}: {error.strerror}; {fix_for(error)}") from None
    return counts, ended


def _end_what_ran(home: Home) -> list[str]:
    names = []
    for session in list_sessions(home, but_for_ended=True):
        with contextlib.suppress(Damaged):
            if session.status() not in ENDED or session.status() == "Lost":
                session.write_state("Lost", reason="it ran when the backup was made")
                names.append(str(session.name))
    for entry in (entry for dataset in visible(home.submissions) for entry in visible(Path(dataset.path))):
        folder = Path(entry.path)
        if not (folder / "process.json").exists():
            continue
        with contextlib.suppress(Damaged, FileNotFoundError, KeyError):
            launch = read_json(folder / "launch.json")
            if not any((folder / name).exists() for name in (SCORED, FAILED)):
                name = "/".join(str(launch[part]) for part in ("user", "dataset", "number"))
                record_failure(
                    folder,
                    user=str(launch["started_by"]),
                    session=name,
                    checkpoint=str(launch["checkpoint"]),
                    error="the submit ran when the backup was made; submit again",
                )
        close_submission(folder)
    return names


def _copy_folder(
    source: Path, target: Path, place: tuple[str, ...], top: Path, counts: Counts, on_progress: Callable[[Counts], None]
) -> list[tuple[Path, str]]:
    """Copy a folder; return path and digest of each copied file. `place` are the names from the home on."""
    make_private(target)
    copied: list[tuple[Path, str]] = []
    seen: set[str] = set()
    while True:
        # What came while the rest was copied: the generation of a checkpoint that replaced a copied one.
        try:
            names = sorted(set(os.listdir(source)) - seen)
        except FileNotFoundError:
            return copied  # removed meanwhile; the caller sees it
        except PermissionError:
            counts.left_out += 1
            return copied
        if not names:
            return copied
        for name in names:
            seen.add(name)
            path = source / name
            is_ours = not any(part in _OF_OTHERS for part in place)
            if is_ours and (name.startswith(TEMPORARY) or name == ".queue"):
                continue
            if os.path.isdir(path) and not os.path.islink(path):
                if is_ours and name.startswith(REMOVED):
                    make_private(target / name)  # whose name keeps the number
                    continue
                inner = _copy_folder(path, target / name, (*place, name), top, counts, on_progress)
                if os.path.isdir(path):
                    copied += inner
                else:
                    _forget(target / name, counts, inner)
            elif os.path.isfile(path) and (not os.path.islink(path) or place[0] == "datasets"):
                # Of links, only those of datasets come here.
                real = real_path(path) if path.is_symlink() else path
                below = real.parent if path.is_symlink() else top
                try:
                    copied += _copy_one(real, target / name, below, counts)
                except FileNotFoundError:
                    pass  # removed meanwhile
                except PermissionError:
                    counts.left_out += 1
                on_progress(counts)
            else:
                with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                    with contextlib.suppress(PermissionError):
                        os.lstat(path)
                    counts.left_out += 1


def _forget(folder: Path, counts: Counts, copied: list[tuple[Path, str]]) -> None:
    counts.files -= len(copied)
    counts.bytes -= sum(path.stat().st_size for path, _ in copied)
    remove_tree(folder)


def _copy_one(source: Path, target: Path, below: Path, counts: Counts) -> list[tuple[Path, str]]:
    copy_file(source, target, below)
    counts.files += 1
    counts.bytes += target.stat().st_size
    return [(target, sha256_of(target))]


def _digest_or_none(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None


def _sum_line(digest: str, name: str) -> str:
    """As `sha256sum` writes it: a backslash before a line whose name has escapes."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != name else ""
    return f"{mark}{digest}  {escaped}\n"


def _read(source: Path) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """backup.json, and name and digest of each file."""
    try:
        record = read_json(source / _RECORD)
    except FileNotFoundError:
        raise NsmlError(f"DIR: {source} is no backup: it has no {_RECORD}; name the folder of 'nsml backup'") from None
    if record.get("format") != _FORMAT:
        raise NsmlError(
            f"{source} has format {record.get('format')}, this nsml-local reads {_FORMAT}; update nsml-local"
        )
    if _digest_or_none(source / _SUMS) != record.get("sums"):
        raise Damaged(f"{source / _SUMS} differs from what was backed up; take another backup")
    sums = []
    for line in (source / _SUMS).read_bytes().decode("utf-8", "surrogateescape").split("\n")[:-1]:
        digest, _, written = line.removeprefix("\\").partition("  ")
        name = _unescaped(written) if line.startswith("\\") else written
        # As `back_up` writes them. Anything else, as home//tmp/x, could lead out of the new home.
        top, *below = name.split("/")
        if top != _HOME or not below or not {"", ".", ".."}.isdisjoint(below) or "\0" in name:
            raise Damaged(f"{source / _SUMS} names {name!r}, which is not below {_HOME}/; take another backup")
        sums.append((name, digest))
    return record, sums


def _unescaped(name: str) -> str:
    parts = name.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace("\\r", "\r") for part in parts)
