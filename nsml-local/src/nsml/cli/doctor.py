"""`nsml doctor`: check this machine and the stored files."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import click

from ..engine.control_group import left_groups, members
from ..engine.family import may_be_left
from ..engine.resources import gpu_use
from ..errors import Damaged, NsmlError, RunFailed, install
from ..store.damage import damage_of
from ..store.datasets import list_datasets
from ..store.files import read_json
from ..store.home import Home, open_home
from ..store.leftovers import leftovers
from ..store.sessions import folders_without_a_name, list_sessions
from ..store.submissions import damaged_submissions, killed_submissions
from ..wording import counted, size

# Text, and the fix; None if there is no problem.
Line = tuple[str, str | None]
_LITTLE = 2 * 10**9


@click.command(
    epilog="""\b
Examples:
  nsml doctor
  nsml doctor --repair
"""
)
@click.option("--repair", "repairing", is_flag=True,
              help="Move damaged files to damaged/ in the home, and remove leftovers of ended processes.")  # fmt: skip
def doctor(repairing: bool) -> None:
    """Check Python, packages, disk, GPUs, datasets and sessions. Each line is ok, or a problem with its fix."""
    home = open_home()
    if repairing:
        from ..engine.repair import repair

        for line in repair(home):
            click.echo(f"fixed {line}")
    problems = 0
    for lines in (
        _python(),
        _disk(home),
        _gpus(),
        _datasets(home),
        _sessions(home),
        _submissions(home),
        _leftovers(home),
    ):
        for text, fix in lines:
            problems += fix is not None
            click.echo(f"ok    {text}" if fix is None else f"fix   {text}: {fix}")
    if problems:
        raise RunFailed(f"{problems} {'problem' if problems == 1 else 'problems'} found")


def _python() -> Iterator[Line]:
    yield f"Python {sys.version.split()[0]} ({sys.executable})", None
    for name, why in (("numpy", "reading photographs"), ("opencv-python-headless", "reading photographs")):
        try:
            yield f"{name} {version(name)}", None
        except PackageNotFoundError:
            other = "opencv-python" if name.startswith("opencv") else name
            try:
                yield f"{other} {version(other)}", None
            except PackageNotFoundError:
                yield f"{name} is missing; {why} needs it", install("images")


def _disk(home: Home) -> Iterator[Line]:
    free = shutil.disk_usage(home.path).free
    yield f"{home.path}, {size(free)} free", "free some space, or set NSML_HOME" if free < _LITTLE else None
    if not os.access(home.path, os.W_OK):
        yield f"{home.path} cannot be written", "set NSML_HOME to your own folder"
    if home.path.stat().st_mode & 0o077:
        yield f"{home.path} can be read by others", f"chmod 700 {home.path}"
    for name in ("home.json", "user.json"):
        try:
            read_json(home.path / name)
        except FileNotFoundError:
            continue
        except Damaged:
            yield f"{home.path / name} is damaged", "nsml doctor --repair"


def _gpus() -> Iterator[Line]:
    gpus = gpu_use(header=False).splitlines()
    named = ", ".join(" ".join(line.split(", ")[:2]) for line in gpus)
    some = f"{len(gpus)} GPU{'s' * (len(gpus) > 1)} ({named}); a session gets a free one, with -g N it gets N"
    yield some if gpus else "no NVIDIA GPU; sessions run on the processor", None


def _datasets(home: Home) -> Iterator[Line]:
    for dataset in list_datasets(home):
        try:
            record = dataset.record()
        except Damaged as error:
            yield f"dataset {dataset.name}", f"{error}; 'nsml dataset rm {dataset.name}', then push it again"
            continue
        unread: list[OSError] = []
        broken = sum(
            not os.path.exists(os.path.join(root, name))
            for side in (dataset.training, dataset.submission)
            for root, _, names in os.walk(side, onerror=unread.append)
            for name in names
        )
        text = f"dataset {dataset.name}, {record.get('train_files')} training and {record.get('test_files')} test files"
        fix = f"missing from {record.get('source')}: {counted(broken, 'file')}; push it again" if broken else None
        if unread:
            fix = f"{unread[0].filename} cannot be read ({unread[0].strerror}); give yourself the right to read it"
        yield text, fix


def _sessions(home: Home) -> Iterator[Line]:
    count = 0
    for session in list_sessions(home):
        count += 1
        with contextlib.suppress(NsmlError):
            if session.status() == "Lost":
                left = f"; {text}" if (text := may_be_left(session)) else ""
                yield f"session {session.name} is lost", f"nsml resume {session.name}, or nsml rm {session.name}{left}"
        for line in damage_of(session):
            yield f"session {session.name}", line
    for folder in folders_without_a_name(home):
        yield f"{folder} cannot be named, so no list shows it", "rename it, or move it away"
    yield counted(count, "session"), None


def _submissions(home: Home) -> Iterator[Line]:
    for folder in killed_submissions(home):
        yield f"submission {folder.parent.name}/{folder.name} was killed", "nsml doctor --repair"
    for line in damaged_submissions(home):
        yield "a submission", line


def _leftovers(home: Home) -> Iterator[Line]:
    if left := list(leftovers(home)):
        yield f"{len(left)} temporary files of ended processes", "nsml doctor --repair"
    if left_processes := [pid for group in left_groups(home) for pid in members(group)]:
        yield f"{len(left_processes)} processes of killed submits or lost sessions still run", "nsml doctor --repair"
