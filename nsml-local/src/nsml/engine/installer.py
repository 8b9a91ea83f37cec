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
from ..store.datasets import isolated_datasets
from ..store.files import make_private, write_text
from ..store.home import Home
from .install_progress import follow
from .isolation import isolate_build, pass_environment
from .requirements import loosened

TIME = 3600
# Below an environment, while it is built: what an isolated installer downloads and unpacks.
CACHE = "cache"
# A line of `uv pip install --dry-run` for a package that it would add.
_ADDED = re.compile(r"^ \+ (\S+?)==(\S+?)(?: \(from (\S+)\))?\s*$", re.MULTILINE)

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_BUILD_CONSTRAINTS = "build-constraints.txt"
_WITH_PKG_RESOURCES = "setuptools<81\n"


class InstallationFailed(RunFailed):
    """`output` is the whole output of the installer."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


def installer_name() -> str:
    """uv or pip."""
    return "uv" if shutil.which("uv") else "pip"


def install(layer: Path, packages: Sequence[str], options: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """Install into the environment `layer` what of `packages` and all they need the running environment lacks.

    Wheels are tried first. Versions of years ago often exist for no Python of today, or as sources alone, which take minutes to build and
    then do not work: where a package has no wheel as it is asked for, but one in the version that is here or that fits, that one is
    taken. What has no wheel at all is built.

    Args:
        packages: pip requirements.
        options: lines of a requirements file that are pip's own, such as `--find-links FOLDER`.
        say: is told, in lines, how it goes where it takes long, and why the packages could not be installed as asked for.

    Returns:
        A line for each package that was built, or installed in another version than was asked for.

    Raises:
        RunFailed: they could be installed in no way; the message ends in the last lines of the first try with builds.
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
    """What to install in place of `packages` so that as little as possible is built, a line on each change and build, and the option
    that has the rest taken as wheels."""
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
    """Whether a requirement can be met, for itself, without building anything."""
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
    """Keeps what is installed in place of a version that was asked for from bringing other versions of what is here, gigabytes of them."""
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
    # pip knows mirrors and constraints of its own that uv does not, so where uv fails the word is pip's.
    if uv is not None and _install_with_uv(uv, layer, packages, options, say):
        return
    asked = _write(layer, packages, options)
    run([*_pip(layer), "-r", str(asked)], brief(packages), say, layer)


def _pip(layer: Path) -> list[str]:
    pip = [sys.executable, "-m", "pip", "--python", str(layer / "bin" / "python"), "install"]
    return [*pip, "--disable-pip-version-check", "--no-input", "--progress-bar", "raw" if _pip_tells_bytes() else "off"]


def _pip_tells_bytes() -> bool:
    """Whether this pip, of 24.1 or later, has a progress bar for programs to read."""
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
    """Whether uv did it: planned against the running environment, since it would not see what a layer inherits, then installed as
    planned."""
    asked = _write(layer, packages, options)
    look = [uv, "pip", "install", "--dry-run", "--break-system-packages", "--python", sys.executable, "-r", str(asked)]
    try:
        plan = _call(look, say, layer)
    except subprocess.TimeoutExpired:
        return False
    added = [f"{name} @ {url}" if url else f"{name}=={v}" for name, v, url in _ADDED.findall(plan.stdout)]
    if plan.returncode or not added:
        return False
    planned = _write(layer, added, options)
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
    path = layer / "requirements.txt"
    write_text(path, "\n".join([*options, *packages]) + "\n")
    return path


def _call(command: Sequence[str], say: Callable[[str], None], layer: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    home = Home(layer.parents[1])
    if isolated_datasets(home):
        # A package that is built runs a program of its own.
        cache = make_private(layer / CACHE)
        environment = pass_environment(environment, installs=True) | {
            "XDG_CACHE_HOME": str(cache),
            "TMPDIR": str(cache),
        }
        command = isolate_build(home, layer, command)
    if (constraints := layer / _BUILD_CONSTRAINTS).exists():
        # uv's, pip's since 25.3, and pip's before that, which goes for installations too.
        environment |= dict.fromkeys(("UV_BUILD_CONSTRAINT", "PIP_BUILD_CONSTRAINT"), str(constraints))
        environment["PIP_CONSTRAINT"] = f"{environment.get('PIP_CONSTRAINT', '')} {constraints}".strip()
    return follow(command, environment, say, TIME)


def run(command: Sequence[str], what: str, say: Callable[[str], None], layer: Path) -> None:
    """Run a command that makes an environment `layer` or installs into it, `say` is told how it goes.

    RunFailed with its last lines where it fails.
    """
    try:
        done = _call(command, say, layer)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"{what} could not be installed within {TIME} seconds") from None
    if done.returncode:
        said = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        errors = [line for line in said if re.match(r"(\w+\.)*\w*(Error|Exception): ", line)]
        last = " / ".join([*errors[-1:], *[x for x in said if not x.startswith(("WARNING", "[notice]"))][-4:]])
        raise InstallationFailed(
            f"{what} could not be installed: {last}; correct setup.py or requirements.txt, or run with --env current",
            "\n".join(said),
        )
