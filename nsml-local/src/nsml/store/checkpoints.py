"""Checkpoints of a session. Saving is all or nothing: the previous checkpoint stays until the new one is complete.

`checkpoints/<encoded name>@<generation>/` holds `model`, the file or folder that the user's hook wrote, and `checkpoint.json`, a
manifest with the size and SHA-256 of each file. A checkpoint is written under a temporary name, flushed and renamed. Saving a name
again adds a generation, then removes the older one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, repeat
from pathlib import Path
from typing import Any

from ..errors import Damaged, NsmlError
from .copies import data_of
from .files import (
    discard,
    flush_to_disk,
    folder_beside,
    is_number,
    read_json,
    regular,
    temporary_name,
    visible,
    walk,
    write_json,
)
from .names import encode_checkpoint

_MODEL = "model"
_MANIFEST = "checkpoint.json"
_MOST_HOLES = 1 << 32  # bytes; some file systems store zeros as holes
_LARGEST_MANIFEST = 1 << 26  # bytes, some hundred thousand files


@dataclass(frozen=True)
class Checkpoint:
    """One stored checkpoint. `model` is the path for a load hook; times are seconds since the epoch, sizes are bytes."""

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
        """Files beside `model`, from save hooks that use their path as a prefix: `model.npy`, `model.index`."""
        return [
            self.folder / os.path.basename(file["path"]) for file in self.manifest["files"] if _is_beside(file["path"])
        ]

    def holds(self, path: str) -> bool:
        """Whether the save hook wrote the file `path` below `model`."""
        return any(file["path"] == path for file in self.manifest["files"])

    def verify(self, only: str | None = None) -> None:
        """Compare every file, or only the file `only` below `model`, with the size and SHA-256 recorded at save.

        Raises:
            Damaged: the first file that differs.
        """
        self._check_holes()
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

    def _check_holes(self) -> None:
        """Damaged if the files are mostly holes, which a program can make larger than any disk, and which would be read for hours."""
        holes = 0
        for file in self.manifest["files"]:
            path = _place(self.folder, file["path"])
            with contextlib.suppress(OSError):
                status = path.lstat()
                if status.st_size - 512 * status.st_blocks > _MOST_HOLES // 1000:
                    # Asked only now, as it is slower; some file systems count the blocks of a new file later.
                    with regular(path, self._top) as content:
                        holes += status.st_size - sum(
                            end - start for start, end in data_of(content.fileno(), status.st_size)
                        )
        if holes > _MOST_HOLES:
            raise Damaged(
                f"checkpoint {self.name} is damaged: {holes:,} bytes of its files in {self.folder} are holes, which no "
                "save leaves; take another checkpoint"
            )

    def verify_sizes(self) -> None:
        """Compare the sizes of all files without reading them. Damaged names the first missing or different file."""
        for file in self.manifest["files"]:
            path = _place(self.folder, file["path"])
            try:
                same = path.lstat().st_size == file["size"]
            except OSError:
                same = False
            if not same:
                raise self._damaged(path)

    def _damaged(self, path: Path) -> Damaged:
        what = "differs from what was saved" if os.path.lexists(path) else "is missing"
        return Damaged(f"checkpoint {self.name} is damaged: {path} {what}; take another checkpoint")


def store(
    folder: Path, name: str | None, write: Callable[[Path], None], *, elapsed: float, summary: dict[str, Any]
) -> Checkpoint:
    """Store what `write(path)` writes to `path` as checkpoint `name` in `folder`. An error of `write` is passed on; nothing is stored.

    Without a name it is the current time, with `_2` and so on where that is taken, so that it replaces none.
    """
    names = repeat(name) if name is not None else _times()
    with folder_beside(folder) as beside:
        write(beside / _MODEL)
        files = _manifest_of(beside)
        for root, _, _ in walk(beside):
            flush_to_disk(Path(root))
        saved_at = time.time()
        for given in names:
            older = _generations(folder, encode_checkpoint(given))
            if older and name is None:
                continue
            manifest = {
                "name": given,
                "saved_at": saved_at,
                "elapsed": round(elapsed, 3),
                "summary": summary,
                "files": files,
            }
            write_json(beside / _MANIFEST, manifest)
            target = folder / f"{encode_checkpoint(given)}@{max(older, default=0) + 1}"
            try:
                os.rename(beside, target)
                break
            except OSError as error:
                # Another process of the program saved the same name in the meantime.
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
        flush_to_disk(folder)
    for generation in older.values():
        with contextlib.suppress(OSError):  # readers take the newest
            discard(generation)
    return Checkpoint(given, target, manifest)


def _times() -> Iterator[str]:
    """The current time, then the same with _2, _3 and so on."""
    now = time.strftime("%Y-%m-%d_%H-%M-%S")
    yield now
    for number in count(2):
        yield f"{now}_{number}"


def _generations(folder: Path, encoded: str) -> dict[int, Path]:
    generations = {}
    for entry in visible(folder):
        base, mark, generation = entry.name.rpartition("@")
        if mark and base == encoded and generation.isdecimal():
            generations[int(generation)] = Path(entry.path)
    return generations


def _is_beside(path: str) -> bool:
    return path.startswith("../")


def _manifest_of(folder: Path) -> list[dict[str, Any]]:
    """Flush each file that the hook wrote; return path, size and SHA-256 of each.

    Paths are relative to `model`: '' for a single file, '../...' for files beside it.
    """
    model = folder / _MODEL
    _replace_links(folder)
    paths = sorted(Path(root) / name for root, _, files in walk(folder) for name in files)
    files = []
    for path in paths:
        name = "" if path == model else os.path.relpath(path, model)
        digest = _sha256(path, folder)  # refuses a pipe, whose flush would wait for a writer
        flush_to_disk(path)
        files.append({"path": name, "size": path.stat().st_size, "sha256": digest})
    return files


def _replace_links(folder: Path) -> None:
    """Replace each link by a copy of its target, as reading a checkpoint follows no links."""
    import shutil

    for root, folders, files in walk(folder):
        for path in (Path(root, name) for name in [*folders, *files]):
            if path.is_symlink():
                if not path.exists():
                    raise NsmlError(
                        f"{path.name} is a link to {os.readlink(path)}, which does not exist; save the file in its place"
                    )
                copied = temporary_name(folder)
                (shutil.copytree if path.is_dir() else shutil.copyfile)(path, copied)
                path.unlink()
                os.rename(copied, path)


def _sha256(path: Path, top: Path, size: int | None = None) -> str:
    """SHA-256 of a regular file, with no link between `top` and the file; "" if its size is not `size`."""
    import hashlib

    with regular(path, top) as file:
        if size is not None and os.fstat(file.fileno()).st_size != size:
            return ""
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(folder: Path, path: str) -> Path:
    """The location of a manifest's file, whose path is relative to `model`."""
    return Path(os.path.normpath(folder / _MODEL / path))


def list_checkpoints(folder: Path) -> list[Checkpoint | Damaged]:
    """All checkpoints, oldest first; then one error for each with an unreadable manifest, a missing file, or a file of another size."""
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
            if os.path.lexists(path):  # else a newer generation has just replaced it
                bad.append(error)
    return sorted(good, key=lambda c: (c.saved_at, c.name) if isinstance(c, Checkpoint) else (0.0, "")) + bad


def checkpoint_names(folder: Path) -> list[str]:
    """Names of the readable checkpoints in `folder`, oldest first."""
    return [entry.name for entry in list_checkpoints(folder) if isinstance(entry, Checkpoint)]


def read_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in a folder. Only the manifest is read; Damaged if it is damaged."""
    try:
        manifest = read_json(folder / _MANIFEST, folder.parent.parent, _LARGEST_MANIFEST)
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


def _describes_a_file(entry: Any, folder: Path) -> bool:
    """Whether a manifest's entry is valid and names a file inside the checkpoint's folder."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("path"), str)
        and "\0" not in entry["path"]
        and folder in _place(folder, entry["path"]).parents
        and isinstance(entry.get("size"), int)
        and 0 <= entry["size"] < 1 << 60
        and isinstance(entry.get("sha256"), str)
    )


def find_checkpoint(folder: Path, name: str | None, session: str) -> Checkpoint:
    """The checkpoint `name`, or the newest if `name` is None. NsmlError lists the existing checkpoints."""
    while name is not None and (generations := _generations(folder, encode_checkpoint(name))):
        newest = generations[max(generations)]
        try:
            return read_checkpoint(newest)
        except Damaged:
            if os.path.lexists(newest):  # else a newer generation has just replaced it
                raise
    known = [c for c in list_checkpoints(folder) if isinstance(c, Checkpoint)]
    if name is None and known:
        return known[-1]
    if not known:
        raise NsmlError(
            f"session {session} has no checkpoint ('nsml logs {session}' shows how far it is); its program must call nsml.save"
        )
    shown = ", ".join(c.name for c in known[-8:])
    raise NsmlError(f"session {session} has no checkpoint {name!r}; it has {shown}")


def whole_checkpoint(folder: Path, name: str | None, session: str) -> Checkpoint:
    """`find_checkpoint`, with all files verified; Damaged if one differs.

    Without a name, the newest checkpoint that is whole.
    """
    if name is None:
        for checkpoint in reversed([c for c in list_checkpoints(folder) if isinstance(c, Checkpoint)]):
            with contextlib.suppress(Damaged):
                checkpoint.verify()
                return checkpoint
    while True:
        checkpoint = find_checkpoint(folder, name, session)
        try:
            checkpoint.verify()
        except Damaged:
            if os.path.lexists(checkpoint.folder):  # else a newer generation has just replaced it
                raise
        else:
            return checkpoint


def remove_checkpoint(checkpoint: Checkpoint) -> None:
    """Remove a checkpoint; it disappears in one step.

    Older generations go first: a program killed between two saves may have left one, which would show up again.
    """
    folder = checkpoint.folder.parent
    encoded, _, generation = checkpoint.folder.name.rpartition("@")
    for number, older in sorted(_generations(folder, encoded).items()):
        if number < int(generation):
            discard(older)
    discard(checkpoint.folder)


def discard_superseded(folder: Path) -> Iterator[Path]:
    """Remove older generations that a killed program left behind; yield the path of each."""
    for encoded in {entry.name.rpartition("@")[0] for entry in visible(folder)}:
        for _, older in sorted(_generations(folder, encoded).items())[:-1]:
            discard(older)
            yield older
