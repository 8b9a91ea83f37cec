"""`nsml fork` and `nsml resume`: continue from a checkpoint."""

from __future__ import annotations

import click

from ..engine.entry import doubtful_reserved
from ..engine.launch import fork_session, resume_session
from ..engine.words import split_arguments
from ..store.home import open_home
from ..store.sessions import Session, match_sessions
from .arguments import complete_checkpoints, session_argument, session_named
from .limits import limit_options, limits_from


@click.command(
    epilog="""\b
Examples:
  nsml fork FUNDUS_DEMO/1
  nsml fork FUNDUS_DEMO/1 -c best -a "--epoch 60"
"""
)
@session_argument()
@click.option("-c", "--checkpoint", metavar="CHECKPOINT", shell_complete=complete_checkpoints, help="[default: newest]")
@click.option(
    "-a",
    "--args",
    "arguments",
    multiple=True,
    metavar="TEXT",
    help="Arguments instead of the session's, as one text.",
)
@limit_options(cpus="--cpu")
def fork(
    session: str,
    checkpoint: str | None,
    arguments: tuple[str, ...],
    gpus: int | None,
    cpus: int | None,
    memory: str | None,
    log_limit: str | None,
) -> None:
    """Start a new session with the same code from a checkpoint."""
    home = open_home()
    started = fork_session(
        home,
        session_named(home, session),
        checkpoint,
        arguments=[word for text in arguments for word in split_arguments(text)] if arguments else None,
        limits=limits_from(home, gpus, cpus, memory, log_limit),
    )
    _warn_doubtful_reserved(started)
    click.echo(f"Session {started.name} is started")


@click.command(
    epilog="""\b
Example:
  nsml resume FUNDUS_DEMO/1
  nsml resume "FUNDUS_DEMO/*"
"""
)
@session_argument()
@limit_options()
def resume(session: str, gpus: int | None, cpus: int | None, memory: str | None, log_limit: str | None) -> None:
    """Restart an ended session from its newest checkpoint ('*' and '?' in the number); log and metrics continue."""
    home = open_home()
    for ended in match_sessions(home, session, home.user()):
        name = resume_session(home, ended, limits_from(home, gpus, cpus, memory, log_limit))
        _warn_doubtful_reserved(ended)
        click.echo(f"Session {ended.name} is resumed from checkpoint {name}")


def _warn_doubtful_reserved(session: Session) -> None:
    if doubt := doubtful_reserved(session.code, session.record()["entry"]):
        click.echo(f"warning: {doubt}", err=True)
