"""`nsml run`: start a session."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ..engine.entry import missing_reserved
from ..engine.launch import start_session
from ..errors import NsmlError
from ..store.datasets import find_dataset
from ..store.home import open_home
from .arguments import complete_datasets
from .display import size


@click.command(
    epilog="""\b
Examples:
  nsml run -d ODIR_FUNDUS
  nsml run -d ODIR_FUNDUS -e train.py -a "--epoch 5 --learning_rate 0.02" -m "first try"
"""
)
@click.option("-d", "--dataset", required=True, shell_complete=complete_datasets, help="The dataset to train on.")
@click.option("-e", "--entry", default="main.py", show_default=True, metavar="FILE", help="The Python file to start.")
@click.option(
    "-a", "--args", "arguments", default="", metavar="TEXT", help='Its arguments, as one text: -a "--epoch 5".'
)
@click.option("-m", "--memo", default="", metavar="TEXT", help="A line of text on the session.")
@click.option("-v", "--verbose", is_flag=True, help="Say what is copied.")
def run(dataset: str, entry: str, arguments: str, memo: str, verbose: bool) -> None:
    """Copy this folder and start its entry file as a session in the background.

    What `.nsmlignore` names (gitignore syntax) does not travel. Closing the terminal does not end the session; 'nsml logs -f
    SESSION' follows it.
    """
    try:
        words = shlex.split(arguments)
    except ValueError as error:
        raise NsmlError(f"-a {arguments!r}: {str(error).lower()}; close the quotation") from None
    home = open_home()
    session, taken = start_session(
        home, find_dataset(home, dataset), Path.cwd(), entry=entry, arguments=words, memo=memo
    )
    if verbose:
        click.echo(f"{taken.files} files, {size(taken.size)}", err=True)
    for name, reason in taken.left_out[:10]:
        click.echo(f"left out: {name} ({reason})", err=True)
    if len(taken.left_out) > 10:
        click.echo(f"left out: {len(taken.left_out) - 10} more", err=True)
    if warning := missing_reserved(session.code, entry):
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"Session {session.name} is started")
