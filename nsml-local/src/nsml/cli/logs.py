"""`nsml logs`: what a session printed, its end at once, however long it is."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import IO, TypeVar

import click

from ..errors import Damaged
from ..store.home import open_home
from ..store.log_cut import checked_cut, read_cut
from ..store.log_lines import left_out, start_of_last_lines
from ..store.sessions import ENDED, Session
from ..wording import size
from .arguments import session_argument, session_named
from .display import ProgramOutput

T = TypeVar("T")
_PIECE = 1 << 20
_LINES = 1000
_MOST = 64 << 20  # bytes of the last lines: a program may end none


@click.command(
    epilog="""\b
Examples:
  nsml logs FUNDUS_DEMO/1
  nsml logs -f team146/FUNDUS_DEMO/1
  nsml logs --all FUNDUS_DEMO/1 | grep epoch
"""
)
@session_argument()
@click.option(
    "-f", "--follow", "following", is_flag=True, help="Go on until the session ends (Ctrl-C leaves it running)."
)
@click.option("-n", "--lines", type=click.IntRange(min=1), default=_LINES, show_default=True, metavar="N",
              help="Only the last N lines.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="From the first line on.")
def logs(session: str, following: bool, lines: int, everything: bool) -> None:
    """Print what a session printed: the last 1,000 lines, or all of it."""
    found = session_named(open_home(), session)
    _told_of_damage(lambda: checked_cut(found.log))
    last = None if everything else lines
    if following:
        try:
            follow(found, last)
        except KeyboardInterrupt:
            if found.status() not in ENDED:
                click.echo(f"\nsession {found.name} goes on; 'nsml stop {found.name}' ends it", err=True)
            raise
    elif found.log.exists():
        with found.open_log() as log:
            _begin(found, log, last)
            _pour(found, log, ProgramOutput(sys.stdout))
    if not found.log.exists():
        if found.record().get("kind") == "foreground":
            click.echo(f"session {found.name} ran in the foreground; its output went to the terminal", err=True)
        else:
            click.echo(f"session {found.name} ({found.status()}) has printed nothing", err=True)
    elif _told_of_damage(found.status) == "Lost":
        mend = f"'nsml resume {found.name}' goes on from its newest checkpoint"
        click.echo(f"session {found.name} is lost: its supervisor is gone without a word; {mend}", err=True)


def _told_of_damage(read: Callable[[], T]) -> T | None:
    """What was read; None, with a warning, where it is damaged, which keeps nobody from reading the log."""
    try:
        return read()
    except Damaged as error:
        click.echo(f"warning: {error}", err=True)
        return None


def follow(session: Session, last: int | None = None) -> None:
    """Print the log, from its `last` lines on where that is given, and what is added to it, until the session has ended."""
    while not session.log.exists() and session.status() not in ENDED:
        time.sleep(0.05)
    if not session.log.exists():
        return
    with session.open_log() as log:
        _begin(session, log, last)
        out = ProgramOutput(sys.stdout)
        while True:
            # Asked before the last look, so that nothing written between the two is missed.
            ended = session.status() in ENDED
            if not _pour(session, log, out) and ended:
                return
            time.sleep(0.1)


def _begin(session: Session, log: IO[bytes], last: int | None) -> None:
    """Go to where the `last` lines begin, and say what is left out."""
    if last is None:
        return
    end = log.seek(0, os.SEEK_END)
    start = start_of_last_lines(log, last, least=max(read_cut(session.log)[1], end - _MOST), end=end)
    log.seek(start)
    if start:
        click.echo(f"the last {last:,} lines; {size(start)} before them are shown by --all", err=True)


def _pour(session: Session, log: IO[bytes], out: ProgramOutput) -> bool:
    """Print what is new, but for what the log's limit has cut out; whether there was anything."""
    any_new = False
    while True:
        position = log.tell()
        piece = log.read(_PIECE)
        # Looked up after the reading: what was there then is no hole, or is said to be one.
        first, after = read_cut(session.log)
        if position < after and position + len(piece) > first:
            piece = piece[: max(0, first - position)]
            out.write(piece)
            out.write(left_out(after - max(first, position)))
            log.seek(after)
            any_new = True
            continue
        if not piece:
            break
        out.write(piece)
        any_new = True
    return any_new
