"""The packages that a project needs: setup.py, requirements.txt and nsml_package.txt, read without running them."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..errors import NsmlError
from ..store.files import read_text

_IMAGE = re.compile(r"^\s*#\s*nsml\s*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
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

    packages: pip requirements, of setup.py, then of requirements.txt.
    options: lines of requirements.txt with pip's options.
    debian: names of Debian packages.
    image: Docker image, which is ignored.
    """

    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    debian: tuple[str, ...] = ()
    image: str | None = None


def read_needs(folder: Path) -> Needs:
    """The requirements of the project in `folder`. NsmlError if setup.py is not Python or a file cannot be read."""
    setup, requirements, debian = (_text(folder / n) for n in ("setup.py", "requirements.txt", "nsml_package.txt"))
    packages = _from_setup(folder / "setup.py", setup)
    lines = [line.split(" #")[0].strip() for line in requirements.replace("\\\n", " ").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    image = _IMAGE.search(setup) or _IMAGE.search(requirements)
    return Needs(
        packages=tuple(dict.fromkeys(packages + [line for line in lines if not line.startswith("-")])),
        options=tuple(line for line in lines if line.startswith("-")),
        debian=tuple(w for line in debian.splitlines() if (w := line.split("#")[0].strip())),
        image=image[1] if image else None,
    )


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise NsmlError(f"{path} cannot be read: {error.strerror}; correct or remove it") from None


def _from_setup(path: Path, text: str) -> list[str]:
    """The strings of `install_requires`: a list in the call, or a variable with a list."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        why = getattr(error, "msg", str(error)) or "it is nested too deeply"
        raise NsmlError(f"{path}{line} is not Python 3: {why}; correct it") from None
    lists: dict[str, ast.expr] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            lists[node.targets[0].id] = node.value
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "install_requires":
            value = lists.get(node.value.id, node.value) if isinstance(node.value, ast.Name) else node.value
            if isinstance(value, ast.List | ast.Tuple):
                return [e.value.strip() for e in value.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
    return []


def missing_packages(needs: Needs) -> list[str]:
    """The requirements that the running interpreter does not satisfy."""
    return [requirement for requirement in needs.packages if not _is_met(requirement)]


def _is_met(requirement: str) -> bool:
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        wanted = Requirement(requirement)
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
