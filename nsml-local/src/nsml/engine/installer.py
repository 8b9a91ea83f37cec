"""Installing into a layer: with uv where it is present, else with pip."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import RunFailed

TIME = 3600
# A line of `uv pip install --dry-run` for a package that it would add.
_ADDED = re.compile(r"^ \+ (\S+?)==(\S+?)(?: \(from (\S+)\))?\s*$", re.MULTILINE)


def installer_name() -> str:
    """uv or pip."""
    return "uv" if shutil.which("uv") else "pip"


def install(layer: Path, packages: Sequence[str], options: Sequence[str]) -> None:
    """Install into the environment `layer` what of `packages` and all they need the running environment lacks.

    Args:
        packages: pip requirements.
        options: lines of a requirements file that are pip's own, such as `--find-links FOLDER`.

    Raises:
        RunFailed: neither could; the message ends in pip's last lines.
    """
    uv = shutil.which("uv")
    # pip knows mirrors and constraints of its own that uv does not, so where uv fails the word is pip's.
    if uv is not None and _install_with_uv(uv, layer, packages, options):
        return
    asked = _write(layer, packages, options)
    pip = [sys.executable, "-m", "pip", "--python", str(layer / "bin" / "python"), "install"]
    quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    run([*pip, *quiet, "-r", str(asked)], ", ".join(packages))


def _install_with_uv(uv: str, layer: Path, packages: Sequence[str], options: Sequence[str]) -> bool:
    """Whether uv did it: planned against the running environment, since it would not see what a layer inherits, then installed as
    planned."""
    asked = _write(layer, packages, options)
    look = [uv, "pip", "install", "--dry-run", "--break-system-packages", "--python", sys.executable, "-r", str(asked)]
    try:
        plan = _call(look)
    except subprocess.TimeoutExpired:
        return False
    added = [f"{name} @ {url}" if url else f"{name}=={v}" for name, v, url in _ADDED.findall(plan.stdout + plan.stderr)]
    if plan.returncode or not added:
        return False
    planned = _write(layer, added, options)
    python = str(layer / "bin" / "python")
    try:
        return _call([uv, "pip", "install", "--no-deps", "--python", python, "-r", str(planned)]).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _write(layer: Path, packages: Sequence[str], options: Sequence[str]) -> Path:
    path = layer / "requirements.txt"
    path.write_text("\n".join([*options, *packages]) + "\n")
    return path


def _call(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    return subprocess.run(command, capture_output=True, text=True, timeout=TIME, env=environment, check=False)


def run(command: Sequence[str], what: str) -> None:
    """Run an installer's command; RunFailed with its last lines where it fails."""
    try:
        done = _call(command)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"{what} could not be installed within {TIME} seconds") from None
    if done.returncode:
        last = " / ".join(line.strip() for line in (done.stdout + done.stderr).strip().splitlines()[-4:])
        raise RunFailed(
            f"{what} could not be installed: {last}; correct setup.py or requirements.txt, or run with --env current"
        )
