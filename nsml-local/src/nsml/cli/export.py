"""`nsml export`: sessions with arguments, values and curves, for other tools."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ..engine.exporting import Exported, export_csv, export_mlflow, export_tensorboard
from ..errors import NsmlError
from ..store.files import folder_beside
from ..store.home import open_home
from ..store.sessions import Session, list_sessions, match_sessions
from .arguments import complete_datasets, complete_sessions


@click.command(
    epilog="""\b
Examples:
  nsml export --csv sessions.csv
  nsml export --tensorboard runs FUNDUS_DEMO/sweep-1     tensorboard --logdir runs
  nsml export --mlflow store -d FUNDUS_DEMO
    mlflow ui --backend-store-uri sqlite:///store/mlflow.db
"""
)
@click.argument("sessions", metavar="[SESSION]...", nargs=-1, shell_complete=complete_sessions)
@click.option("-d", "--dataset", shell_complete=complete_datasets, help="Only sessions on this dataset.")
@click.option("--csv", metavar="FILE", help="A line for each report, for a spreadsheet or pandas; '-' is stdout.")
@click.option("--tensorboard", type=click.Path(path_type=Path), metavar="DIR", help="Event files, in a new folder.")
@click.option("--mlflow", type=click.Path(path_type=Path), metavar="DIR", help="An SQLite store, in a new folder.")
@click.option("-f", "--force", is_flag=True, help="Overwrite FILE.")
def export(
    sessions: tuple[str, ...],
    dataset: str | None,
    csv: str | None,
    tensorboard: Path | None,
    mlflow: Path | None,
    force: bool,
) -> None:
    """Write sessions and their values for other tools. By default all of this home, with arguments and curves."""
    if sum(target is not None for target in (csv, tensorboard, mlflow)) != 1:
        raise click.UsageError("give one of --csv FILE, --tensorboard DIR and --mlflow DIR")
    if sessions and dataset:
        raise click.UsageError("-d and SESSION both choose sessions; give one of them")
    home = open_home()
    named = {one.name: one for text in sessions for one in match_sessions(home, text, home.user())}
    chosen = list(named.values()) if sessions else list_sessions(home, dataset=dataset)
    if dataset and not chosen:
        raise NsmlError(f"-d {dataset}: there is no session on it; 'nsml dataset ls' lists the datasets")
    if csv is not None:
        if csv != "-" and Path(csv).is_file() and not force:
            raise NsmlError(f"--csv: {csv} exists; -f overwrites it")
        done = export_csv(chosen, sys.stdout) if csv == "-" else _write_csv(chosen, Path(csv))
    elif tensorboard is not None:
        done = export_tensorboard(chosen, tensorboard)
    else:
        assert mlflow is not None
        done = export_mlflow(chosen, mlflow)
    for line in done.damage:
        click.echo(f"warning: {line}", err=True)
    if done.left_out:
        click.echo(f"left out: {done.left_out:,} reported values that are no numbers", err=True)
    click.echo(f"{done.sessions} sessions are in {csv or tensorboard or mlflow}", err=csv == "-")


def _write_csv(sessions: Sequence[Session], path: Path) -> Exported:
    if path.is_dir():
        raise NsmlError(f"--csv: {path} is a folder; name a file")
    if not path.absolute().parent.is_dir():
        raise NsmlError(f"--csv: there is no folder {path.absolute().parent}; make it first")
    with folder_beside(path.absolute().parent) as beside:
        with open(beside / "csv", "w", encoding="utf-8", newline="") as file:
            done = export_csv(sessions, file)
        os.replace(beside / "csv", path)
    return done
