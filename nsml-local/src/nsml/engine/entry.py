"""The entry file: whether it exists, and which of the platform's reserved arguments it takes, read without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import NsmlError
from ..store.files import real_path
from .imports import reachable_files, walk

RESERVED = ("mode", "pause", "iteration")
_LARGEST = 2 * 1024 * 1024


def check_entry(folder: Path, entry: str) -> None:
    """NsmlError where `entry` is not a Python file inside `folder`."""
    path = folder / entry
    if Path(entry).is_absolute() or not real_path(path).is_relative_to(real_path(folder)):
        raise NsmlError(f"-e {entry}: the entry file must lie inside {folder}")
    if not path.is_file():
        found = sorted(p.name for p in folder.glob("*.py"))[:6]
        there = f"; there are {', '.join(found)}" if found else ""
        raise NsmlError(f"there is no {entry} in {folder}{there}; name the entry file with -e FILE")


@dataclass(frozen=True)
class Takes:
    """Which of the reserved arguments a program takes, and whether it parses arguments at all."""

    names: frozenset[str] = frozenset()
    parses: bool = False


def reserved_arguments(folder: Path, entry: str) -> Takes:
    """Which of --mode, --pause and --iteration the program takes, read without running it.

    The entry file and what it imports of `folder` are read, in that order, until all is found; where none of them parses arguments,
    the import may be one that cannot be seen from here, and every Python file is.
    """
    found = _read(tree for _, tree in reachable_files(entry, lambda name: _parse(folder / name)))
    if found.parses:
        return found
    return _read(tree for path in sorted(folder.rglob("*.py")) if (tree := _parse(path)) is not None)


def _parse(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_bytes()) if path.stat().st_size <= _LARGEST else None
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _read(trees: Iterable[ast.Module]) -> Takes:
    names: set[str] = set()
    parses = False
    for tree in trees:
        names |= {name for name in RESERVED if _takes(tree, name)}
        parses = parses or any(_parses(node) for node in walk(tree))
        if parses and len(names) == len(RESERVED):
            break
    return Takes(frozenset(names), parses)


def _parses(node: ast.AST) -> bool:
    """Whether a node is where `argparse`, `absl`, `tf.app.flags`, `click`, `fire` or `docopt` come in."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        modules = {alias.name.partition(".")[0] for alias in node.names} | {getattr(node, "module", None)}
        return not modules.isdisjoint({"click", "fire", "docopt"})
    return isinstance(node, ast.Attribute) and (node.attr.startswith(("parse_args", "parse_known_args", "DEFINE_")))


def _takes(tree: ast.Module, name: str) -> bool:
    """`--name` as a text of its own, as the name of a flag, in the usage that docopt reads, or as an argument that fire calls with."""
    nodes = walk(tree)
    imported = {
        alias.name for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    } | {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    for node in nodes:
        match node:
            case ast.Constant(value=str(text)):
                if text in (f"--{name}", f"-{name}") or text.startswith(f"--{name}="):
                    return True
                if "docopt" in imported and re.search(rf"--{name}\b", text):
                    return True
            case ast.Call(func=ast.Attribute(attr=function), args=[ast.Constant(value=first), *_]):
                if function.startswith("DEFINE_") and first == name:
                    return True
            case ast.arg(arg=argument):
                if "fire" in imported and argument == name:
                    return True
    return False


def knows_mode(folder: Path, entry: str, mode: str) -> bool:
    """Whether the program takes --mode and names this value of it somewhere, read without running it."""
    if "mode" not in reserved_arguments(folder, entry).names:
        return False
    trees = (tree for _, tree in reachable_files(entry, lambda name: _parse(folder / name)))
    return any(isinstance(node, ast.Constant) and node.value == mode for tree in trees for node in walk(tree))


def missing_reserved(folder: Path, entry: str) -> str | None:
    """One line that says which reserved arguments a program that parses its arguments lacks, else None."""
    takes = reserved_arguments(folder, entry)
    missing = [f"--{name}" for name in ("mode", "pause") if name not in takes.names]
    if not missing or not takes.parses:
        return None
    example = "parser.add_argument('--mode', default='train'); parser.add_argument('--pause', type=int, default=0)"
    return f"{entry} does not take {' and '.join(missing)}, which submit needs; add {example}"


def paused_arguments(folder: Path, entry: str, checkpoint: str, mode: str | None = None) -> list[str]:
    """The reserved arguments of a program that is to load a checkpoint: those that it takes, none where it parses none."""
    takes = reserved_arguments(folder, entry)
    if not takes.parses:
        return []
    values = {"mode": mode, "pause": "1", "iteration": checkpoint}
    return [
        word
        for name, value in values.items()
        if name in takes.names and value is not None
        for word in (f"--{name}", value)
    ]
