"""Photographs and other files below a folder."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataprep.header import EXTENSIONS

# Files that the Windows Explorer writes; macOS hides its own by a dot.
_SYSTEM = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Folder:
    """Photographs and other files below a folder, sorted, and for each folder that is left out a line with the reason."""

    photographs: tuple[Path, ...]
    others: tuple[Path, ...]
    problems: tuple[str, ...]


def read_folder(folder: Path) -> Folder:
    """List the files below `folder`. Endings in EXTENSIONS (ignoring case) mark photographs; hidden files are skipped."""
    problems: list[str] = []
    photographs: list[Path] = []
    others: list[Path] = []
    for parent, names in _walk(folder, problems):
        if any(part.startswith(".") for part in parent.relative_to(folder).parts):
            continue
        for name in names:
            if not name.startswith(".") and name.lower() not in _SYSTEM:
                files = photographs if os.path.splitext(name)[1].lower() in EXTENSIONS else others
                files.append(parent / name)
    return Folder(tuple(sorted(photographs)), tuple(sorted(others)), tuple(problems))


def count_endings(paths: Sequence[Path]) -> str:
    """ ".dcm 3, .gif 1, without an ending 2", most frequent first, with hints on those that can be photographs."""
    endings = Counter(path.suffix.lower() or "without an ending" for path in paths)
    counts = ", ".join(f"{ending} {count}" for ending, count in endings.most_common(8))
    more = f" and {len(endings) - 8} more endings" if len(endings) > 8 else ""
    hints = {".dcm": "pip install pydicom to read .dcm", ".heic": "save .heic as JPEG"}
    return "; ".join([f"{counts}{more}", *(hint for ending, hint in hints.items() if ending in endings)])


def _walk(top: Path, problems: list[str]) -> Iterator[tuple[Path, list[str]]]:
    """Each folder below `top` with the names of its files. Links to folders are followed last, and no folder is read twice, so that
    a link to itself or to another class adds no photograph."""

    def failed(error: OSError) -> None:
        problems.append(f"{error.filename}: {error.strerror}")

    visited: set[tuple[int, int]] = set()
    waiting = deque([str(top)])
    while waiting:
        start = waiting.popleft()
        if start != str(top) and Path(os.path.realpath(top)).is_relative_to(os.path.realpath(start)):
            problems.append(f"{start}: a link to a folder that contains it")
            continue
        for parent, folders, names in os.walk(start, onerror=failed):
            status = os.stat(parent)
            if (status.st_dev, status.st_ino) in visited:
                problems.append(f"{parent}: a link to a folder that is already read")
                folders.clear()
                continue
            visited.add((status.st_dev, status.st_ino))
            waiting += [
                os.path.join(parent, name) for name in sorted(folders) if os.path.islink(os.path.join(parent, name))
            ]
            yield Path(parent), names
