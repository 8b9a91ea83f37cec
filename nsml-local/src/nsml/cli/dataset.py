"""`nsml dataset`: register, list and rank."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import click

from ..errors import Damaged
from ..store.datasets import find_dataset, list_datasets, push_dataset, remove_dataset
from ..store.home import open_home
from ..store.submissions import leaderboard
from .arguments import complete_datasets, json_option
from .display import ago, print_json, print_table, size

DEMO = "FUNDUS_DEMO"


@click.group()
def dataset() -> None:
    """Datasets: register, list, rank."""


@dataset.command(
    epilog="""\b
Example:
  nsml dataset push ODIR_FUNDUS ../shared/fundus/ODIR_FUNDUS

\b
PATH is laid out as on the platform:
  train/train_data/<CLASS>/*.jpg        test/test_data/*.jpg        test/test_label (FOLDER,FILE,LABEL lines)
  evaluation/data_loader.py and evaluation/evaluation.py, where the dataset brings its own scoring
"""
)
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--copy", is_flag=True, help="Copy the files instead of linking them.")
def push(name: str, path: Path, copy: bool) -> None:
    """Register the folder PATH as dataset NAME. The files are linked, not copied; the labels are kept from sessions."""
    pushed = push_dataset(open_home(), name, path, copy=copy)
    _describe(pushed.name)


def _describe(name: str) -> None:
    found = find_dataset(open_home(), name)
    record = found.record()
    classes = ", ".join(f"{k} {v}" for k, v in record["train"].items()) or "no class folders"
    scorer = "its own scorer" if found.evaluation.exists() else "the built-in scorer"
    labels = (
        f"hidden labels, {scorer}"
        if found.labels.exists() or found.evaluation.exists()
        else "no labels: it cannot be scored"
    )
    click.echo(
        f"Dataset {name}: {record['train_files']} training files ({classes}), {record['test_files']} test files, {labels}"
    )


@dataset.command(
    epilog="""\b
Example:
  nsml dataset demo
"""
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another seed, other pictures.")
@click.option("--name", default=DEMO, show_default=True, help="The name to register it under.")
def demo(seed: int, name: str) -> None:
    """Draw the made-up fundus photographs FUNDUS_DEMO and register them. They prove nothing about patients."""
    from ..demo import draw_dataset

    home = open_home()
    if any(d.name == name for d in list_datasets(home)):
        click.echo(f"Dataset {name} is there already")
        return
    began = shown = time.monotonic()
    terminal = sys.stderr.isatty()

    def show(done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if done < total and now - shown < (0.2 if terminal else 5):
            return
        shown = now
        rate = done / max(now - began, 1e-6)
        text = f"drawing {name}: {done} of {total}, {rate:.0f}/s, {(total - done) / rate:.0f} s left"
        click.echo(f"\r\x1b[K{text}" if terminal else text, nl=not terminal or done == total, err=True)

    # Beside the home, so that its files can be linked instead of copied.
    drawn = Path(tempfile.mkdtemp(prefix=".tmp-drawn-", dir=home.path))
    try:
        draw_dataset(drawn, seed=seed, progress=show)
        push_dataset(home, name, drawn, copy=True, origin=f"drawn by 'nsml dataset demo', seed {seed}")
    finally:
        shutil.rmtree(drawn, ignore_errors=True)
    _describe(name)


@dataset.command()
@json_option()
def ls(as_json: bool) -> None:
    """List the registered datasets."""
    rows = []
    for found in list_datasets(open_home()):
        try:
            rows.append((found, found.record()))
        except Damaged as error:
            click.echo(f"warning: {error}", err=True)
    if as_json:
        print_json([{"name": d.name, **record, "labels": d.labels.exists()} for d, record in rows])
        return
    print_table(
        ("Name", "Train", "Test", "Labels", "Size", "Pushed", "Classes"),
        [
            (
                d.name,
                str(r["train_files"]),
                str(r["test_files"]),
                "hidden" if d.labels.exists() else "none",
                size(r["size"]),
                ago(r["created_at"]),
                ", ".join(f"{k} {v}" for k, v in r["train"].items()),
            )
            for d, r in rows
        ],
        right=(1, 2),
    )
    if not rows:
        click.echo(
            "no dataset yet; 'nsml dataset push NAME PATH' registers one, 'nsml dataset demo' draws one", err=True
        )


@dataset.command(
    epilog="""\b
Example:
  nsml dataset board FUNDUS_DEMO
"""
)
@click.argument("name", shell_complete=complete_datasets)
@json_option()
def board(name: str, as_json: bool) -> None:
    """The leaderboard: each user's best score, the earlier first where scores tie."""
    home = open_home()
    if not (home.submissions / name).is_dir():
        find_dataset(home, name)
    ranks, warnings = leaderboard(home, name)
    for line in warnings:
        click.echo(f"warning: {line}", err=True)
    if as_json:
        print_json([{"rank": n, **vars(r)} for n, r in enumerate(ranks, 1)])
        return
    print_table(
        ("Rank", "User", "Score", "Session", "Checkpoint", "Submissions", "When"),
        [
            (
                str(n),
                r.user,
                f"{r.score:.10f}".rstrip("0").rstrip("."),
                r.session,
                r.checkpoint,
                str(r.submissions),
                ago(r.at),
            )
            for n, r in enumerate(ranks, 1)
        ],
        right=(0, 5),
    )
    if not ranks:
        click.echo(f"no submission on {name} yet; 'nsml submit SESSION CHECKPOINT' makes one", err=True)


@dataset.command()
@click.argument("name", shell_complete=complete_datasets)
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def rm(name: str, force: bool) -> None:
    """Forget a dataset. The organiser's files, the sessions and the leaderboard stay."""
    found = find_dataset(open_home(), name)
    if not force:
        click.confirm(f"Forget dataset {name}?", abort=True)
    remove_dataset(found)
    click.echo(f"Dataset {name} is removed")
