"""`nsml memo` and `nsml command`: what a session is, and how it was started."""

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
    """Set the memo of a session, a line of text that 'nsml ps' shows."""
    found = session_named(open_home(), session)
    found.write_memo(text)
    click.echo(f"Session {found.name}: {found.memo()}")


@click.command(
    epilog="""\b
Example:
  nsml command FUNDUS_DEMO/1
"""
)
@session_argument()
def command(session: str) -> None:
    """Print the command that starts such a session again."""
    found = session_named(open_home(), session)
    words = run_words(found)
    if text := found.memo():
        words += ["-m", text]
    click.echo(shlex.join(words))
