"""`nsml check`: what would fail at submit."""

from __future__ import annotations

from pathlib import Path

import click

from ..engine.check import check_project
from ..engine.entry import check_entry
from ..engine.requirements import missing_debian, missing_packages, read_needs
from ..engine.snapshot import list_snapshot
from ..errors import RunFailed
from ..store.datasets import find_dataset
from ..store.home import open_home
from ..wording import size
from .arguments import complete_datasets, json_option
from .display import print_json


@click.command(
    epilog="""\b
Examples:
  nsml check
  nsml check -d FUNDUS_DEMO -e train.py
"""
)
@click.option(
    "-d", "--dataset", shell_complete=complete_datasets, help="Also look whether this dataset can be submitted to."
)
@click.option("-e", "--entry", default="main.py", show_default=True, metavar="FILE", help="The entry file.")
@json_option()
def check(dataset: str | None, entry: str, as_json: bool) -> None:
    """Read this folder, run nothing, and say what would fail at submit, with file and line."""
    folder = Path.cwd()
    entry = check_entry(folder, entry)
    travelling = list_snapshot(folder)
    found = check_project(folder, entry, travelling)
    certain = [f for f in found if f.certain]
    if as_json:
        print_json([vars(f) for f in found])
    else:
        click.echo(f"{len(travelling.files)} files travel, {size(travelling.size)}")
        needs = read_needs(folder)
        if missing := missing_packages(needs):
            click.echo(f"to be installed at the first run: {', '.join(missing)}")
        if debian := missing_debian(needs):
            click.echo(f"warning: nsml_package.txt names what is missing; sudo apt-get install {' '.join(debian)}")
        for finding in found:
            click.echo(f"{'error' if finding.certain else 'warning'}: {finding}")
        if dataset is not None:
            _check_dataset(dataset)
        if not found:
            click.echo(f"ok: nothing in {entry} stands in the way of a submit")
    if certain:
        raise RunFailed(f"{len(certain)} {'thing' if len(certain) == 1 else 'things'} would make a submit fail")


def _check_dataset(name: str) -> None:
    found = find_dataset(open_home(), name)
    if not (found.submission / "test").is_dir():
        click.echo(f"warning: dataset {name} has no test set, so nothing can be submitted")
    elif not found.can_be_scored:
        click.echo(f"warning: dataset {name} has no labels, so only 'nsml submit -t' works")
    else:
        click.echo(f"ok: dataset {name} can be submitted to")
