"""`nsml stop`: end sessions."""

from __future__ import annotations

import sys

import click

from ..engine.ending import stop_session
from ..engine.family import end_strays
from ..errors import NsmlError
from ..store.home import open_home
from ..store.sessions import ENDED, match_sessions
from .arguments import session_argument


@click.command(
    epilog="""\b
Examples:
  nsml stop FUNDUS_DEMO/1
  nsml stop "FUNDUS_DEMO/*"
"""
)
@session_argument()
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def stop(session: str, force: bool) -> None:
    """End a session and all processes that it started ('*' and '?' in the number); checkpoints stay."""
    home = open_home()
    matching = match_sessions(home, session, home.user())
    running, elsewhere = [], []
    for found in matching:
        try:
            if found.status() not in ENDED:
                elsewhere.append(found)
                found.check_here()
                running.append(elsewhere.pop())
        except NsmlError as error:
            if len(matching) == 1:
                raise
            click.echo(f"warning: {error}", err=True)
    for found in matching:
        if found in running or found in elsewhere:
            continue
        if count := end_strays(home, found):
            click.echo(f"Session {found.name} was lost; {count} of its processes went on and are ended")
        elif len(matching) == 1:
            click.echo(f"Session {found.name} has ended already ({found.status()})")
    # A script has no terminal to be asked on, and the platform's stop asked nobody.
    if running and not force and sys.stdin.isatty():
        click.confirm(f"Stop {', '.join(str(s.name) for s in running)}?", abort=True)
    for found in running:
        stop_session(found)
        click.echo(f"Session {found.name} is stopped")
