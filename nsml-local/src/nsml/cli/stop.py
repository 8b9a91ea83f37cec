"""`nsml stop`: stop sessions."""

from __future__ import annotations

import sys

import click

from ..engine.ending import stop_session
from ..engine.family import end_strays, may_be_left
from ..errors import NsmlError
from ..store.home import open_home
from ..store.log_lines import append_line
from ..store.sessions import ENDED, QUEUED, match_sessions
from .arguments import session_argument


@click.command(
    epilog="""\b
Examples:
  nsml stop FUNDUS_DEMO/1
  nsml stop "FUNDUS_DEMO/*"
  nsml stop FUNDUS_DEMO/sweep-1
"""
)
@session_argument()
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def stop(session: str, force: bool) -> None:
    """Stop a session and all its processes. '*' and '?' in the number name several. Checkpoints stay."""
    home = open_home()
    matching = match_sessions(home, session, home.user())
    running, elsewhere = [], []
    for one in matching:
        try:
            if one.status() not in ENDED:
                elsewhere.append(one)
                one.check_here()
                running.append(elsewhere.pop())
        except NsmlError as error:
            if len(matching) == 1:
                raise
            click.echo(f"warning: {error}", err=True)
    for one in matching:
        if one in running or one in elsewhere:
            continue
        if left := may_be_left(one):
            click.echo(f"warning: {left}", err=True)
            append_line(one.log, left)
        if count := end_strays(home, one):
            click.echo(f"Session {one.name} was lost; {count} of its processes were still running and are stopped")
        elif len(matching) == 1:
            click.echo(f"Session {one.name} has already ended ({one.status()})")
    if not (running or elsewhere) and len(matching) > 1:
        click.echo(f"none of the {len(matching)} sessions of {session} runs or waits", err=True)
    # A script has no terminal to ask on, and the platform's stop did not ask.
    if running and not force and sys.stdin.isatty():
        click.confirm(f"Stop {', '.join(str(s.name) for s in running)}?", abort=True)
    # What waits first, since it would else start as soon as another is stopped.
    for one in sorted(running, key=lambda one: one.status() != QUEUED):
        stop_session(one)
        click.echo(f"Session {one.name} is stopped")
