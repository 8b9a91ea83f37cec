"""`nsml rm`: remove sessions."""

from __future__ import annotations

import click

from ..engine.ending import check_removable, end_and_remove
from ..errors import Damaged, NsmlError, RunFailed
from ..store.home import open_home
from ..store.sessions import Session, match_sessions
from .arguments import session_argument


@click.command(
    epilog="""\b
Examples:
  nsml rm FUNDUS_DEMO/1
  nsml rm -f "FUNDUS_DEMO/1?"
"""
)
@session_argument()
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def rm(session: str, force: bool) -> None:
    """Remove ended sessions with their checkpoints and logs. '*' and '?' in the number name several. Scores stay on the leaderboard."""
    home = open_home()
    sessions = match_sessions(home, session, home.user())
    if len(sessions) == 1:
        check_removable(home, sessions[0])
    if not force:
        for one in sessions:
            click.echo(f"{one.name}  {_status(one)}  {one.memo()}".rstrip())
        click.confirm(
            f"Remove {'this session' if len(sessions) == 1 else f'these {len(sessions)} sessions'}?", abort=True
        )
    failed = 0
    for one in sessions:
        try:
            end_and_remove(home, one)
        except NsmlError as error:
            if len(sessions) == 1:
                raise
            failed += 1
            click.echo(f"warning: {error}", err=True)
            continue
        click.echo(f"Session {one.name} is removed")
    if failed:
        raise RunFailed(f"{failed} of the {len(sessions)} sessions of {session} are not removed")


def _status(session: Session) -> str:
    try:
        return session.status()
    except Damaged:
        return "damaged"
