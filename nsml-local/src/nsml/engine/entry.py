"""The entry file: whether it exists, and which of the platform's reserved arguments it takes, read without running it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ..errors import NsmlError

RESERVED = ("mode", "pause", "iteration")
_LARGEST = 2 * 1024 * 1024


def check_entry(folder: Path, entry: str) -> None:
    """NsmlError where `entry` is not a Python file inside `folder`."""
    path = folder / entry
    if Path(entry).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise NsmlError(f"-e {entry}: the entry file must lie inside {folder}")
    if not path.is_file():
        found = sorted(p.name for p in folder.glob("*.py"))[:6]
        there = f"; there are {', '.join(found)}" if found else ""
        raise NsmlError(f"there is no {entry} in {folder}{there}; name the entry file with -e FILE")


def reserved_arguments(folder: Path, files: Iterable[str] | None = None) -> dict[str, bool]:
    """Which of --mode, --pause and --iteration the Python files in `folder` (only `files`, where given) mention as an argument.

    `argparse`, `click`, `absl` and `tf.app.flags` all name an argument in a string, with or without dashes; a file that is found
    to name one by chance costs nothing worse than argparse's own message.
    """
    paths = sorted(folder.rglob("*.py")) if files is None else [folder / name for name in files if name.endswith(".py")]
    text = "\n".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in paths
        if path.is_file() and path.stat().st_size <= _LARGEST
    )
    return {name: bool(re.search(rf"""["'](?:--)?{name}["'=]""", text)) for name in RESERVED} | {
        "parser": bool(re.search(r"parse_args\s*\(|\bflags\.|click\.", text))
    }


def missing_reserved(folder: Path, entry: str, files: Iterable[str] | None = None) -> str | None:
    """One line that says which reserved arguments a program that parses its arguments lacks, else None."""
    found = reserved_arguments(folder, files)
    missing = [f"--{name}" for name in ("mode", "pause") if not found[name]]
    if not missing or not found["parser"]:
        return None
    example = "parser.add_argument('--mode', default='train'); parser.add_argument('--pause', type=int, default=0)"
    return f"{entry} does not take {' and '.join(missing)}, which submit needs; add {example}"


def paused_arguments(folder: Path, checkpoint: str, mode: str | None = None) -> list[str]:
    """The reserved arguments of a program that is to load a checkpoint: those that it takes, none where it parses none."""
    takes = reserved_arguments(folder)
    if not takes["parser"]:
        return []
    values = {"mode": mode, "pause": "1", "iteration": checkpoint}
    return [
        word for name, value in values.items() if takes[name] and value is not None for word in (f"--{name}", value)
    ]
