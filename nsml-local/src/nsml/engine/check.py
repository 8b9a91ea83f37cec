"""Find problems that would make a submit fail, from the source alone."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tokenize import detect_encoding

from ..errors import NsmlError
from .entry import doubtful_reserved, missing_reserved
from .imports import imported_modules, reachable_files, walk
from .requirements import Needs, missing_packages, read_needs
from .snapshot import IGNORE_FILE, STANDS_IN, Snapshot

_MUCH = 200 * 1024 * 1024
# Functions that take a path and read nothing.
_MAKE_PATHS = frozenset(
    {
        "join",
        "Path",
        "PurePath",
        "str",
        "print",
        "format",
        "isdir",
        "isfile",
        "exists",
        "is_dir",
        "is_file",
        "joinpath",
        "basename",
        "dirname",
        "abspath",
    }
    | {
        "realpath",
        "resolve",
        "absolute",
        "normpath",
        "expanduser",
        "add_argument",
        "append",
        "update",
        "setdefault",
        "get",
        "Namespace",
        "dict",
    }
)


@dataclass(frozen=True)
class Finding:
    """A problem. `certain`: a submit will fail; else it may fail. `line` is 0 if there is no line."""

    file: str
    line: int
    text: str
    certain: bool = True

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


def check_project(folder: Path, entry: str, snapshot: Snapshot) -> list[Finding]:
    """Problems of a competitor's folder, certain ones first. `snapshot` lists the files that a session gets."""
    findings: list[Finding] = []
    trees: dict[str, ast.Module] = {}
    for name in snapshot.files:
        if name.endswith(".py"):
            tree = _parse(folder, name, findings, certain=name == entry)
            if tree is not None:
                trees[name] = tree
    if entry in trees:
        findings += _calls(trees, entry)
        findings += _arguments(folder, entry, trees)
        findings += _early_data(entry, trees)
    findings += _left_out_modules(folder, trees, snapshot)
    needs = Needs()
    try:
        needs = read_needs(folder)
    except NsmlError as error:
        said = str(error).removeprefix(f"{folder}{os.sep}")
        at_line = re.fullmatch(r"(.+?), line (\d+):? (.*)", said, re.DOTALL)
        name, line, text = at_line.groups() if at_line else (said.split(" ")[0], 0, said.partition(" ")[2])
        findings = [finding for finding in findings if finding.file != name]  # the same of a setup.py
        findings.append(Finding(name, int(line), text))
    findings += _unknown_modules(folder, trees, entry, needs)
    findings += [Finding(file, 0, text, certain=False) for file, _, text in (d.partition(": ") for d in needs.doubts)]
    for name, reason in snapshot.left_out:
        if reason.startswith("larger"):
            findings.append(
                Finding(
                    name, 0, f"is {reason} and is not copied to the session; put data into the dataset", certain=False
                )
            )
    if snapshot.size > _MUCH:
        text = (
            f"{snapshot.size // 10**6} MB are copied for every run; name files that it does not need in {IGNORE_FILE}"
        )
        findings.append(Finding(".", 0, text, certain=False))
    return sorted(findings, key=lambda f: not f.certain)


def _parse(folder: Path, name: str, findings: list[Finding], certain: bool) -> ast.Module | None:
    content = (folder / name).read_bytes()
    # ast ignores wrong encodings in comments, the interpreter does not.
    if encoding := _wrong_encoding(content):
        findings.append(Finding(name, *encoding, certain))
        return None
    try:
        return ast.parse(content)
    except SyntaxError as error:
        findings.append(Finding(name, error.lineno or 0, f"is not Python 3 ({error.msg})", certain))
    except (ValueError, RecursionError, MemoryError):
        findings.append(Finding(name, 0, "cannot be read as Python", certain))
    return None


def _wrong_encoding(content: bytes) -> tuple[int, str] | None:
    """Line and problem of a source whose content does not match its encoding, else None."""
    if b"\0" in content:
        return 0, "contains zero bytes, as UTF-16 does; save it as UTF-8"
    with contextlib.suppress(SyntaxError, UnicodeDecodeError):
        content.decode(detect_encoding(io.BytesIO(content).readline)[0])
        return None
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        try:
            content.decode("cp949")
        except UnicodeDecodeError:
            return line, "is not UTF-8; save it as UTF-8"
        return line, "is CP949, not UTF-8; save it as UTF-8, or begin the file with the line '# -*- coding: cp949 -*-'"
    return None


def _is_call(node: ast.AST, name: str) -> bool:
    """Whether a node calls `nsml.NAME(...)` or `NAME(...)`."""
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
    """The statements of the module outside functions, and those of each function."""
    yield [s for s in tree.body if not isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    for node in walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.body


def _calls(trees: dict[str, ast.Module], entry: str) -> list[Finding]:
    reached = {name for name, _ in reachable_files(entry, trees.get)}
    for name, fix in (
        ("bind", "call nsml.bind(save=..., load=..., infer=...)"),
        ("paused", "call nsml.paused(scope=locals()) after nsml.bind"),
    ):
        callers = {file for file, tree in trees.items() if any(_is_call(node, name) for node in walk(tree))}
        if not callers & reached:
            # If another file calls it, the program may import that file dynamically.
            return [Finding(entry, 0, f"nsml.{name} is never called; {fix}", certain=not callers)]
    binders = _binders(trees)
    findings = []
    for statements in _scopes(trees[entry]):
        nodes = [node for statement in statements for node in walk(statement)]
        paused = min((n.lineno for n in nodes if _is_call(n, "paused") and isinstance(n, ast.Call)), default=None)
        bound = min(
            (n.lineno for n in nodes if isinstance(n, ast.Call) and (_is_call(n, "bind") or _name_of(n) in binders)),
            default=None,
        )
        if paused is not None and bound is not None and paused < bound:
            findings.append(
                Finding(entry, paused, f"nsml.paused is called before nsml.bind (line {bound}); call it after")
            )
    return findings


def _name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _arguments(folder: Path, entry: str, trees: dict[str, ast.Module]) -> list[Finding]:
    findings = []
    if text := missing_reserved(folder, entry):
        findings.append(Finding(entry, 0, text.removeprefix(f"{entry} ")))
    if text := doubtful_reserved(folder, entry):
        findings.append(Finding(entry, 0, text.removeprefix(f"{entry} "), certain=False))
    for node in walk(trees[entry]):
        if not (isinstance(node, ast.Call) and _name_of(node) == "add_argument" and node.args):
            continue
        # A short name may stand first.
        names = {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
        kinds = [k.value for k in node.keywords if k.arg == "type"]
        kind = kinds[0].id if kinds and isinstance(kinds[0], ast.Name) else None
        actions = {k.arg for k in node.keywords}
        if "--mode" in names and kind not in (None, "str"):
            findings.append(
                Finding(entry, node.lineno, f"--mode has the type {kind}, but is given 'test'; give it type=str")
            )
        elif "--pause" in names and "action" in actions:
            findings.append(
                Finding(entry, node.lineno, "--pause takes no value, but is given 1; give it type=int, default=0")
            )
        elif "--pause" in names and kind not in ("int", "float"):
            text = "--pause has no type=int, so '--pause 0' would be true"
            findings.append(Finding(entry, node.lineno, text, certain=False))
        elif "--iteration" in names and kind in ("int", "float"):
            text = (
                f"--iteration has the type {kind}, so a checkpoint named 'best' cannot be submitted; give it type=str"
            )
            findings.append(Finding(entry, node.lineno, text, certain=False))
    return findings


def _unguarded(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run with a statement for any --mode and --pause: not those in bodies of functions or of `if mode == "train":`."""
    yield node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
        return
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and any(_last_name(inner) in ("mode", "pause") for inner in walk(node.test)):
        children = [node.test]
    for child in children:
        yield from _unguarded(child)


def _last_name(node: ast.AST) -> str:
    """The last name of a node: c for `a.b.c`, `c` and `"c"`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
            return name
    return ""


def _names_data(node: ast.AST, side: str) -> bool:
    """Whether an expression names DATASET_PATH and, below it, `side`: "train" or "test"."""
    names = {_last_name(inner) for inner in walk(node) if not isinstance(inner, ast.Constant)}
    texts = [inner.value for inner in walk(node) if isinstance(inner, ast.Constant) and isinstance(inner.value, str)]
    parts = {part for text in texts for part in text.split("/")}
    return ("DATASET_PATH" in names or "NSML_DATASET_PATH" in texts) and not parts.isdisjoint(
        {side, f"{side}_data", f"{side}_label"}
    )


def _early_data(entry: str, trees: dict[str, ast.Module]) -> list[Finding]:
    """Test data named, or training data read, before `paused`: the first is forbidden, and a submit has no training data."""
    functions: dict[str, ast.AST] = {
        node.name: node for tree in trees.values() for node in walk(tree) if isinstance(node, ast.FunctionDef)
    }
    modules = {Path(file).stem for file in trees}
    binders = _binders(trees)
    for statements in _scopes(trees[entry]):
        # The call itself is mostly in `if pause:`.
        outside = [s for s in statements if not isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
        calls = [n for s in outside for n in walk(s) if isinstance(n, ast.Call) and _is_call(n, "paused")]
        paused = min((call.lineno for call in calls), default=None)
        if paused is None:
            continue
        nodes = [n for s in statements for n in _unguarded(s) if getattr(n, "lineno", paused) < paused]
        for node in nodes:
            if isinstance(node, ast.Call | ast.BinOp | ast.JoinedStr) and _names_data(node, "test"):
                text = "the test data are named before nsml.paused; touch them only in infer"
                return [Finding(entry, node.lineno, text, certain=False)]
        paths = _training_paths(walk(trees[entry]))
        for node in nodes:
            if isinstance(node, ast.Call) and _reads_training_data(node, paths, functions, modules, binders):
                text = "the training data are read before nsml.paused, but a submit has none; read them after it, if mode is train"
                return [Finding(entry, node.lineno, text, certain=False)]
    return []


def _training_paths(nodes: Iterable[ast.AST]) -> set[str]:
    """The variables with paths of the training data, including those assigned from other such variables."""
    assignments = [node for node in nodes if isinstance(node, ast.Assign) and _makes_path(node.value)]
    names: set[str] = set()
    while True:
        more = {
            target.id
            for node in assignments
            if _names_data(node.value, "train") or any(_last_name(inner) in names for inner in walk(node.value))
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        if more <= names:
            return names
        names |= more


def _makes_path(value: ast.AST) -> bool:
    return not isinstance(value, ast.Call) or _name_of(value) in _MAKE_PATHS


def _reads_training_data(
    call: ast.Call,
    paths: Collection[str],
    functions: dict[str, ast.AST],
    modules: Collection[str],
    binders: Collection[str],
    depth: int = 3,
) -> bool:
    """Whether a call gets paths of training data, except to build a path, or calls a function that reads training data."""
    name = _name_of(call)
    if name in _MAKE_PATHS or name in binders:
        return False
    parts = [call.func, *call.args, *(keyword.value for keyword in call.keywords)]
    if any(
        _names_data(part, "train") or any(isinstance(n, ast.Name) and n.id in paths for n in walk(part))
        for part in parts
    ):
        return True
    # `load()` or `data.load()` of a module, but not a method.
    of_module = (
        isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) and call.func.value.id in modules
    )
    function = functions.get(name) if of_module or isinstance(call.func, ast.Name) else None
    if function is None or depth == 0:
        return False
    inside = [node for child in ast.iter_child_nodes(function) for node in _unguarded(child)]
    paths = {*paths, *_training_paths(inside)}
    return any(
        isinstance(node, ast.Call) and _reads_training_data(node, paths, functions, modules, binders, depth - 1)
        for node in inside
    )


def reads_training_early(folder: Path, entry: str) -> str:
    """One line on where a program reads training data before `nsml.paused`, or ""."""
    trees = dict(
        reachable_files(entry, lambda name: _parse(folder, name, [], False) if os.path.isfile(folder / name) else None)
    )
    findings = _early_data(entry, trees) if entry in trees else []
    return next((str(finding) for finding in findings if "training" in finding.text), "")


def _unknown_modules(folder: Path, trees: dict[str, ast.Module], entry: str, needs: Needs) -> list[Finding]:
    """Imports at the start of the program that neither the project nor this Python has, if no packages are to be installed."""
    if missing_packages(needs):
        return []
    findings = {}
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
                name in findings
                or name in sys.stdlib_module_names
                or any(os.path.exists(os.path.normpath(p)) for p in beside)
            ):
                continue
            if not _is_installed(name):
                text = f"imports {name}, which is not installed; name its package in requirements.txt"
                findings[name] = Finding(file, line, text, certain=False)
    return list(findings.values())


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _left_out_modules(folder: Path, trees: dict[str, ast.Module], snapshot: Snapshot) -> list[Finding]:
    findings = {}
    for file, tree in trees.items():
        for module, line in imported_modules(tree, file):
            for candidate in (f"{module}.py", f"{module}/__init__.py"):
                if candidate in snapshot.files or not os.path.isfile(
                    folder / candidate
                ):  # also where the name is too long for a file
                    continue
                reason = snapshot.why_not(candidate)
                if reason == STANDS_IN:
                    continue
                text = f"imports {module.replace('/', '.')}, but {candidate} is not copied to the session: {reason}"
                if IGNORE_FILE in reason:
                    text = f"imports {module.replace('/', '.')}, but {IGNORE_FILE} leaves {candidate} out; take it out of {IGNORE_FILE}"
                findings[file, candidate] = Finding(file, line, text)
    return list(findings.values())
