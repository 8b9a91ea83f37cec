"""`nsml memo` and `nsml command`: the memo of a session, and the command that starts it."""

from __future__ import annotations

import shlex

import click

from ..engine.words import run_words
from ..store.home import open_home
from .arguments import session_argument, session_named


@click.command(
    epilog="""\b
Example:
  nsml memo FUNDUS_DEMO/1 "without the local average"
"""
)
@session_argument()
@click.argument("text")
def memo(session: str, text: str) -> None:
    """Set the memo of a session, a line of text shown by 'nsml ps'."""
    chosen = session_named(open_home(), session)
    chosen.write_memo(text)
    click.echo(f"Session {chosen.name}: {chosen.memo()}")


@click.command(
    epilog="""\b
Example:
  nsml command FUNDUS_DEMO/1
"""
)
@session_argument()
def command(session: str) -> None:
    """Print the command that starts the same session again."""
    chosen = session_named(open_home(), session)
    words = run_words(chosen)
    if text := chosen.memo():
        words += ["-m", text]
    click.echo(shlex.join(words))
