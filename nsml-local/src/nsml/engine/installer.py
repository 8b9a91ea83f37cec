"""Install packages into a layer, with uv if available, else with pip."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import RunFailed
from ..store.files import make_private, write_text
from ..store.home import Home
from ..store.isolated import isolated_folders
from .install_progress import follow
from .isolation import isolate_build, pass_environment
from .requirements import loosened

TIME = 3600
# Folder in an environment during its installation: `work_of`, and downloads and temporary files of an isolated installer.
CACHE = "cache"
# Lines of `uv pip install --dry-run`: an added package, with its address after @ or after its version; and their number.
_ADDED = re.compile(r"^ \+ (\S+?)(==\S+?| @ \S+?)(?: \(from (\S+)\))?\s*$", re.MULTILINE)
_NUMBER_ADDED = re.compile(r"^Would install (\d+) package", re.MULTILINE)

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_BUILD_CONSTRAINTS = "build-constraints.txt"
_WITH_PKG_RESOURCES = "setuptools<81\n"


class InstallationFailed(RunFailed):
    """A failed installation. `output` is the whole output of the installer."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


def work_of(layer: Path) -> Path:
    """The folder in which the installer works, where the relative paths of requirements begin."""
    return make_private(layer / CACHE / "project")


def installer_name() -> str:
    """The installer: "uv" or "pip"."""
    return "uv" if shutil.which("uv") else "pip"


def install(layer: Path, packages: Sequence[str], options: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """Install `packages` and their dependencies into the environment `layer`, except those of the running environment.

    Wheels are tried first. Old versions often have no wheels for a current Python, and builds from sources take minutes and then do not
    work. If a required version has no wheel, but the installed version or another one has, that version is used. Packages without any
    wheel are built.

    Args:
        packages: pip requirements.
        options: lines of a requirements file with pip's options, such as `--find-links FOLDER`.
        say: called with lines on the progress of long installations, and on the reasons for other versions.

    Returns:
        A line for each package that was built or installed in another version.

    Raises:
        RunFailed: the installation failed; the message ends with the last lines of the first attempt with builds.
    """
    try:
        _install_as_asked(layer, packages, [*options, "--only-binary :all:"], say)
        return []
    except InstallationFailed:
        asked, lines, only = _with_wheels(layer, packages, options, say)
    try:
        if asked:
            _install_as_asked(layer, asked, [*options, *only, *(_constraint(layer) if lines else [])], say)
        return lines
    except InstallationFailed as error:
        say(error.output)
        others = [loosened(package) for package in packages]
        lines = [line for _, line in others if line]
        if not lines:
            raise
        say(f"{error}; trying other versions")
        try:
            if asked := [package for package, _ in others if package is not None]:
                _install_as_asked(layer, asked, [*options, *_constraint(layer)], say)
        except RunFailed:
            raise error from None
        return lines


def _with_wheels(
    layer: Path, packages: Sequence[str], options: Sequence[str], say: Callable[[str], None]
) -> tuple[list[str], list[str], list[str]]:
    """Requirements to replace `packages` with as few builds as possible, a line on each change and build, and the option that allows only
    wheels for all other packages."""
    asked: list[str] = []
    lines: list[str] = []
    binary: list[str] = []
    for package in packages:
        other: str | None = package
        line = ""
        if not (has_wheel := _has_wheel(layer, package, options, say)):
            other, line = loosened(package)
            has_wheel = bool(other and line) and _has_wheel(layer, str(other), options, say)
            if other is not None and not has_wheel:
                other, line = package, f"{package} has no wheel for this Python, so it is built from its sources"
        lines += [line] if line else []
        asked += [other] if other is not None else []
        if has_wheel and other is not None and (name := _NAME.match(other)):
            binary.append(name[0])
    return asked, lines, [f"--only-binary {','.join(binary)}"] if binary else []


def _has_wheel(layer: Path, package: str, options: Sequence[str], say: Callable[[str], None]) -> bool:
    """Whether a requirement, without its dependencies, can be installed from a wheel."""
    file = str(_write(layer, [package], options))
    how = ["--dry-run", "--no-deps", "--only-binary", ":all:", "-r", file]
    if (uv := shutil.which("uv")) is not None:
        command = [uv, "pip", "install", "--break-system-packages", "--python", sys.executable, *how]
    else:
        command = [*_pip(layer), "--retries", "0", *how]
    try:
        return _call(command, say, layer).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _constraint(layer: Path) -> list[str]:
    """An option that keeps the running environment's versions: with other versions, a replacement could install gigabytes."""
    return [f"--constraint {_write_versions_here(layer)}"]


def _install_as_asked(layer: Path, packages: Sequence[str], options: Sequence[str], say: Callable[[str], None]) -> None:
    try:
        _install(layer, packages, options, say)
    except InstallationFailed as error:
        if "pkg_resources" not in error.output:
            raise
        say("a package needs pkg_resources for its build; trying again with an older setuptools there")
        write_text(layer / _BUILD_CONSTRAINTS, _WITH_PKG_RESOURCES)
        _install(layer, packages, options, say)


def _install(layer: Path, packages: Sequence[str], options: Sequence[str], say: Callable[[str], None]) -> None:
    uv = shutil.which("uv")
    # pip may have its own mirrors and constraints, so it is tried if uv fails.
    if uv is not None and _install_with_uv(uv, layer, packages, options, say):
        return
    asked = _write(layer, packages, options)
    run([*_pip(layer), "-r", str(asked)], brief(packages), say, layer)


def _pip(layer: Path) -> list[str]:
    pip = [sys.executable, "-m", "pip", "--python", str(layer / "bin" / "python"), "install"]
    return [*pip, "--disable-pip-version-check", "--no-input", "--progress-bar", "raw" if _pip_tells_bytes() else "off"]


def _pip_tells_bytes() -> bool:
    """Whether this pip has a machine-readable progress bar: version 24.1 or later."""
    from importlib.metadata import PackageNotFoundError, version

    from packaging.version import InvalidVersion, Version

    try:
        return Version(version("pip")) >= Version("24.1")
    except (PackageNotFoundError, InvalidVersion):
        return False


def brief(packages: Sequence[str]) -> str:
    """The packages, at most four by name."""
    shown = [*packages] if len(packages) <= 4 else [*packages[:3], f"{len(packages) - 3} more"]
    return ", ".join(shown)


def _install_with_uv(
    uv: str, layer: Path, packages: Sequence[str], options: Sequence[str], say: Callable[[str], None]
) -> bool:
    """Install with uv, and return whether it succeeded.

    The dependencies are resolved against the running environment, as uv does not see the packages that a layer inherits.
    """
    from packaging.utils import canonicalize_name

    # What uv plans is without the options of the lines, such as hashes. pip installs where these cannot be added again.
    more = {
        canonicalize_name(name[0]) if (name := _NAME.match(package)) else package: package[package.index(" --") :]
        for package in packages
        if " --" in package
    }
    if any(package.startswith("-") for package in packages):  # other files, which may have hashes
        return False
    asked = _write(layer, packages, options)
    look = [uv, "pip", "install", "--dry-run", "--break-system-packages", "--python", sys.executable, "-r", str(asked)]
    try:
        plan = _call(look, say, layer)
    except subprocess.TimeoutExpired:
        return False
    added = {name: f"{name} @ {url}" if url else f"{name}{which}" for name, which, url in _ADDED.findall(plan.stdout)}
    # Where a line is of a form that is not known here, its package would be left out: pip installs all.
    if (
        plan.returncode
        or not added
        or more.keys() - added.keys()
        or _NUMBER_ADDED.findall(plan.stdout) != [str(len(added))]
    ):
        return False
    planned = _write(layer, [line + more.get(name, "") for name, line in added.items()], options)
    python = str(layer / "bin" / "python")
    try:
        done = _call([uv, "pip", "install", "--no-deps", "--python", python, "-r", str(planned)], say, layer)
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _write_versions_here(layer: Path) -> Path:
    from importlib.metadata import distributions

    path = layer / "constraints.txt"
    versions = {d.metadata["Name"]: d.version for d in distributions()}
    write_text(path, "".join(f"{name}=={version}\n" for name, version in sorted(versions.items())))
    return path


def _write(layer: Path, packages: Sequence[str], options: Sequence[str]) -> Path:
    path = work_of(layer) / "nsml-requirements.txt"
    write_text(path, "\n".join([*options, *packages]) + "\n")
    return path


def _call(command: Sequence[str], say: Callable[[str], None], layer: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    home = Home(layer.parents[1])
    if isolated_folders(home):
        # Building a package runs its code.
        cache = make_private(layer / CACHE)
        environment = pass_environment(environment, installs=True) | {
            "XDG_CACHE_HOME": str(cache),
            "TMPDIR": str(cache),
        }
        command = isolate_build(home, layer, command, work_of(layer))
    if (constraints := layer / _BUILD_CONSTRAINTS).exists():
        # The variables of uv, of pip since 25.3, and of older pip, where it applies to installations too.
        environment |= dict.fromkeys(("UV_BUILD_CONSTRAINT", "PIP_BUILD_CONSTRAINT"), str(constraints))
        environment["PIP_CONSTRAINT"] = f"{environment.get('PIP_CONSTRAINT', '')} {constraints}".strip()
    return follow(command, environment, say, TIME, folder=work_of(layer))


def run(command: Sequence[str], what: str, say: Callable[[str], None], layer: Path) -> None:
    """Run a command that creates or changes the environment `layer`. `say` is called with lines on its progress.

    Raises:
        RunFailed: the command failed; the message has its last lines.
    """
    try:
        done = _call(command, say, layer)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"{what} could not be installed within {TIME} seconds") from None
    if done.returncode:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception): ", line)]
        last = " / ".join([*errors[-1:], *[x for x in lines if not x.startswith(("WARNING", "[notice]"))][-4:]])
        raise InstallationFailed(
            f"{what} could not be installed: {last}; correct setup.py or requirements.txt, or run with --env current",
            "\n".join(lines),
        )
