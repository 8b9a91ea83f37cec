"""Checkpoints of a session: whole or absent, and the one before survives until the new one is whole.

`checkpoints/<encoded name>@<generation>/` holds `model`, the file or folder that the user's hook wrote, and `checkpoint.json`, a
manifest with the size and SHA-256 of each file. A checkpoint is written under a temporary name, flushed and renamed; saving a name
again adds a generation and only then removes the older one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Damaged, NsmlError
from .files import (
    flush_to_disk,
    folder_beside,
    is_number,
    read_json,
    regular,
    remove_tree,
    temporary_name,
    visible,
    write_json,
)
from .names import encode_checkpoint

_MODEL = "model"
_MANIFEST = "checkpoint.json"


@dataclass(frozen=True)
class Checkpoint:
    """One stored checkpoint. `model` is the path that a load hook gets; times are seconds since the epoch, sizes bytes."""

    name: str
    folder: Path
    manifest: dict[str, Any]

    @property
    def model(self) -> Path:
        return self.folder / _MODEL

    @property
    def _top(self) -> Path:
        return self.folder.parent.parent

    @property
    def saved_at(self) -> float:
        return float(self.manifest["saved_at"])

    @property
    def elapsed(self) -> float:
        return float(self.manifest["elapsed"])

    @property
    def summary(self) -> dict[str, Any]:
        return dict(self.manifest["summary"])

    @property
    def size(self) -> int:
        return sum(int(file["size"]) for file in self.manifest["files"])

    @property
    def beside(self) -> list[Path]:
        """Files that a save hook wrote by using its path as the beginning of their names: `model.npy`, `model.index`."""
        return [
            self.folder / os.path.basename(file["path"]) for file in self.manifest["files"] if _is_beside(file["path"])
        ]

    def holds(self, path: str) -> bool:
        """Whether the save hook wrote a file of that path below `model`."""
        return any(file["path"] == path for file in self.manifest["files"])

    def verify(self, only: str | None = None) -> None:
        """Compare every file, or the one of that path below `model`, with the size and SHA-256 recorded when it was saved.

        Damaged names the first that differs.
        """
        for file in self.manifest["files"]:
            if only is not None and file["path"] != only:
                continue
            path = _place(self.folder, file["path"])
            try:
                same = _sha256(path, self._top, file["size"]) == file["sha256"]
            except OSError:
                same = False
            if not same:
                raise self._damaged(path)

    def verify_sizes(self) -> None:
        """`verify` without reading the files: Damaged names the first that is missing or of another size."""
        for file in self.manifest["files"]:
            path = _place(self.folder, file["path"])
            try:
                same = path.lstat().st_size == file["size"]
            except OSError:
                same = False
            if not same:
                raise self._damaged(path)

    def _damaged(self, path: Path) -> Damaged:
        what = "is not what was saved" if os.path.lexists(path) else "is gone"
        return Damaged(f"checkpoint {self.name} is damaged: {path} {what}; take another checkpoint")


def store(
    folder: Path, name: str, write: Callable[[Path], None], *, elapsed: float, summary: dict[str, Any]
) -> Checkpoint:
    """Keep what `write(path)` leaves at `path` as checkpoint `name` in `folder`. What `write` raises is raised; nothing is kept then."""
    encoded = encode_checkpoint(name)
    with folder_beside(folder) as beside:
        write(beside / _MODEL)
        files = _manifest_of(beside)
        manifest = {
            "name": name,
            "saved_at": time.time(),
            "elapsed": round(elapsed, 3),
            "summary": summary,
            "files": files,
        }
        write_json(beside / _MANIFEST, manifest)
        for root, _, _ in os.walk(beside / _MODEL):
            flush_to_disk(Path(root))
        while True:
            older = _generations(folder, encoded)
            target = folder / f"{encoded}@{max(older, default=0) + 1}"
            try:
                os.rename(beside, target)
                break
            except OSError as error:
                # Another process of the program has saved the same name meanwhile.
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
        flush_to_disk(folder)
    for generation in older.values():
        with contextlib.suppress(OSError):  # readers take the newest
            _discard(generation)
    return Checkpoint(name, target, manifest)


def _discard(folder: Path) -> None:
    """Take a generation out of sight in one step before its files are removed one by one. OSError where that cannot be done."""
    hidden = temporary_name(folder.parent)
    with contextlib.suppress(FileNotFoundError):  # somebody else was first
        os.rename(folder, hidden)
    remove_tree(hidden)


def _generations(folder: Path, encoded: str) -> dict[int, Path]:
    found = {}
    for entry in visible(folder):
        base, mark, generation = entry.name.rpartition("@")
        if mark and base == encoded and generation.isdecimal():
            found[int(generation)] = Path(entry.path)
    return found


def _is_beside(path: str) -> bool:
    return path.startswith("../")


def _manifest_of(folder: Path) -> list[dict[str, Any]]:
    """Size and SHA-256 of each file that the hook wrote, flushed to disk on the way.

    Paths are relative to `model`: that of a single file is '', those of files beside it begin with '../'.
    """
    model = folder / _MODEL
    _copy_what_links_lead_to(folder)
    paths = sorted(Path(root) / name for root, _, files in os.walk(folder) for name in files)
    files = []
    for path in paths:
        name = "" if path == model else os.path.relpath(path, model)
        flush_to_disk(path)
        files.append({"path": name, "size": path.stat().st_size, "sha256": _sha256(path, folder)})
    return files


def _copy_what_links_lead_to(folder: Path) -> None:
    """In place of each link: a checkpoint is read without following any."""
    import shutil

    for root, folders, files in os.walk(folder):
        for path in (Path(root, name) for name in [*folders, *files]):
            if path.is_symlink():
                copied = temporary_name(folder)
                (shutil.copytree if path.is_dir() else shutil.copyfile)(path, copied)
                path.unlink()
                os.rename(copied, path)


def _sha256(path: Path, top: Path, size: int | None = None) -> str:
    """Of a regular file, with no link on the way from `top`; "" where it is of another size."""
    import hashlib

    with regular(path, top) as file:
        if size is not None and os.fstat(file.fileno()).st_size != size:
            return ""
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(folder: Path, path: str) -> Path:
    """Where a file of a manifest lies, whose path is relative to `model`."""
    return Path(os.path.normpath(folder / _MODEL / path))


def list_checkpoints(folder: Path) -> list[Checkpoint | Damaged]:
    """The checkpoints by the time they were saved, oldest first; last, of each that cannot be read, or of which a file is missing or of
    another size, its error."""
    newest: dict[str, tuple[int, Path]] = {}
    for entry in visible(folder):
        base, mark, generation = entry.name.rpartition("@")
        if mark and generation.isdecimal() and int(generation) > newest.get(base, (0, None))[0]:
            newest[base] = (int(generation), Path(entry.path))
    good: list[Checkpoint | Damaged] = []
    bad: list[Checkpoint | Damaged] = []
    for _, path in newest.values():
        try:
            checkpoint = read_checkpoint(path)
            checkpoint.verify_sizes()
            good.append(checkpoint)
        except Damaged as error:
            if path.exists():  # else a newer one has taken its place since the look
                bad.append(error)
    return sorted(good, key=lambda c: (c.saved_at, c.name) if isinstance(c, Checkpoint) else (0.0, "")) + bad


def checkpoint_names(folder: Path) -> list[str]:
    """The names of the checkpoints in `folder` that can be read, in the order in which they were saved."""
    return [entry.name for entry in list_checkpoints(folder) if isinstance(entry, Checkpoint)]


def read_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in a folder, its files unread. Damaged where its manifest is."""
    try:
        manifest = read_json(folder / _MANIFEST, folder.parent.parent)
    except FileNotFoundError:
        raise Damaged(f"checkpoint in {folder} has no {_MANIFEST}; take another checkpoint") from None
    files = manifest.get("files")
    if not (
        isinstance(manifest.get("name"), str)
        and all(is_number(manifest.get(key)) for key in ("saved_at", "elapsed"))
        and isinstance(manifest.get("summary"), dict)
        and isinstance(files, list)
        and all(_describes_a_file(file, folder) for file in files)
    ):
        raise Damaged(f"{folder / _MANIFEST} is damaged; take another checkpoint")
    return Checkpoint(manifest["name"], folder, manifest)


def _describes_a_file(found: Any, folder: Path) -> bool:
    """Whether an entry of a manifest names a file inside the checkpoint's folder."""
    return (
        isinstance(found, dict)
        and isinstance(found.get("path"), str)
        and "\0" not in found["path"]
        and folder in _place(folder, found["path"]).parents
        and isinstance(found.get("size"), int)
        and isinstance(found.get("sha256"), str)
    )


def find_checkpoint(folder: Path, name: str | None, session: str) -> Checkpoint:
    """The checkpoint of that name, or the newest where none is named; NsmlError names those that exist."""
    while name is not None and (generations := _generations(folder, encode_checkpoint(name))):
        newest = generations[max(generations)]
        try:
            return read_checkpoint(newest)
        except Damaged:
            if newest.exists():  # else a newer one has taken its place since the look
                raise
    known = [c for c in list_checkpoints(folder) if isinstance(c, Checkpoint)]
    if name is None and known:
        return known[-1]
    if not known:
        raise NsmlError(f"session {session} has no checkpoint; its program must call nsml.save")
    shown = ", ".join(c.name for c in known[-8:])
    raise NsmlError(f"session {session} has no checkpoint {name!r}; it has {shown}")


def whole_checkpoint(folder: Path, name: str | None, session: str) -> Checkpoint:
    """`find_checkpoint`, with every file compared to what was saved; Damaged where one differs.

    Where none is named it is the newest that is whole.
    """
    if name is None:
        for kept in reversed([c for c in list_checkpoints(folder) if isinstance(c, Checkpoint)]):
            with contextlib.suppress(Damaged):
                kept.verify()
                return kept
    while True:
        found = find_checkpoint(folder, name, session)
        try:
            found.verify()
        except Damaged:
            if found.folder.exists():  # else a newer one has taken its place since the look
                raise
        else:
            return found


def remove_checkpoint(checkpoint: Checkpoint) -> None:
    """Remove a checkpoint, out of sight in one step.

    What was saved before it under its name goes first: a program that was killed between two saves may have left it, and it would be
    in sight again.
    """
    folder = checkpoint.folder.parent
    encoded, _, generation = checkpoint.folder.name.rpartition("@")
    for number, older in sorted(_generations(folder, encoded).items()):
        if number < int(generation):
            _discard(older)
    _discard(checkpoint.folder)


def discard_superseded(folder: Path) -> Iterator[Path]:
    """Remove, and name, what was saved before the newest of each name and should have gone when that was saved."""
    for encoded in {entry.name.rpartition("@")[0] for entry in visible(folder)}:
        for _, older in sorted(_generations(folder, encoded).items())[:-1]:
            _discard(older)
            yield older
