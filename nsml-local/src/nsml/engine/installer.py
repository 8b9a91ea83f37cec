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

    Versions of years ago often exist for no Python of today. Where the packages cannot be installed as they are asked for, they are tried
    once more, each in the version that is here or that fits; the lines that are returned say so.

    Args:
        packages: pip requirements.
        options: lines of a requirements file that are pip's own, such as `--find-links FOLDER`.
        say: is told, in lines, how it goes where it takes long, and why the packages could not be installed as asked for.

    Raises:
        RunFailed: they could be installed in no way; the message ends in the last lines of the first try.
    """
    try:
        _install_as_asked(layer, packages, options, say)
        return []
    except InstallationFailed as error:
        say(error.output)
        others = [loosened(package) for package in packages]
        lines = [line for _, line in others if line]
        if not lines:
            raise
        say(f"{error}; trying other versions")
        try:
            if asked := [package for package, _ in others if package is not None]:
                # Without it, what is asked for anew could bring other versions of what is here, gigabytes of them.
                constraint = f"--constraint {_write_versions_here(layer)}"
                _install_as_asked(layer, asked, [*options, constraint], say)
        except RunFailed:
            raise error from None
        return lines


def _install_as_asked(layer: Path, packages: Sequence[str], options: Sequence[str], say: Callable[[str], None]) -> None:
    uv = shutil.which("uv")
    # pip knows mirrors and constraints of its own that uv does not, so where uv fails the word is pip's.
    if uv is not None and _install_with_uv(uv, layer, packages, options, say):
        return
    asked = _write(layer, packages, options)
    pip = [sys.executable, "-m", "pip", "--python", str(layer / "bin" / "python"), "install"]
    plainly = ["--disable-pip-version-check", "--no-input", "--progress-bar", "raw" if _pip_tells_bytes() else "off"]
    run([*pip, *plainly, "-r", str(asked)], brief(packages), say, layer)


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
