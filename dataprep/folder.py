"""The photographs below a folder, and what else lies there."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataprep.header import EXTENSIONS

# What Windows leaves in folders that somebody looked at; macOS and others hide theirs by a dot.
_SYSTEM = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Folder:
    """The photographs below a folder, sorted, the other files there, and a line for each folder that is left out, with the reason."""

    photographs: tuple[Path, ...]
    others: tuple[Path, ...]
    problems: tuple[str, ...]


def read_folder(folder: Path) -> Folder:
    """What lies below `folder`: files with an ending of EXTENSIONS, in any case, are photographs; hidden ones are not looked at."""
    problems: list[str] = []
    photographs: list[Path] = []
    others: list[Path] = []
    for parent, names in _walk(folder, problems):
        if any(part.startswith(".") for part in parent.relative_to(folder).parts):
            continue
        for name in names:
            if not name.startswith(".") and name.lower() not in _SYSTEM:
                found = photographs if os.path.splitext(name)[1].lower() in EXTENSIONS else others
                found.append(parent / name)
    return Folder(tuple(sorted(photographs)), tuple(sorted(others)), tuple(problems))


def count_endings(paths: Sequence[Path]) -> str:
    """ ".dcm 3, .gif 1, without an ending 2", the most frequent first; with a hint at what reads DICOM."""
    endings = Counter(path.suffix.lower() or "without an ending" for path in paths)
    counts = ", ".join(f"{ending} {count}" for ending, count in endings.most_common(8))
    more = f" and {len(endings) - 8} endings more" if len(endings) > 8 else ""
    hint = "; pip install pydicom to read .dcm" if ".dcm" in endings else ""
    return f"{counts}{more}{hint}"


def _walk(top: Path, problems: list[str]) -> Iterator[tuple[Path, list[str]]]:
    """Each folder below `top`, and the names of its files. Links to folders are followed after all that is no link, and nothing is
    read twice, so that a link to itself, or to another class, multiplies no photograph."""
    seen: set[tuple[int, int]] = set()
    waiting = deque([str(top)])
    while waiting:
        start = waiting.popleft()
        if start != str(top) and Path(os.path.realpath(top)).is_relative_to(os.path.realpath(start)):
            problems.append(f"{start}: a link to a folder that holds it")
            continue
        for parent, folders, names in os.walk(start, onerror=lambda error: problems.append(_line(error))):
            status = os.stat(parent)
            if (status.st_dev, status.st_ino) in seen:
                problems.append(f"{parent}: a link to a folder that is read already")
                folders.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            waiting += [
                os.path.join(parent, name) for name in sorted(folders) if os.path.islink(os.path.join(parent, name))
            ]
            yield Path(parent), names


def _line(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}"
