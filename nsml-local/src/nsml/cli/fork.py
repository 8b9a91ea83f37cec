"""`nsml fork` and `nsml resume`: continue from a checkpoint."""

from __future__ import annotations

from typing import Any

import click

from ..engine.entry import doubtful_reserved
from ..engine.halving import advance, is_dropped
from ..engine.launch import fork_session, restart_session, resume_session
from ..engine.notify import notify_at_the_end_of_sweep
from ..engine.queue import revive
from ..engine.words import split_arguments
from ..errors import NsmlError, RunFailed
from ..store.checkpoints import checkpoint_names
from ..store.home import open_home
from ..store.sessions import SWEEP, Session, match_sessions
from .arguments import complete_checkpoints, complete_sessions, session_and_checkpoint, session_argument
from .limits import limit_options, limits_from, queue_options, request_from, tell_start


@click.command(
    epilog="""\b
Examples:
  nsml fork FUNDUS_DEMO/1
  nsml fork FUNDUS_DEMO/1 -c best -a "--epoch 60"
  nsml fork FUNDUS_DEMO/1:best
"""
)
@session_argument(with_checkpoint=True)
@click.argument("checkpoint", required=False, metavar="[CHECKPOINT]", shell_complete=complete_checkpoints)
@click.option("-c", "--checkpoint", "option", metavar="CHECKPOINT", shell_complete=complete_checkpoints,
              help="The checkpoint.  [default: newest]")  # fmt: skip
@click.option(
    "-a",
    "--args",
    "arguments",
    multiple=True,
    metavar="TEXT",
    help="Arguments instead of the session's, as one text.",
)
@limit_options(cpus="--cpu")
@queue_options(may_refuse=True)
def fork(
    session: str,
    checkpoint: str | None,
    option: str | None,
    arguments: tuple[str, ...],
    gpus: int | None,
    cpus: int | None,
    memory: str | None,
    log_limit: str | None,
    **queue: Any,
) -> None:
    """Start a new session with the same code from a checkpoint."""
    home = open_home()
    if None not in (checkpoint, option):
        raise click.UsageError(
            f"CHECKPOINT: {checkpoint} and -c {option} both name a checkpoint; leave out one of them"
        )
    parent, checkpoint = session_and_checkpoint(home, session, option if checkpoint is None else checkpoint)
    request = request_from(home, gpus, like=parent, **queue)
    started = fork_session(
        home,
        parent,
        checkpoint,
        arguments=[word for text in arguments for word in split_arguments(text)] if arguments else None,
        limits=limits_from(gpus, cpus, memory, log_limit, request.engine),
        request=request,
    )
    _warn_doubtful_reserved(started)
    tell_start(home, started, f"Session {started.name} is started")


@click.command(
    epilog="""\b
Example:
  nsml resume FUNDUS_DEMO/1
  nsml resume "FUNDUS_DEMO/*"
  nsml resume FUNDUS_DEMO/sweep-1   those of its sessions that did not reach their end
  nsml resume --queued        after a restart of the machine
"""
)
@click.argument("session", metavar="SESSION", required=False, shell_complete=complete_sessions)
@click.option("--queued", is_flag=True, help="Let the sessions that waited when the machine went down wait on.")
@limit_options()
@queue_options(may_refuse=False)
def resume(
    session: str | None,
    queued: bool,
    gpus: int | None,
    cpus: int | None,
    memory: str | None,
    log_limit: str | None,
    **queue: Any,
) -> None:
    """Restart an ended session from its newest checkpoint. Log and metrics continue. '*' and '?' in the number name several."""
    if queued == (session is not None):
        raise click.UsageError("name a SESSION, or give --queued")
    home = open_home()
    revived = revive(home)
    if session is None:
        for ended in revived:
            click.echo(f"Session {ended.name} waits again")
        if not revived:
            click.echo("no queued session has lost its supervisor", err=True)
        return
    is_sweep = f"/{SWEEP}" in session
    resumed, failed = [], 0
    matching = match_sessions(home, session, home.user())
    for ended in matching:
        try:
            # Of a sweep, only what has not reached its end.
            if is_sweep and (status := ended.status()) in ("Exited", "Queued", "Starting", "Running"):
                click.echo(f"Session {ended.name} is {status} and stays so")
                continue
            if is_sweep and is_dropped(ended):
                click.echo(f"Session {ended.name} was dropped by --halve and stays so")
                continue
            request = request_from(home, gpus, like=ended, **queue)
            limits = limits_from(gpus, cpus, memory, log_limit, request.engine)
            if is_sweep and not checkpoint_names(ended.checkpoints):
                restart_session(home, ended, limits, request)
                how = "has no checkpoint and is started anew"
            else:
                how = f"is resumed from checkpoint {resume_session(home, ended, limits, request)}"
        except NsmlError as error:
            if len(matching) == 1:
                raise
            failed += 1
            click.echo(f"warning: {error}", err=True)
            continue
        resumed.append(ended)
        _warn_doubtful_reserved(ended)
        tell_start(home, ended, f"Session {ended.name} {how}")
    if is_sweep:
        advance(ended)
    for ended in {one.sweep_folder(): one for one in resumed}.values():
        notify_at_the_end_of_sweep(ended)
    if failed:
        raise RunFailed(f"{failed} of the {len(matching)} sessions of {session} are not resumed")


def _warn_doubtful_reserved(session: Session) -> None:
    if doubt := doubtful_reserved(session.code, session.record()["entry"]):
        click.echo(f"warning: {doubt}", err=True)
