"""The project's files that a program imports, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path


@cache
def walk(node: ast.AST) -> tuple[ast.AST, ...]:
    """`ast.walk`, cached."""
    return tuple(ast.walk(node))


def imported_modules(tree: ast.Module, file: str) -> Iterator[tuple[str, int]]:
    """The modules that a file imports, as paths without an ending from the project's folder, and the line."""
    for node in walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.replace(".", "/"), node.lineno
        elif isinstance(node, ast.ImportFrom):
            parts = Path(file).parts[: -node.level] if node.level else ()
            base = "/".join([*parts, *(node.module or "").split(".")]).strip("/")
            if base:
                yield base, node.lineno
            # `from package import module` may name a file.
            for alias in node.names:
                yield f"{base}/{alias.name}".strip("/"), node.lineno


def reachable_files(entry: str, parse: Callable[[str], ast.Module | None]) -> Iterator[tuple[str, ast.Module]]:
    """The entry file and the project's files that it imports, directly or through others, each with its tree.

    Args:
        entry: path from the project's folder; modules are looked for there and, as Python does, beside the entry file.
        parse: the tree of a file of the project; None where there is none.
    """
    beside = str(Path(entry).parent)
    roots = ("",) if beside == "." else ("", f"{beside}/")
    visited, waiting = set(), [entry]
    while waiting:
        name = waiting.pop(0)
        if name in visited:
            continue
        visited.add(name)
        if (tree := parse(name)) is None:
            continue
        yield name, tree
        for module, _ in imported_modules(tree, name):
            waiting += [f"{root}{module}{ending}" for root in roots for ending in (".py", "/__init__.py")]
