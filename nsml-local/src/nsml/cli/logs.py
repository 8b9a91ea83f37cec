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
@click.option(
    "-f", "--follow", "following", is_flag=True, help="Go on until the session ends (Ctrl-C leaves it running)."
)
def logs(session: str, following: bool) -> None:
    """Print what a session printed."""
    found = session_named(open_home(), session)
    if following:
        try:
            follow(found)
        except KeyboardInterrupt:
            if found.status() not in ENDED:
                click.echo(f"\nsession {found.name} goes on; 'nsml stop {found.name}' ends it", err=True)
            raise
    elif found.log.exists():
        with open(found.log, "rb") as log:
            _pour(log)
    if not found.log.exists():
        if found.record().get("kind") == "foreground":
            click.echo(f"session {found.name} ran in the foreground; its output went to the terminal", err=True)
        else:
            click.echo(f"session {found.name} ({found.status()}) has printed nothing", err=True)
    elif found.status() == "Lost":
        mend = f"'nsml resume {found.name}' goes on from its newest checkpoint"
        click.echo(f"session {found.name} is lost: its supervisor is gone without a word; {mend}", err=True)


def follow(session: Session) -> None:
    """Print the log, and what is added to it, until the session has ended."""
    while not session.log.exists() and session.status() not in ENDED:
        time.sleep(0.05)
    if not session.log.exists():
        return
    with open(session.log, "rb") as log:
        while True:
            # Asked before the last look, so that nothing written between the two is missed.
            ended = session.status() in ENDED
            if not _pour(log) and ended:
                return
            time.sleep(0.1)


def _pour(log: IO[bytes]) -> bool:
    """Print what is new; whether there was anything."""
    out = sys.stdout.buffer
    any_new = False
    while piece := log.read(_PIECE):
        out.write(piece)
        any_new = True
    out.flush()
    return any_new
