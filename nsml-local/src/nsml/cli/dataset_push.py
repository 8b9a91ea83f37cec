"""`nsml dataset push` and `nsml dataset demo`: register a folder, or draw synthetic photographs."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import click

from ..demo import NAME, draw_dataset
from ..demo.table import NAME as TABLE
from ..demo.table import draw_table
from ..engine.isolation import why_not
from ..errors import NsmlError, RunFailed
from ..scoring.dataset_check import dataset_problems
from ..scoring.metrics import METRICS
from ..scoring.public import choose_public
from ..scoring.rules import read_rules, rules_in
from ..store.datasets import MARKS, RULES, Dataset, list_datasets, push_dataset, remove_dataset
from ..store.files import folder_beside, visible, writing
from ..store.home import open_home
from ..store.labels import LabelError, few, parse_classes
from ..store.photographs import photographs_below
from ..wording import counted, parse_duration, plain
from .display import erase_line, print_text
from .limits import accepted

_METRICS = "; ".join(f"{name}: {metric.help}" for name, metric in METRICS.items())


def _names(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...]:
    try:
        return () if text is None else parse_classes(text)
    except LabelError as error:
        raise NsmlError(f"--classes: {error}") from None


_metric_option = click.option(
    "--metric",
    type=click.Choice(list(METRICS)),
    help=f"The built-in scorer (unless given: fundus, or accuracy where the test data are no photographs). {_METRICS}.",
)
_classes_option = click.option(
    "--classes", callback=_names, metavar="A,B", help="The classes by label number, from 0, such as NORMAL,AMD,RVO,DMR."
)


@click.command(
    epilog="""\b
Examples:
  nsml dataset push ODIR_FUNDUS ../shared/fundus/ODIR_FUNDUS
  nsml dataset push EYES /data/eyes --metric auroc --every 1h
  nsml dataset push EYES /data/eyes --rules rules.toml

\b
PATH has the layout of the platform:
  train/train_data/<CLASS>/*.jpg
  test/test_data/*.jpg and test/test_label (one line FOLDER,FILE,LABEL per photograph)
  evaluation/data_loader.py and evaluation/evaluation.py, for a dataset with its own scoring

\b
Photographs may also lie in train/train_data itself, with a table train/labels.csv (or .tsv):
columns file and label, or file and one of 0 and 1 for each class; patient, eye and
camera if they are known.

\b
Label numbers: those of train/classes.txt (a class a line, from 0) or of --classes, else
NORMAL 0, AMD 1, RVO 2, DMR 3 if there are no other classes, else by name. push writes
train/classes.txt for programs, which find it below DATASET_PATH, or ask
nsml.training_photographs().
"""
)
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--copy", is_flag=True, help="Copy the files instead of linking them, so that no program can change those of PATH."
)
@_metric_option
@click.option("--lower-is-better", is_flag=True, help="Rank the lowest score first (always so for logloss and rmse).")
@click.option("--every", metavar="TIME", help="Minimum time between two submissions of a user, e.g. 1h, 30m, 90s.")
@click.option("--rules", type=click.Path(path_type=Path), metavar="FILE",
              help="The rules of a competition in TOML; 'nsml dataset rules --help' lists them.")  # fmt: skip
@click.option("--referee", type=click.Path(path_type=Path), metavar="SPOOL",
              help="The spool of the organiser's 'nsml referee', who has the labels and the rules.")  # fmt: skip
@_classes_option
@click.option("--isolate", is_flag=True,
              help="Copy the files and isolate all programs: none can read the labels or PATH (Linux, bubblewrap).")  # fmt: skip
@accepted("--private", hidden=True, is_flag=True)
def push(
    name: str,
    path: Path,
    copy: bool,
    metric: str | None,
    lower_is_better: bool,
    every: str | None,
    rules: Path | None,
    referee: Path | None,
    isolate: bool,
    classes: tuple[str, ...],
) -> None:
    """Register the folder PATH as dataset NAME. Files are linked, not copied; labels are hidden from sessions."""
    if isolate and (why := why_not()):
        raise RunFailed(f"--isolate: no program can be isolated on this machine: {why}; or push without it")
    wanted = read_rules(rules, {}) if rules else {}
    if referee:
        published = read_rules(referee / RULES, {})
        wanted |= {name: published[name] for name in ("metric", "lower_is_better") if name in published}
        wanted["referee"] = str(referee.absolute())
    if metric:
        wanted |= {"metric": metric, "lower_is_better": METRICS[metric].lower_is_better}
    if lower_is_better:
        wanted["lower_is_better"] = True
    if every is not None:
        wanted["every"] = parse_duration(every, "--every") or None
    home = open_home()
    pushed = push_dataset(
        home,
        name,
        path,
        copy=copy,
        rules=wanted,
        isolate=isolate,
        classes=classes,
    )
    print_text(describe(pushed))
    try:
        if line := choose_public(pushed, rules_in(pushed.record(), pushed)):
            click.echo(line)
    except NsmlError:
        remove_dataset(home, pushed)
        raise
    for problem in dataset_problems(pushed):
        click.echo(f"warning: {problem}", err=True)


@click.command(
    epilog="""\b
Example:
  nsml dataset check /data/eyes
"""
)
@click.argument("path", type=click.Path(path_type=Path))
@_metric_option
@_classes_option
def check(path: Path, metric: str | None, classes: tuple[str, ...]) -> None:
    """Say what push would say about PATH; nothing is registered. Exit status 1 if there are problems."""
    # In the home, as there are labels in it, and isolated programs see nothing of the home.
    with folder_beside(open_home().path) as folder:
        pushed = push_dataset(
            open_home(folder), "CHECKED", path, rules={"metric": metric} if metric else {}, classes=classes
        )
        print_text(describe(pushed, plain(str(path))))
        problems = dataset_problems(pushed)
    for problem in problems:
        click.echo(f"problem: {problem}", err=True)
    if problems:
        raise RunFailed(f"{len(problems)} problem{'s' * (len(problems) > 1)}")
    click.echo("No problems")


def describe(dataset: Dataset, name: str = "") -> str:
    """One line on the contents of a dataset. name: in place of its own."""
    record = dataset.record()
    classes = dataset.class_counts() or "no classes"
    scorer = "its own scorer" if dataset.evaluation.exists() else f"the built-in scorer {dataset.metric()}"
    labels = f"hidden labels, {scorer}" if dataset.labels.exists() else f"no labels, {scorer}"
    if not dataset.can_be_scored:
        missing = "a folder of labels, but no evaluation.py" if dataset.labels.exists() else "no labels"
        labels = f"{missing}: it cannot be scored"
    if (spool := dataset.referee()) is not None:
        labels = f"scored by the referee of {spool}"
        if dataset.labels.exists() or dataset.evaluation.exists():
            labels += "; warning: PATH holds labels or the scorer, which the teams could read: tell the organiser"
    train, test = record["train_files"], record["test_files"]
    note = "" if dataset.has_sides else "; it has no folder train/, so sessions can read all its files"
    train_side = dataset.training / "train"
    if dataset.has_sides and dataset.has_own_programs and not (train_side / "train_data").exists():
        there = few([entry.name for entry in visible(train_side) if entry.name != MARKS], 4)
        note += f"; programs have to know that train/ holds {there}" if photographs_below(train_side) else ""
    if record.get("left_out"):
        note += f"; not read as photographs: {record['left_out']}"
    if like := record.get("like_labels"):
        note += f"; hidden from sessions, as named like labels: {', '.join(like[:8])}"
    shown = dataset.submission / "test"
    if test and not dataset.loader.exists() and shown.is_dir() and not photographs_below(shown):
        note += "; infer gets the path of test/test_data, as it contains no photographs"
    if dataset.loader.exists() and (
        beside := sorted(p.name for p in dataset.loader.parent.iterdir() if p != dataset.loader)
    ):
        note += f"; its loader uses {', '.join(beside)}, which programs can read"
    if dataset.isolated():
        note += "; every program is isolated"
    return f"Dataset {name or dataset.name}: {counted(train, 'training file')} ({classes}), {counted(test, 'test file')}, {labels}{note}"


@click.command(
    epilog="""\b
Examples:
  nsml dataset demo
  nsml dataset demo --table             a table; it needs no NumPy and no OpenCV
"""
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another seed gives other photographs."
)
@click.option("--name", help=f"Name of the dataset.  [default: {NAME}, or {TABLE}]")
@click.option("--table", is_flag=True, help="A table of three classes in place of photographs.")
def demo(seed: int, name: str | None, table: bool) -> None:
    """Draw and register FUNDUS_DEMO, synthetic photographs. Results on them say nothing about patients."""
    home = open_home()
    name = name or (TABLE if table else NAME)
    if any(d.name == name for d in list_datasets(home)):
        click.echo(f"Dataset {name} already exists")
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
        if terminal:
            erase_line()
        click.echo(text, nl=not terminal or done == total, err=True)

    drawn = Path(tempfile.mkdtemp(prefix=".tmp-drawn-", dir=home.path))
    try:
        with writing(home.path):
            if table:
                draw_table(drawn, seed)
            else:
                draw_dataset(drawn, seed=seed, progress=show)
        origin = f"drawn by 'nsml dataset demo{' --table' * table}', seed {seed}"
        rules = {"metric": "accuracy" if table else "fundus"}
        pushed = push_dataset(home, name, drawn, copy=True, rules=rules, origin=origin)
    finally:
        shutil.rmtree(drawn, ignore_errors=True)
    print_text(describe(pushed))
