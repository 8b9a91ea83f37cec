"""`nsml logs`: what a session printed."""

from __future__ import annotations

import sys
import time
from typing import IO

import click

from ..store.home import open_home
from ..store.sessions import ENDED, Session
from .arguments import session_argument, session_named

_PIECE = 1 << 20


@click.command(
    epilog="""\b
Examples:
  nsml logs FUNDUS_DEMO/1
  nsml logs -f team146/FUNDUS_DEMO/1
"""
)
@session_argument()
@click.option("-f", "--follow", is_flag=True, help="Go on until the session ends (Ctrl-C leaves it running).")
def logs(session: str, follow: bool) -> None:
    """Print what a session printed."""
    found = session_named(open_home(), session)
    out: IO[bytes] = sys.stdout.buffer
    try:
        if follow and not found.log.exists():
            _wait_for_log(found)
        with open(found.log, "rb") as log:
            _pour(log, out)
            while follow:
                ended = found.status() in ENDED
                if not _pour(log, out) and ended:
                    break
                time.sleep(0.1)
    except FileNotFoundError:
        kind = found.record().get("kind")
        if kind == "foreground":
            click.echo(f"session {found.name} ran in the foreground; its output went to the terminal", err=True)
        else:
            click.echo(f"session {found.name} ({found.status()}) has printed nothing", err=True)
        return
    if found.status() == "Lost":
        click.echo(f"session {found.name} is lost: its supervisor is gone without a word; start it again", err=True)


def _wait_for_log(session: Session) -> None:
    while not session.log.exists() and session.status() not in ENDED:
        time.sleep(0.05)


def _pour(log: IO[bytes], out: IO[bytes]) -> bool:
    """Copy what is new; whether there was anything."""
    any_new = False
    while piece := log.read(_PIECE):
        out.write(piece)
        any_new = True
    out.flush()
    return any_new
