"""`nsml exec`: evaluate an expression in a running session.  `nsml infer`: run infer of a session on inputs."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable

import click

from ..engine.ending import stop_session
from ..engine.launch import infer_session
from ..errors import NsmlError, RunFailed
from ..session.answering import ask, is_listening
from ..store.datasets import find_dataset
from ..store.home import open_home
from ..store.sessions import ENDED, QUEUED, Session, remove_session
from .arguments import complete_checkpoints, session_argument, session_named, session_with_checkpoint
from .limits import accepted


@click.command(
    "exec",
    epilog="""\b
Examples:
  nsml exec FUNDUS_DEMO/1 "epoch, lr"
  nsml exec FUNDUS_DEMO/1                read expressions from the terminal
""",
)
@session_argument()
@click.argument("expression", required=False, metavar="[EXPR]")
def exec_(session: str, expression: str | None) -> None:
    """Evaluate an expression in a running session. Its variables are those of the last nsml.report(scope=locals())."""
    running = session_named(open_home(), session)
    running.check_here()
    where = running.state().get("on")
    if running.status() in ENDED:
        raise RunFailed(f"session {running.name} has ended ({running.status()}); only a running session can evaluate")
    if running.status() == QUEUED:
        raise RunFailed(f"session {running.name} is queued; only a running session can evaluate")
    if where:  # as a job of Slurm
        from ..engine.slurm import exec_on_node

        words = () if expression is None else (expression,)
        sys.exit(subprocess.run(exec_on_node(running, *words), check=False).returncode)
    if not is_listening(running):
        raise RunFailed(f"session {running.name} has no scope; its program must call nsml.report(scope=locals(), ...)")
    if expression is not None:
        click.echo(ask(running, expression))
        return
    if _converse(lambda line: ask(running, line)) and not sys.stdin.isatty():
        raise RunFailed("not every expression could be evaluated")


@click.command(
    epilog="""\b
Examples:
  nsml infer FUNDUS_DEMO/1 best          then type the path of a photograph, or JSON
  ls *.jpg | nsml infer FUNDUS_DEMO/1 best
"""
)
@session_argument(with_checkpoint=True)
@click.argument("checkpoint", metavar="CHECKPOINT", required=False, shell_complete=complete_checkpoints)
@accepted("--esm", hidden=True)
def infer(session: str, checkpoint: str | None) -> None:
    """Predict inputs that you type with a checkpoint.

    A session loads it and runs infer on each input line: the path of a photograph, JSON, or text.
    """
    home = open_home()
    started = infer_session(home, *session_with_checkpoint(home, session, checkpoint))
    click.echo(f"Session {started.name} is started; type one input per line, Ctrl-D ends it", err=True)
    try:
        while not is_listening(started):
            if started.status() in ENDED:
                raise RunFailed(
                    f"session {started.name} ended before its first answer; 'nsml logs {started.name}' shows why "
                    "(its program must call nsml.paused after nsml.bind)"
                )
            time.sleep(0.05)
        failed = _converse(lambda line: _named(started, ask(started, line, timeout=3600)))
    finally:
        if started.status() not in ENDED:
            stop_session(started)
    if failed:
        raise RunFailed(
            f"{failed} inputs were not answered; 'nsml logs {started.name}' shows the output of the program"
        )
    remove_session(started)


def _named(session: Session, answer: str) -> str:
    """An answer that is the class of one photograph, with the name of the class behind a tab."""
    name = ""
    with contextlib.suppress(NsmlError):  # the dataset is gone
        name = find_dataset(open_home(), session.name.dataset).class_name(answer.strip("[] \n"))
    return f"{answer}\t{name}" if name else answer


def _converse(answer: Callable[[str], str]) -> int:
    """Answer input lines until the end; print errors, and return their number."""
    failed = 0
    terminal = sys.stdin.isatty()
    while True:
        if terminal:
            click.echo(">>> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return failed
        if not line.strip():
            continue
        try:
            click.echo(answer(line.rstrip("\n")))
        except RunFailed as error:
            failed += 1
            click.echo(f"nsml: {error}", err=True)
