"""The packages that a project needs: setup.py, requirements.txt and nsml_package.txt, read without running them."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import NsmlError
from ..store.files import read_text, real_path

_IMAGE = re.compile(r"^\s*#\s*nsml\s*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OPTION = re.compile(r"(--[a-z-]+|-[a-zA-Z])(?:\s*=\s*|\s*)(.*)")
_COMMENT = re.compile(r"(^|\s)#.*")
_INCLUDES = ("-r", "--requirement")
_EDITABLE = ("-e", "--editable")
_CONSTRAINTS, _WHEELS = ("-c", "--constraint"), ("-f", "--find-links")
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2")
# Distributions with the same modules; each satisfies a requirement of the other.
_SAME = {
    "opencv-python": ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
    "opencv-contrib-python": ("opencv-contrib-python-headless",),
    "tensorflow-gpu": ("tensorflow", "tensorflow-cpu"),
    "tensorflow": ("tensorflow-cpu",),
    "sklearn": ("scikit-learn",),
}
# Replacements that pip can install.
_RENAMED = {"tensorflow-gpu": "tensorflow", "sklearn": "scikit-learn"}
# Part of Python or of every environment, but required in old setup.py files.
_NOTHING = frozenset({"argparse", "nsml", "nsml-local", "pathlib", "typing", "setuptools", "pip", "wheel"})


@dataclass(frozen=True)
class Needs:
    """The requirements of a project.

    packages: pip requirements, of setup.py, then of requirements.txt and the files that it includes.
    options: lines of these with pip's other options.
    debian: names of Debian packages.
    image: Docker image, which is ignored.
    local: files and folders that `packages` and `options` name: of the project, as paths from `folder`, its folder, and absolute ones.
    doubts: lines on what could not be read.
    """

    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    debian: tuple[str, ...] = ()
    image: str | None = None
    local: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    folder: Path = field(default=Path(), compare=False)


def read_needs(folder: Path) -> Needs:
    """The requirements of the project in `folder`.

    Raises:
        NsmlError: setup.py is not Python, a file cannot be read, or a line is no requirement.
    """
    setup, requirements, debian = (_text(folder / n) for n in ("setup.py", "requirements.txt", "nsml_package.txt"))
    packages, doubt = _from_setup(folder / "setup.py", setup)
    files = _RequirementFiles(folder)
    lines = list(files.lines("requirements.txt"))
    others = [line for line in lines if line.startswith("-") and not line.startswith(_INCLUDES)]
    image = _IMAGE.search(setup) or _IMAGE.search(requirements)
    return Needs(
        packages=tuple(dict.fromkeys(packages + [line for line in lines if line not in others])),
        options=tuple(others),
        debian=tuple(w for line in debian.splitlines() if (w := line.split("#")[0].strip())),
        image=image[1] if image else None,
        local=tuple(dict.fromkeys(files.local)),
        # Not where setup.py reads requirements.txt, as many do.
        doubts=(*([doubt] if doubt and not ("requirements.txt" in setup and lines) else []), *files.doubts),
        folder=folder,
    )


class _RequirementFiles:
    """The lines of requirements.txt and of the files that it includes. `local` and `doubts` are those of `Needs`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.local: list[str] = []
        self.doubts: list[str] = []
        self._read: set[str] = set()

    def lines(self, file: str) -> Iterator[str]:
        """The requirements and options of a file, without comments, with their paths as from the project's folder.

        Raises:
            NsmlError: a line is no requirement, or names a file that is not in the project, where pip would fail too.
        """
        self._read.add(file)
        number = 1
        for line in re.split(r"(?<!\\)\n", "\n".join(_text(self.folder / file).splitlines())):
            where, number = f"{file}, line {number}", number + line.count("\n") + 1
            line = _COMMENT.sub("", line.replace("\\\n", " ")).strip()
            option, value = (match[1], _word(match[2])) if (match := _OPTION.fullmatch(line)) else ("", line)
            if not line:
                continue
            if option in _INCLUDES and os.path.isabs(value):
                yield self._outside(file, value)
            elif option in _INCLUDES and "://" not in value:
                included = self._inside(file, value)
                yield from self.lines(included) if included not in self._read else ()
            elif option in _EDITABLE or not option:
                # Not as editable: sessions share the layer, and each has its own copy of the project.
                yield from self._package(file, value, line, where)
            elif option in _WHEELS and _is_relative(value) and (path := self._find(file, value)):
                self.local += self._archives(path)
                yield f"{option} {shlex.quote(f'./{path}')}"
            elif option in _CONSTRAINTS and _is_relative(value):
                yield f"{option} {shlex.quote(self._kept(file, value))}"
            else:
                yield line

    def _package(self, file: str, value: str, line: str, where: str) -> Iterator[str]:
        path = re.split(r"[\[;\s]", value, maxsplit=1)[0]
        if not (_is_path(path) and _is_relative(path)):
            _check_requirement(value, where)
            yield value
        elif self._inside(file, path) == ".":
            why = "as the program runs in that folder; name the packages that it needs"
            self.doubts.append(f"{file}: {line} is not installed, {why}")
        else:
            yield self._kept(file, path) + value[len(path) :]

    def _outside(self, file: str, value: str) -> str:
        """A line for the installer, which reads the file: where programs are isolated, it sees no labels. What is read here is logged."""
        if not (os.path.isfile(value) and os.access(value, os.R_OK)):
            raise NsmlError(
                f"{self.folder / file} names {value}, which is not a file that can be read; correct or remove that line"
            )
        why = "so the session depends on it; copy it into the project and name it by its path from there"
        self.doubts.append(f"{file}: {value} is not copied with the project, {why}")
        self.local.append(value)
        return f"-r {shlex.quote(value)}"

    def _kept(self, file: str, value: str) -> str:
        self.local.append(self._inside(file, value))
        return f"./{self.local[-1]}"

    def _archives(self, path: str) -> list[str]:
        """What an installer takes of a path of --find-links: of a folder, which may be the whole project, only packages directly in it."""
        folder = self.folder / path
        if not folder.is_dir():
            return [path]
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            raise NsmlError(f"{folder} cannot be read: {error.strerror}; correct or remove it") from None
        return [os.path.normpath(os.path.join(path, name)) for name in names if name.endswith(_ARCHIVES)]

    def _inside(self, file: str, value: str) -> str:
        if found := self._find(file, value):
            return found
        raise NsmlError(
            f"{self.folder / file} names {value}, which is not in the project; copy it there, or remove that line"
        )

    def _find(self, file: str, value: str) -> str:
        """The path from the project's folder of what a file names, beside that file or in the folder; "" if it is not in the project."""
        for beside in (os.path.dirname(file), ""):
            path = os.path.normpath(os.path.join(beside, value))
            found = real_path(self.folder / path)
            if not os.path.isabs(path) and found.exists() and found.is_relative_to(real_path(self.folder)):
                return path
        return ""


def _word(value: str) -> str:
    """The value of an option without quotes and backslashes, as pip reads it; unchanged if it is not one word."""
    try:
        words = shlex.split(value)
    except ValueError:
        return value
    return words[0] if len(words) == 1 else value


def _is_path(path: str) -> bool:
    return path.startswith(".") or "/" in path or path.endswith(_ARCHIVES)


def _check_requirement(text: str, where: str) -> None:
    """NsmlError, which begins with `where`, if pip would refuse this. What pip takes for a path or an address is left to it."""
    from packaging.requirements import InvalidRequirement, Requirement

    if "$" in text or "/" in (wanted := text.partition(" --")[0]) or _is_path(wanted):
        return
    try:
        Requirement(wanted)
    except InvalidRequirement:
        name = match[0] if (match := _NAME.match(text)) else "NAME"
        raise NsmlError(f"{where}: {text[:80]!r} is no requirement; write {name} or {name}==VERSION") from None


def _is_relative(path: str) -> bool:
    return not (path.startswith(("/", "~", "$", "file:")) or "://" in path)


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise NsmlError(f"{path} cannot be read: {error.strerror}; correct or remove it") from None


def _from_setup(path: Path, text: str) -> tuple[list[str], str]:
    """The strings of `install_requires`, which may be in variables, and a line on what of it cannot be read without running setup.py."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        why = getattr(error, "msg", str(error)) or "it is nested too deeply"
        raise NsmlError(
            f"{path}{line} is not Python 3: {why}; correct it, or run with --env current, which installs nothing"
        ) from None
    required: list[ast.expr] = []
    for node in nodes:
        match node:
            case ast.keyword(arg="install_requires", value=value):
                required.append(value)
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                required += [v for k, v in pairs if isinstance(k, ast.Constant) and k.value == "install_requires"]
    found: list[str | None] = [None]
    with contextlib.suppress(RecursionError):  # a sum of thousands
        found = list(_strings(required[0], _variables(nodes))) if required else []
    named = any(isinstance(node, ast.Constant) and node.value == "install_requires" for node in nodes)
    doubt = "setup.py: install_requires is not a literal list, so not all of it is read; write the packages into requirements.txt"
    for line in filter(None, found):
        at = [n.lineno for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str) and line in n.value]
        _check_requirement(line, f"{path.name}, line {at[0]}")
    return [line for line in found if line], doubt if None in found or (named and not required) else ""


def _variables(nodes: Sequence[ast.AST]) -> dict[str, ast.expr]:
    """The last value of each variable."""
    variables: dict[str, ast.expr] = {}
    for node in nodes:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                variables[name] = value
    for node in nodes:
        match node:
            case (
                ast.AugAssign(target=ast.Name(id=name))
                | ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append" | "extend" | "insert"))
            ):
                # What is added, perhaps on some systems only, is not read: `ast.Set` stands for it.
                variables[name] = ast.BinOp(variables.get(name, ast.List([])), ast.Add(), ast.Set([]))
    return variables


def _strings(node: ast.expr, variables: Mapping[str, ast.expr]) -> Iterator[str | None]:
    """The strings of an expression: literal ones, of lists, of sums of lists, and of variables with these; None for anything else."""
    if isinstance(node, ast.Name) and node.id in variables:
        # Without itself, as in `needs = needs + more`.
        others = {name: value for name, value in variables.items() if name != node.id}
        yield from _strings(variables[node.id], others)
        return
    match node:
        case ast.Constant(value=str(text)):
            yield from (line.strip() for line in text.splitlines())
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            for part in parts:
                yield from _strings(part, variables)
        case ast.Starred(value=part):
            yield from _strings(part, variables)
        case ast.BinOp(left=left, op=ast.Add(), right=right) if not isinstance(left, ast.Constant):
            yield from _strings(left, variables)
            yield from _strings(right, variables)
        case _:
            texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            names = {name[0] if (name := _NAME.match(text)) else "" for text in texts}
            if not (names and names <= _NOTHING):  # as `f"nsml @ {folder}"`
                yield None


def missing_packages(needs: Needs) -> list[str]:
    """The requirements that the running interpreter does not satisfy."""
    return [requirement for requirement in needs.packages if not _is_met(requirement)]


def _is_met(requirement: str) -> bool:
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        wanted = Requirement(requirement.partition(" --")[0])  # without its hashes, which are of what is downloaded
    except InvalidRequirement:
        return False  # a path or an address: pip decides
    try:
        if wanted.url or (wanted.marker and not wanted.marker.evaluate()):
            return not wanted.url
    except ValueError:
        return False  # a marker that cannot be compared, such as a kernel's release with a version: pip decides
    name = canonicalize_name(wanted.name)
    if name in _NOTHING:
        return True
    for candidate in (name, *_SAME.get(name, ())):
        try:
            if wanted.specifier.contains(version(candidate), prereleases=True):
                return True
        except (PackageNotFoundError, ValueError):
            continue
    return False


def loosened(requirement: str) -> tuple[str | None, str]:
    """The replacement of a requirement that cannot be satisfied, and a line on it.

    For a package that is installed in another version, None; for others, the requirement without its version. Requirements other than
    name and version are returned unchanged, without a line.
    """
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.utils import canonicalize_name

    try:
        wanted = Requirement(requirement)
    except InvalidRequirement:
        return requirement, ""
    name = canonicalize_name(wanted.name)
    if wanted.url or (not wanted.specifier and name not in _RENAMED):
        return requirement, ""
    for candidate in (name, *_SAME.get(name, ())):
        try:
            return None, f"{candidate} {version(candidate)} is used, {requirement} was asked for"
        except PackageNotFoundError:
            continue
    wanted.specifier, wanted.name = SpecifierSet(), _RENAMED.get(name, wanted.name)
    return str(wanted), f"{wanted.name} is installed in the version that fits, {requirement} was asked for"


def missing_debian(needs: Needs) -> list[str]:
    """The Debian packages that are not installed; empty if this is not Debian."""
    if not needs.debian or shutil.which("dpkg-query") is None:
        return []
    names = [name for name in needs.debian if _NAME.fullmatch(name)]
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Status}\n", *names], capture_output=True, text=True, check=False
    )
    installed = {line.split()[0] for line in listed.stdout.splitlines() if line.endswith("install ok installed")}
    return [name for name in needs.debian if name not in installed]
