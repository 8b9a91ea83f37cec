"""`nsml doctor`: is this machine, and what is stored, in order?"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import click

from ..engine.resources import list_gpus
from ..errors import Damaged, NsmlError, RunFailed
from ..store.damage import damage_of
from ..store.datasets import list_datasets
from ..store.files import read_json
from ..store.home import Home, open_home
from ..store.leftovers import leftovers
from ..store.sessions import folders_without_a_name, list_sessions
from ..store.submissions import damaged_submissions, killed_submissions
from ..wording import size

# What is told of one thing, and how to mend it; None where it is in order.
Line = tuple[str, str | None]
_LITTLE = 2 * 10**9


@click.command(
    epilog="""\b
Examples:
  nsml doctor
  nsml doctor --repair
"""
)
@click.option("--repair", "mending", is_flag=True,
              help="Put what is damaged aside, into damaged/ of the home, and clear what dead writers left.")  # fmt: skip
def doctor(mending: bool) -> None:
    """Look at Python, packages, disk, GPUs, datasets and sessions: each line is ok, or says how to mend it."""
    home = open_home()
    if mending:
        from ..engine.repair import repair

        for line in repair(home):
            click.echo(f"mended  {line}")
    bad = 0
    for lines in (
        _python(),
        _disk(home),
        _gpus(),
        _datasets(home),
        _sessions(home),
        _submissions(home),
        _leftovers(home),
    ):
        for text, mend in lines:
            bad += mend is not None
            click.echo(f"ok    {text}" if mend is None else f"mend  {text}: {mend}")
    if bad:
        raise RunFailed(f"{bad} {'line asks' if bad == 1 else 'lines ask'} to be mended")


def _python() -> Iterator[Line]:
    yield f"Python {sys.version.split()[0]} ({sys.executable})", None
    for name, why in (("numpy", "the feed of photographs"), ("opencv-python-headless", "the feed of photographs")):
        try:
            yield f"{name} {version(name)}", None
        except PackageNotFoundError:
            other = "opencv-python" if name.startswith("opencv") else name
            try:
                yield f"{other} {version(other)}", None
            except PackageNotFoundError:
                yield f"{name} is missing, which {why} needs", "pip install 'nsml-local[images]'"


def _disk(home: Home) -> Iterator[Line]:
    free = shutil.disk_usage(home.path).free
    yield f"{home.path}, {size(free)} free", "free some space, or set NSML_HOME" if free < _LITTLE else None
    if not os.access(home.path, os.W_OK):
        yield f"{home.path} cannot be written", "set NSML_HOME to a folder of yours"
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
    gpus = list_gpus()
    yield f"{len(gpus)} GPUs" if gpus else "no NVIDIA GPU; sessions run on the processor", None


def _datasets(home: Home) -> Iterator[Line]:
    for found in list_datasets(home):
        try:
            record = found.record()
        except Damaged as error:
            yield f"dataset {found.name}", f"{error}; 'nsml dataset rm {found.name}', then push it again"
            continue
        broken = sum(
            not os.path.exists(os.path.join(root, name))
            for side in (found.training, found.submission)
            for root, _, names in os.walk(side)
            for name in names
        )
        text = f"dataset {found.name}, {record.get('train_files')} training and {record.get('test_files')} test files"
        mend = f"{broken} files are gone from {record.get('source')}; push it again" if broken else None
        yield text, mend


def _sessions(home: Home) -> Iterator[Line]:
    count = 0
    for session in list_sessions(home):
        count += 1
        with contextlib.suppress(NsmlError):
            if session.status() == "Lost":
                yield f"session {session.name} is lost", f"nsml resume {session.name}, or nsml rm {session.name}"
        for line in damage_of(session):
            yield f"session {session.name}", line
    for folder in folders_without_a_name(home):
        yield f"{folder} cannot be named, so no list shows it", "rename it, or move it away"
    yield f"{count} sessions", None


def _submissions(home: Home) -> Iterator[Line]:
    for folder in killed_submissions(home):
        yield f"submission {folder.parent.name}/{folder.name} was killed", "nsml doctor --repair"
    for line in damaged_submissions(home):
        yield "a submission", line


def _leftovers(home: Home) -> Iterator[Line]:
    if left := list(leftovers(home)):
        yield f"{len(left)} leftovers of writers that died", "nsml doctor --repair"
