"""`nsml check`: find problems before a submit."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from ..engine.check import check_project
from ..engine.entry import check_entry
from ..engine.requirements import Needs, missing_debian, missing_packages, read_needs
from ..engine.snapshot import list_snapshot
from ..errors import NsmlError, RunFailed
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
    "-d", "--dataset", shell_complete=complete_datasets, help="Also check that this dataset accepts submissions."
)
@click.option("-e", "--entry", default="main.py", show_default=True, metavar="FILE", help="The entry file.")
@json_option()
def check(dataset: str | None, entry: str, as_json: bool) -> None:
    """Check this folder for what would make a submit fail. Nothing is run; file and line are shown."""
    folder = Path.cwd()
    accepts = "" if dataset is None else _accepts(dataset)
    entry = check_entry(folder, entry)
    snapshot = list_snapshot(folder)
    findings = check_project(folder, entry, snapshot)
    errors = [f for f in findings if f.certain]
    if as_json:
        print_json([vars(f) for f in findings])
    else:
        click.echo(f"files of a session: {len(snapshot.files)}, {size(snapshot.size)}")
        needs = Needs()
        with contextlib.suppress(NsmlError):  # which is among the findings
            needs = read_needs(folder)
        if needs.image:
            click.echo(f"image {needs.image} is ignored: programs run in this machine's Python")
        if missing := missing_packages(needs):
            click.echo(f"the first run installs {', '.join(missing)}")
        if debian := missing_debian(needs):
            click.echo(f"warning: nsml_package.txt names missing packages; sudo apt-get install {' '.join(debian)}")
        for finding in findings:
            click.echo(f"{'error' if finding.certain else 'warning'}: {finding}")
    if accepts:
        click.echo(accepts, err=as_json)
    if not findings and not as_json:
        click.echo(f"ok: {entry} can be submitted")
    if errors:
        raise RunFailed(f"{len(errors)} {'problem' if len(errors) == 1 else 'problems'} would make a submit fail")


def _accepts(name: str) -> str:
    """A line on whether the dataset accepts submissions."""
    dataset = find_dataset(open_home(), name)
    if not (dataset.submission / "test").is_dir():
        return f"warning: dataset {name} has no test set, so nothing can be submitted"
    if dataset.referee() is None and not dataset.can_be_scored:
        return f"warning: dataset {name} has no labels, so only 'nsml submit -t' works"
    return f"ok: dataset {name} accepts submissions"
