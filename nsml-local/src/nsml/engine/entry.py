"""The entry file: check that it exists, and read from its source which reserved arguments of the platform it accepts."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import NsmlError
from ..store.files import real_path
from .imports import reachable_files, walk

RESERVED = ("mode", "pause", "iteration")
_LARGEST = 2 * 1024 * 1024
_GETOPT = ("getopt", "gnu_getopt")
_CONVERT = "convert it with 'jupyter nbconvert --to script"
# Packages that turn arguments of functions or fields of classes into options.
_BY_SIGNATURE = frozenset({"fire", "typer", "plac", "tyro", "defopt", "clize", "jsonargparse", "simple_parsing", "tap"})


def check_entry(folder: Path, entry: str) -> str:
    """The path of `entry` relative to `folder`. NsmlError if it is not a Python file inside the folder."""
    path = folder / entry
    if not real_path(path).is_relative_to(real_path(folder)):
        raise NsmlError(f"-e {entry}: the entry file must be inside {folder}")
    if path.suffix == ".ipynb" and path.is_file():
        raise NsmlError(f"{entry} is a notebook; {_CONVERT} {entry}' and give the .py file")
    if not path.is_file():
        names = sorted(p.name for p in folder.glob("*.py"))[:6]
        there = f"; there are {', '.join(names)}" if names else ""
        if not names and (notebooks := sorted(p.name for p in folder.glob("*.ipynb"))):
            there = f", but a notebook: {_CONVERT} {notebooks[0]}'"
        raise NsmlError(f"there is no {entry} in {folder}{there}; name the entry file with -e FILE")
    return os.path.relpath(real_path(path), real_path(folder)) if Path(entry).is_absolute() else os.path.normpath(entry)


@dataclass(frozen=True)
class Takes:
    """The reserved arguments that a program accepts, according to its source.

    names: the arguments; if there is doubt, those that it gets anyway.
    parses: whether the source uses a parser of arguments.
    doubt: the reason for doubt, or "".
    """

    names: frozenset[str] = frozenset()
    parses: bool = False
    doubt: str = ""


def reserved_arguments(folder: Path, entry: str) -> Takes:
    """Which of --mode, --pause and --iteration the program accepts, read without running it.

    Reads the entry file and its imports in `folder`. If none of them uses arguments, the import of the parser may be dynamic, and all
    Python files are read.
    """
    arguments = _read(_trees(folder, entry))
    if arguments.parses or arguments.names or arguments.doubt:
        return arguments
    return _read(tree for path in sorted(folder.rglob("*.py")) if (tree := _parse(path)) is not None)


def _trees(folder: Path, entry: str) -> Iterator[ast.Module]:
    """The entry file and what it imports in `folder`, without what runs only where such a module is started itself."""
    for name, tree in reachable_files(entry, lambda name: _parse(folder / name)):
        yield tree if name == entry else ast.Module([node for node in tree.body if not _is_for_main(node)], [])


def _is_for_main(node: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == "__main__":`."""
    match node:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()]), orelse=[]):
            return True
    return False


def _parse(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_bytes()) if path.stat().st_size <= _LARGEST else None
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _read(trees: Iterable[ast.Module]) -> Takes:
    names: set[str] = set()
    mentioned: set[str] = set()
    parses = by_hand = literal = computed = False
    for tree in trees:
        nodes = walk(tree)
        names |= {name for name in RESERVED if _takes(tree, name)}
        mentioned |= {name for name in RESERVED if any(_mentions(node, name) for node in nodes)}
        for node in nodes:
            parses = parses or _parses(node)
            by_hand = by_hand or _reads_by_hand(node)
            match node:
                case ast.Call(func=ast.Attribute(attr=function) | ast.Name(id=function)) if _makes_options(function):
                    names_at = node.args[2:3] if function in _GETOPT else node.args[:1]
                    is_literal = any(isinstance(argument, ast.Constant | ast.List) for argument in names_at)
                    literal, computed = literal or is_literal, computed or not is_literal
        if parses and len(names) == len(RESERVED):
            break
    doubt = ""
    if parses and not {"mode", "pause"} <= names and (computed or not literal):
        doubt = "its options are not literals"
    elif not parses and (names or by_hand or "pause" in mentioned):
        doubt = "its parser is unknown"
    if doubt:
        # The platform passed all three to all programs, but a fifth of these refuse --iteration.
        names |= {"mode", "pause"} | (mentioned & {"iteration"})
    return Takes(frozenset(names), parses, doubt)


def _parses(node: ast.AST) -> bool:
    """Whether a node uses a parser: argparse and parsers built on it, optparse, getopt, absl, click, fire..."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return not _imported(node).isdisjoint({"docopt", "click"} | _BY_SIGNATURE)
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name.startswith(("parse_args", "parse_known_args", "DEFINE_")) or name in _GETOPT


def _reads_by_hand(node: ast.AST) -> bool:
    """Whether a node is `sys.argv[1]`, `for word in sys.argv` and the like, but not `parser.parse_args(sys.argv[1:])`."""
    match node:
        case ast.Attribute(value=ast.Name(id="sys"), attr="argv"):
            return True
        case ast.ImportFrom(module="sys"):
            return any(alias.name == "argv" for alias in node.names)
    return False


def _makes_options(function: str) -> bool:
    return function in ("add_argument", "add_option", *_GETOPT) or function.startswith("DEFINE_")


def _mentions(node: ast.AST, name: str) -> bool:
    """Whether a node is a field of a class, a key, a keyword or an attribute of that name: `pause: int = 0`, `options["pause"]`..."""
    match node:
        case ast.Constant(value=text) | ast.keyword(arg=text) | ast.Attribute(attr=text):
            return bool(text == name)
        case ast.AnnAssign(target=ast.Name(id=target)):
            return target == name
        case ast.ClassDef(body=statements):
            assigned = (s.targets for s in statements if isinstance(s, ast.Assign))
            return any(isinstance(t, ast.Name) and t.id == name for targets in assigned for t in targets)
    return False


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    modules = {alias.name.partition(".")[0] for alias in node.names}
    return modules | ({node.module.partition(".")[0]} if isinstance(node, ast.ImportFrom) and node.module else set())


def _takes(tree: ast.Module, name: str) -> bool:
    """Whether a module has an option `--name`: as a string, as the name of a flag, in getopt's list, in docopt's usage, or as an argument
    or field from which fire, typer and similar packages make an option."""
    nodes = walk(tree)
    elsewhere = _words_for_others(nodes)
    imported = {m for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for m in _imported(node)}
    for node in nodes:
        match node:
            case ast.Constant(value=str(text)) if node not in elsewhere:
                if text in (f"--{name}", f"-{name}") or text.startswith(f"--{name}="):
                    return True
                if text == f"{name}=" and "getopt" in imported:
                    return True
                if "docopt" in imported and re.search(rf"--{name}\b", text):
                    return True
            case ast.Call(
                func=ast.Attribute(attr=function) | ast.Name(id=function), args=[ast.Constant(value=first), *_]
            ):
                if function.startswith("DEFINE_") and first == name:
                    return True
            case ast.arg(arg=target) | ast.AnnAssign(target=ast.Name(id=target)):
                if target == name and not imported.isdisjoint(_BY_SIGNATURE):
                    return True
    return False


def _words_for_others(nodes: Iterable[ast.AST]) -> set[ast.AST]:
    """What stands in command lines of other programs: in calls of `subprocess` and `os`, and in lists that begin with an interpreter."""
    starters = {"subprocess", "os"}
    words: set[ast.AST] = set()
    for node in nodes:
        match node:
            case ast.Import(names=names):
                starters |= {alias.asname for alias in names if alias.name in starters and alias.asname}
            case ast.ImportFrom(module="subprocess", names=names):
                starters |= {alias.asname or alias.name for alias in names}
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name)) | ast.Name(id=name)) if name in starters:
                words |= {*walk(node)}
            case ast.List(elts=[first, *_]) | ast.Tuple(elts=[first, *_]) if _is_interpreter(first):
                words |= {*walk(node)}
    return words


def _is_interpreter(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value="python" | "python3") | ast.Attribute(value=ast.Name(id="sys"), attr="executable"):
            return True
    return False


def knows_mode(folder: Path, entry: str, mode: str) -> bool:
    """Whether the program accepts --mode and contains this value as a string, read without running it."""
    if "mode" not in reserved_arguments(folder, entry).names:
        return False
    trees = _trees(folder, entry)
    return any(isinstance(node, ast.Constant) and node.value == mode for tree in trees for node in walk(tree))


def abbreviates_reserved(folder: Path, entry: str, option: str) -> str:
    """The reserved argument that argparse would set by `--OPTION`, of which that is the beginning; "" for none, or where there is doubt."""
    longer = next((name for name in RESERVED if option and name.startswith(option) and name != option), "")
    takes = reserved_arguments(folder, entry) if longer else Takes()
    if longer not in takes.names or takes.doubt:
        return ""
    return "" if any(_takes(tree, option) for tree in _trees(folder, entry)) else longer


def missing_reserved(folder: Path, entry: str) -> str | None:
    """One line on the missing reserved arguments of a program with a parser, else None."""
    takes = reserved_arguments(folder, entry)
    missing = [f"--{name}" for name in ("mode", "pause") if name not in takes.names]
    if not missing or not takes.parses:
        return None
    example = "parser.add_argument('--mode', default='train'); parser.add_argument('--pause', type=int, default=0)"
    return f"{entry} does not accept {' and '.join(missing)}, which submit needs; add {example}"


def doubtful_reserved(folder: Path, entry: str) -> str | None:
    """One line on the arguments that a program in doubt gets, else None."""
    takes = reserved_arguments(folder, entry)
    if not takes.doubt:
        return None
    given = ", ".join(f"--{name}" for name in RESERVED if name in takes.names)
    return f"{entry} has arguments that cannot be read from its source: {takes.doubt}; a submit, fork or resume passes {given}, as NSML did"


def paused_arguments(
    folder: Path, entry: str, own: Sequence[str], checkpoint: str, mode: str | None = None
) -> list[str]:
    """The arguments with which a program loads a checkpoint: its own, and the reserved ones that it accepts, or may accept, see `Takes`."""
    names = reserved_arguments(folder, entry).names
    values = {"mode": mode, "pause": "1", "iteration": checkpoint}
    words = []
    for name, value in values.items():
        if name in names and value is not None:
            # As one word, as a value that begins with a dash looks like an option.
            words += [f"--{name}={value}"] if value.startswith("-") else [f"--{name}", value]
    if any(_takes_options_first(tree) for tree in _trees(folder, entry)):
        return [*words, *_without(names, own)]
    end = own.index("--") if "--" in own else len(own)
    return [*own[:end], *words, *own[end:]]


def _takes_options_first(tree: ast.Module) -> bool:
    """Whether argparse takes the reserved options at the beginning alone: a remainder follows, or subcommands of their parser."""
    nodes = walk(tree)
    below, owners = set[str](), set[str]()
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=parser, attr="add_argument"), args=words) if any(
                isinstance(word, ast.Constant) and word.value in ("--mode", "--pause") for word in words
            ):
                owners.add(ast.unparse(parser))
            case ast.Call(func=ast.Attribute(attr="add_parser"), keywords=keywords):
                parents = (keyword.value for keyword in keywords if keyword.arg == "parents")
                below |= {ast.unparse(each) for parent in parents for each in ast.iter_child_nodes(parent)}
            case ast.Assign(targets=[target], value=ast.Call(func=ast.Attribute(attr="add_parser"))):
                below.add(ast.unparse(target))
            case ast.arg(arg=name):  # which of the parsers it is, only a run would show
                below.add(name)
    if any(isinstance(node, ast.Attribute) and node.attr == "add_subparsers" for node in nodes):
        return bool(owners) and not any(owner in below or "add_parser(" in owner for owner in owners)
    return bool(owners) and any(_is_remainder(node) for node in nodes)


def _is_remainder(node: ast.AST) -> bool:
    """Whether a node is `nargs=argparse.REMAINDER`."""
    match node:
        case ast.keyword(
            arg="nargs", value=ast.Attribute(attr="REMAINDER") | ast.Name(id="REMAINDER") | ast.Constant(value="...")
        ):
            return True
    return False


def _without(names: Collection[str], own: Sequence[str]) -> list[str]:
    """The program's own arguments without reserved ones, of which argparse would take the last."""
    left, words = list[str](), iter(own)
    for word in words:
        if word == "--":
            return [*left, word, *words]
        name, equals, _ = word.partition("=")
        if name.removeprefix("--") not in names or not name.startswith("--"):
            left.append(word)
        elif not equals:
            next(words, None)
    return left
