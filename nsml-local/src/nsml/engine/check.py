"""What would fail at submit, told from the source before anything is run."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .entry import doubtful_reserved, missing_reserved
from .imports import imported_modules, reachable_files, walk
from .requirements import missing_packages, read_needs
from .snapshot import IGNORE_FILE, Snapshot

_MUCH = 200 * 1024 * 1024


@dataclass(frozen=True)
class Finding:
    """`certain`: a submit fails by it; else it may. `line` is 0 where no line is meant."""

    file: str
    line: int
    text: str
    certain: bool = True

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


def check_project(folder: Path, entry: str, travelling: Snapshot) -> list[Finding]:
    """What is found in a competitor's folder, of which `travelling` travels; the certain things first."""
    found: list[Finding] = []
    trees: dict[str, ast.Module] = {}
    for name in travelling.files:
        if name.endswith(".py"):
            tree = _parse(folder, name, found, certain=name == entry)
            if tree is not None:
                trees[name] = tree
    if entry in trees:
        found += _calls(trees, entry)
        found += _arguments(folder, entry, trees)
        found += _early_test_data(entry, trees[entry])
    found += _left_out_modules(folder, trees, set(travelling.files))
    found += _unknown_modules(folder, trees, entry)
    for name, reason in travelling.left_out:
        if reason.startswith("larger"):
            found.append(Finding(name, 0, f"is {reason} and does not travel; keep data in the dataset", certain=False))
    if travelling.size > _MUCH:
        text = f"{travelling.size // 10**6} MB travel with every run; name what need not in {IGNORE_FILE}"
        found.append(Finding(".", 0, text, certain=False))
    return sorted(found, key=lambda f: not f.certain)


def _parse(folder: Path, name: str, found: list[Finding], certain: bool) -> ast.Module | None:
    try:
        return ast.parse((folder / name).read_bytes())
    except SyntaxError as error:
        found.append(Finding(name, error.lineno or 0, f"is not Python 3 ({error.msg})", certain))
    except (ValueError, RecursionError, MemoryError):
        found.append(Finding(name, 0, "cannot be read as Python", certain))
    return None


def _is_call(node: ast.AST, name: str) -> bool:
    """Whether a node calls `nsml.NAME(...)`, or NAME where it was imported by itself."""
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr == name and isinstance(function.value, ast.Name) and "nsml" in function.value.id.lower()
    return isinstance(function, ast.Name) and function.id == name


def _called_names(node: ast.AST) -> Iterator[tuple[str, int]]:
    for inner in walk(node):
        if isinstance(inner, ast.Call):
            function = inner.func
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            yield name, inner.lineno


def _binders(trees: dict[str, ast.Module]) -> set[str]:
    """Names of functions and methods that call `nsml.bind`, or call one that does."""
    functions: dict[str, list[ast.AST]] = {}
    for tree in trees.values():
        for node in walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.setdefault(node.name, []).append(node)
    binders = {
        n for n, nodes in functions.items() if any(_is_call(inner, "bind") for node in nodes for inner in walk(node))
    }
    while True:
        more = {
            name
            for name, nodes in functions.items()
            if name not in binders and any(called in binders for node in nodes for called, _ in _called_names(node))
        }
        if not more:
            return binders
        binders |= more


def _scopes(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    """The module's own statements, and each function's."""
    yield [s for s in tree.body if not isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    for node in walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.body


def _calls(trees: dict[str, ast.Module], entry: str) -> list[Finding]:
    reached = {name for name, _ in reachable_files(entry, trees.get)}
    for name, mend in (
        ("bind", "call nsml.bind(save=..., load=..., infer=...)"),
        ("paused", "call nsml.paused(scope=locals()) after nsml.bind"),
    ):
        callers = {file for file, tree in trees.items() if any(_is_call(node, name) for node in walk(tree))}
        if not callers & reached:
            # Where another file calls it, the program may import that in a way that cannot be seen from here.
            return [Finding(entry, 0, f"nsml.{name} is never called; {mend}", certain=not callers)]
    binders = _binders(trees)
    found = []
    for statements in _scopes(trees[entry]):
        nodes = [node for statement in statements for node in walk(statement)]
        paused = min((n.lineno for n in nodes if _is_call(n, "paused") and isinstance(n, ast.Call)), default=None)
        bound = min(
            (n.lineno for n in nodes if isinstance(n, ast.Call) and (_is_call(n, "bind") or _name_of(n) in binders)),
            default=None,
        )
        if paused is not None and bound is not None and paused < bound:
            found.append(
                Finding(entry, paused, f"nsml.paused is called before nsml.bind (line {bound}); call it after")
            )
    return found


def _name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _arguments(folder: Path, entry: str, trees: dict[str, ast.Module]) -> list[Finding]:
    found = []
    if text := missing_reserved(folder, entry):
        found.append(Finding(entry, 0, text.removeprefix(f"{entry} ")))
    if text := doubtful_reserved(folder, entry):
        found.append(Finding(entry, 0, text.removeprefix(f"{entry} "), certain=False))
    for node in walk(trees[entry]):
        if not (isinstance(node, ast.Call) and _name_of(node) == "add_argument" and node.args):
            continue
        first = node.args[0]
        name = first.value if isinstance(first, ast.Constant) else None
        kinds = [k.value for k in node.keywords if k.arg == "type"]
        kind = kinds[0].id if kinds and isinstance(kinds[0], ast.Name) else None
        actions = {k.arg for k in node.keywords}
        if name == "--mode" and kind not in (None, "str"):
            found.append(
                Finding(entry, node.lineno, f"--mode has the type {kind}, but is given 'test'; give it type=str")
            )
        elif name == "--pause" and "action" in actions:
            found.append(
                Finding(entry, node.lineno, "--pause takes no value, but is given 1; give it type=int, default=0")
            )
        elif name == "--pause" and kind not in ("int", "float"):
            text = "--pause has no type=int, so '--pause 0' would be true"
            found.append(Finding(entry, node.lineno, text, certain=False))
        elif name == "--iteration" and kind in ("int", "float"):
            text = (
                f"--iteration has the type {kind}, so a checkpoint named 'best' cannot be submitted; give it type=str"
            )
            found.append(Finding(entry, node.lineno, text, certain=False))
    return found


def _early_test_data(entry: str, tree: ast.Module) -> list[Finding]:
    """Statements that name DATASET_PATH and the test data in front of `paused`, where no test data may be touched."""
    for statements in _scopes(tree):
        lines = [n.lineno for s in statements for n in walk(s) if isinstance(n, ast.Call) and _is_call(n, "paused")]
        if not lines:
            continue
        for statement in statements:
            for node in walk(statement):
                if not isinstance(node, ast.Call | ast.BinOp | ast.JoinedStr) or node.lineno >= min(lines):
                    continue
                inner = list(walk(node))
                names = {n.id for n in inner if isinstance(n, ast.Name)} | {
                    n.attr for n in inner if isinstance(n, ast.Attribute)
                }
                texts = [n.value for n in inner if isinstance(n, ast.Constant) and isinstance(n.value, str)]
                if "DATASET_PATH" in names and any("test" in text.split("/") or "test_data" in text for text in texts):
                    text = "the test data are named before nsml.paused; touch them only in infer"
                    return [Finding(entry, node.lineno, text, certain=False)]
    return []


def _unknown_modules(folder: Path, trees: dict[str, ast.Module], entry: str) -> list[Finding]:
    """What the program imports at its start and neither the project nor this Python has, where nothing is to be installed."""
    if missing_packages(read_needs(folder)):
        return []
    found = {}
    for file, tree in reachable_files(entry, trees.get):
        plain = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
        for module, line in imported_modules(plain, file):
            name = module.partition("/")[0]
            beside = (
                folder / name,
                folder / f"{name}.py",
                folder / file / ".." / name,
                folder / file / ".." / f"{name}.py",
            )
            if (
                name in found
                or name in sys.stdlib_module_names
                or any(os.path.exists(os.path.normpath(p)) for p in beside)
            ):
                continue
            if not _is_installed(name):
                text = f"imports {name}, which is not installed; name its package in requirements.txt"
                found[name] = Finding(file, line, text, certain=False)
    return list(found.values())


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _left_out_modules(folder: Path, trees: dict[str, ast.Module], travelling: set[str]) -> list[Finding]:
    found = {}
    for file, tree in trees.items():
        for module, line in imported_modules(tree, file):
            for candidate in (f"{module}.py", f"{module}/__init__.py"):
                if (folder / candidate).is_file() and candidate not in travelling:
                    name = module.replace("/", ".")
                    text = f"imports {name}, but {IGNORE_FILE} leaves {candidate} out; take it out of {IGNORE_FILE}"
                    found[file, candidate] = Finding(file, line, text)
    return list(found.values())
