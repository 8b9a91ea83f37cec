"""The files beside an organiser's `data_loader.py` that programs can read, as the loader runs in the competitor's process."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.machinery import all_suffixes
from pathlib import Path

from .photographs import looks_like_labels


def needed_by_loader(evaluation: Path) -> set[str]:
    """Names of `data_loader.py` and of the files beside it that it uses, directly or through others.

    A module or a folder is used if a program imports it or names it in a string, any other file if a string holds its whole name. Other
    files may hold answers and must not reach the competitor's process.
    """
    others = {path for path in evaluation.iterdir() if path.name not in ("evaluation.py", "test_label")}
    waiting = {path for path in others if path.name == "data_loader.py"}
    needed = set()
    while waiting:
        path = waiting.pop()
        needed.add(path)
        programs = path.rglob("*.py") if path.is_dir() else [path] if path.suffix == ".py" else []
        named = {name for program in programs for name in _names_in(program)}
        waiting |= {
            other for other in others - needed if other.name in named or (_is_module(other) and other.stem in named)
        }
    return {path.name for path in needed}


def _is_module(path: Path) -> bool:
    return path.is_dir() or path.suffix in all_suffixes()


def _names_in(program: Path) -> set[str]:
    """Modules that a program imports, and words in its strings: `means`, `npy` and `means.npy` for `load("/x/means.npy")`.

    What stands by itself, as a docstring, is for people.
    """
    text = program.read_text(encoding="utf-8", errors="replace")
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(re.findall(r"[\w.-]+", text)) | set(re.findall(r"\w+", text))  # Python 2
    said = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    names: set[str] = set()
    for node in nodes:
        match node:
            case ast.Import(names=aliases):
                names.update(part for alias in aliases for part in alias.name.split("."))
            case ast.ImportFrom(module=module, names=aliases):
                names.update((module or "").split("."), (alias.name for alias in aliases))
            case ast.Constant(value=str(words)) if id(node) not in said:
                names.update(re.findall(r"[\w.-]+", words), re.findall(r"\w+", words))
    return names


def answers_beside(feed: Path, labels: Path) -> str:
    """Says which file in `feed`, the folder of the loader, is named as labels are or holds those of the label file; "" if none is."""
    files = sorted(path for path in feed.rglob("*") if path.is_file())
    answers = set(_answers(labels)) if files and labels.is_file() else set()
    for path in files:
        inside = path.relative_to(feed)
        if any(map(looks_like_labels, inside.parts)) or (answers and not answers.difference(_answers(path))):
            return (
                f"evaluation/{inside.as_posix()} looks like labels, and programs can read it, as data_loader.py uses it; take its name "
                "out of the loader, or rename it if it holds no answers"
            )
    return ""


def _answers(path: Path) -> Iterator[tuple[bytes, ...]]:
    """FILE and LABEL of each line."""
    with open(path, "rb") as lines:
        yield from (tuple(line.strip().rsplit(b",", 2)[-2:]) for line in lines if b"," in line)
