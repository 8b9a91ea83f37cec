"""`nsml logs`: output of a session; fast for logs of any length."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import IO, TypeVar

import click

from ..engine.engines import engine_of
from ..errors import Damaged
from ..store.home import Home, open_home
from ..store.log_cut import checked_cut, read_cut
from ..store.log_lines import left_out, start_of_last_lines
from ..store.sessions import ENDED, QUEUED, SWEEP, Session, match_sessions
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
    "-f",
    "--follow",
    "following",
    is_flag=True,
    help="Print new output until the session ends (Ctrl-C leaves it running).",
)
@click.option("-n", "--lines", type=click.IntRange(min=1), default=_LINES, show_default=True, metavar="N",
              help="Print the last N lines.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Print the whole log.")
def logs(session: str, following: bool, lines: int, everything: bool) -> None:
    """Print the output of a session, or of each of a sweep. The last 1,000 lines, or all of it."""
    home = open_home()
    last = None if everything else lines
    chosen = match_sessions(home, session, home.user()) if f"/{SWEEP}" in session else [session_named(home, session)]
    for one in chosen:
        if len(chosen) > 1:
            click.echo(f"==> {one.name} <==")
        _show(home, one, following, last)


def _show(home: Home, chosen: Session, following: bool, last: int | None) -> None:
    _warn_damaged(lambda: checked_cut(chosen.log))
    if _warn_damaged(chosen.status) == QUEUED:
        click.echo(f"session {chosen.name} is queued {engine_of(chosen).where(home, chosen)}", err=True)
    if following:
        try:
            follow(chosen, last)
        except KeyboardInterrupt:
            if chosen.status() not in ENDED:
                click.echo(f"\nsession {chosen.name} is still running; 'nsml stop {chosen.name}' ends it", err=True)
            raise
    elif chosen.log.exists():
        with chosen.open_log() as log:
            _begin(chosen, log, last)
            _pour(chosen, log, ProgramOutput(sys.stdout))
    if not chosen.log.exists():
        if chosen.record().get("kind") == "foreground":
            click.echo(f"session {chosen.name} ran in the foreground; its output went to the terminal", err=True)
        else:
            why = chosen.state().get("reason")
            click.echo(
                f"session {chosen.name} ({chosen.status()}) has printed nothing{(why and f': {why}') or ''}", err=True
            )
    elif _warn_damaged(chosen.status) == "Lost":
        fix = f"'nsml resume {chosen.name}' restarts it from its newest checkpoint"
        why = chosen.state().get("reason", "its supervisor ended without writing a status")
        click.echo(f"session {chosen.name} is lost: {why}; {fix}", err=True)


def _warn_damaged(read: Callable[[], T]) -> T | None:
    """The result of `read`; None with a warning if the file is damaged, as the log can still be read."""
    try:
        return read()
    except Damaged as error:
        click.echo(f"warning: {error}", err=True)
        return None


def follow(session: Session, last: int | None = None) -> None:
    """Print the log (all, or its `last` lines) and new output until the session ends."""
    while not session.log.exists() and session.status() not in ENDED:
        time.sleep(0.05)
    if not session.log.exists():
        return
    with session.open_log() as log:
        _begin(session, log, last)
        out = ProgramOutput(sys.stdout)
        while True:
            # The status is read first, so that output written in between is not missed.
            ended = session.status() in ENDED
            if not _pour(session, log, out) and ended:
                return
            time.sleep(0.1)


def _begin(session: Session, log: IO[bytes], last: int | None) -> None:
    """Seek to the `last` lines, and print how much is skipped."""
    if last is None:
        return
    end = log.seek(0, os.SEEK_END)
    start = start_of_last_lines(log, last, least=max(read_cut(session.log)[1], end - _MOST), end=end)
    log.seek(start)
    if start:
        click.echo(f"the last {last:,} lines; {size(start)} before them are shown by --all", err=True)


def _pour(session: Session, log: IO[bytes], out: ProgramOutput) -> bool:
    """Print new output, without the removed middle; return whether there was any."""
    any_new = False
    while True:
        position = log.tell()
        piece = log.read(_PIECE)
        # After the read: a hole that was read is then already recorded.
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
