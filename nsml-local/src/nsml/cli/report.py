"""`nsml report`: a report on a checkpoint, written by the session's own program."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..engine.report import write_report
from ..store.checkpoints import find_checkpoint
from ..store.copies import copy_out
from ..store.home import open_home
from ..wording import counted
from .arguments import check_folder, chosen_checkpoint, complete_checkpoints, complete_sessions_and_checkpoints
from .display import ProgramOutput


@click.command(
    epilog="""\b
Examples:
  nsml report FUNDUS_DEMO/1                 checkpoint best, else the newest
  nsml report FUNDUS_DEMO/1 12 --open
  nsml report FUNDUS_DEMO/1:12 --out ./report

\b
The program starts as for a submit, with --mode report --pause 1 --iteration CHECKPOINT,
and DATASET_PATH as in training. nsml.paused loads the checkpoint and returns. Then the
program writes report.html and its other files to the folder in the environment variable
NSML_REPORT. Checkpoints and values that it saves or reports are discarded.
"""
)
@click.argument("session", metavar="SESSION[:CHECKPOINT]", shell_complete=complete_sessions_and_checkpoints)
@click.argument("checkpoint", required=False, metavar="[CHECKPOINT]", shell_complete=complete_checkpoints)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Also copy the report to this folder.")
@click.option("-f", "--force", is_flag=True, help="Overwrite existing files in DIR.")
@click.option("--open", "opens", is_flag=True, help="Open the report in the browser.")
def report(session: str, checkpoint: str | None, out: Path | None, force: bool, opens: bool) -> None:
    """Write a report on a checkpoint, with the session's own program."""
    home = open_home()
    if out is not None:
        check_folder(out, "--out")
    chosen, stored = chosen_checkpoint(home, session, checkpoint)
    if stored is None:
        stored = find_checkpoint(chosen.checkpoints, None, str(chosen.name))  # raises an error
    page = write_report(
        home, chosen, stored, say=lambda line: click.echo(line, err=True), on_output=ProgramOutput(sys.stdout).write
    )
    click.echo(f"Report on {chosen.name}, checkpoint {stored.name}: {page}")
    if out is not None:
        count = copy_out(page.parent, out, force=force, below=chosen.folder)
        click.echo(f"{counted(count, 'file')} copied to {out}")
    if opens:
        import webbrowser

        if not webbrowser.open(page.as_uri()):
            click.echo(f"warning: no browser was chosen; open {page} by hand", err=True)
