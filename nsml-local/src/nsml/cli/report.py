"""`nsml report`: a page on what a checkpoint has learned, written by the session's own program."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..engine.report import write_report
from ..errors import NsmlError
from ..store.checkpoints import find_checkpoint
from ..store.copies import copy_out
from ..store.home import open_home
from .arguments import chosen_checkpoint, complete_checkpoints, complete_sessions_and_checkpoints
from .display import ProgramOutput


@click.command(
    epilog="""\b
Examples:
  nsml report FUNDUS_DEMO/1                 on checkpoint best, else the newest
  nsml report FUNDUS_DEMO/1 12 --open
  nsml report FUNDUS_DEMO/1:12 --out ./report

\b
The program is started as by submit, with --mode report --pause 1 --iteration CHECKPOINT,
and DATASET_PATH is that of training. nsml.paused loads the checkpoint and returns; the
program then writes report.html, and what belongs to it, into the folder that the
environment variable NSML_REPORT names. What it saves or reports meanwhile is not kept.
"""
)
@click.argument("session", metavar="SESSION[:CHECKPOINT]", shell_complete=complete_sessions_and_checkpoints)
@click.argument("checkpoint", required=False, metavar="[CHECKPOINT]", shell_complete=complete_checkpoints)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Also copy the report to this folder.")
@click.option("-f", "--force", is_flag=True, help="Overwrite files that are in DIR.")
@click.option("--open", "opens", is_flag=True, help="Show the page in the browser.")
def report(session: str, checkpoint: str | None, out: Path | None, force: bool, opens: bool) -> None:
    """Have a session's program write a page on what a checkpoint has learned."""
    home = open_home()
    found, kept = chosen_checkpoint(home, session)
    if checkpoint is not None:
        if ":" in session:
            raise NsmlError(f"CHECKPOINT: {session} names one already; leave {checkpoint} out")
        kept = find_checkpoint(found.checkpoints, checkpoint, str(found.name))
    if kept is None:
        kept = find_checkpoint(found.checkpoints, None, str(found.name))  # raises, and says why
    page = write_report(
        home, found, kept, say=lambda line: click.echo(line, err=True), on_output=ProgramOutput(sys.stdout).write
    )
    click.echo(f"Report on {found.name}, checkpoint {kept.name}: {page}")
    if out is not None:
        count = copy_out(page.parent, out, force=force, below=found.folder)
        click.echo(f"{count} files are in {out}")
    if opens:
        import webbrowser

        if not webbrowser.open(page.as_uri()):
            click.echo("warning: there is no browser to open it with", err=True)
