"""`nsml dataset`: register datasets, list them, show leaderboards."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from ..errors import Damaged
from ..scoring.rules import KEYS, as_toml, change_rules, read_changes, read_rules, rules_of
from ..store.datasets import Dataset, find_dataset, list_datasets, remove_dataset, rename_dataset
from ..store.home import open_home
from ..store.submissions import Rank, counted_submissions, failures_of, ranking, submissions_of
from ..wording import ago, counted, score, size
from .arguments import Group, complete_datasets, json_option
from .dataset_push import check, demo, describe, push
from .display import print_json, print_table


@click.group(cls=Group)
def dataset() -> None:
    """Datasets: register, list, rank."""


dataset.add_command(push)
dataset.add_command(check)
dataset.add_command(demo)


@dataset.command()
@json_option()
def ls(as_json: bool) -> None:
    """List the registered datasets."""
    _list("", as_json)


@dataset.command()
@click.argument("text")
@json_option()
def search(text: str, as_json: bool) -> None:
    """List the datasets whose name contains TEXT."""
    _list(text, as_json)


def _list(text: str, as_json: bool) -> None:
    rows = []
    for dataset in list_datasets(open_home()):
        if text.lower() not in dataset.name.lower():
            continue
        try:
            rows.append((dataset, dataset.record()))
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
                d.class_counts(),
            )
            for d, r in rows
        ],
        right=(1, 2),
    )
    if not rows:
        none = f"no dataset's name contains {text!r}" if text else "no dataset yet"
        click.echo(f"{none}; 'nsml dataset push NAME PATH' registers one, 'nsml dataset demo' draws one", err=True)


@dataset.command(
    epilog="""\b
Example:
  nsml dataset show FUNDUS_DEMO
"""
)
@click.argument("name", shell_complete=complete_datasets)
@json_option()
def show(name: str, as_json: bool) -> None:
    """Show the contents of a dataset and how it is scored."""
    home = open_home()
    dataset = find_dataset(home, name)
    record = dataset.record()
    if as_json:
        print_json({"name": name, **record, "labels": dataset.labels.exists()})
        return
    click.echo(describe(dataset))
    if classes := dataset.classes():
        numbered = [f"{number} {name}" for number, name in enumerate(classes)]
        click.echo(f"Label numbers: {', '.join(numbered)}")
    rules = rules_of(dataset)
    click.echo(f"Board: {', '.join(rules.describe())}")
    if left := rules.left(home.user(), counted_submissions(home, name, home.user()), time.time()):
        click.echo(f"{home.user()}: {left}")
    click.echo(f"Source: {record['source']}, {size(record['size'])}, pushed {ago(record['created_at'])}")


@dataset.command(
    epilog="""\b
Examples:
  nsml dataset rules EYES > rules.toml
  nsml dataset rules EYES per_day=5 deadline=2026-11-29T20:00:00
  nsml dataset rules EYES --set rules.toml

\b
The rules, as a file in TOML:
  metric = "kappa"                 a name that 'nsml dataset push --help' lists
  lower_is_better = false          unless given, as is usual for the metric
  every = "1h"                     time between two submissions of a user
  per_day = 3                      submissions of a user from midnight to midnight
  total = 30                       and in all
  time_zone = "Asia/Seoul"         unless given, that of this machine
  opens = 2026-11-27T09:00:00      no submission is scored before this time
  deadline = 2026-11-29T18:00:00   and none from this time on
  baselines = ["organiser"]        users without a rank, to whom only the close applies
"""
)
@click.argument("name", shell_complete=complete_datasets)
@click.argument("changes", nargs=-1, metavar="[RULE=VALUE]...")
@click.option(
    "--set", "file", type=click.Path(path_type=Path), metavar="FILE", help="Change the rules that FILE names."
)
@json_option()
def rules(name: str, changes: tuple[str, ...], file: Path | None, as_json: bool) -> None:
    """Show the rules of a dataset, or change some of them.

    RULE= without a value removes a rule. Submissions and scores stay.
    """
    home = open_home()
    dataset = find_dataset(home, name)
    before = rules_of(dataset)
    record = dataset.record()
    new = read_rules(file, record) if file else {}
    new |= read_changes(changes, {**record, **new})
    if new:
        change_rules(dataset, new)
    after = rules_of(dataset)
    for key in KEYS:
        one, other = getattr(before, key), getattr(after, key)
        if one != other:
            click.echo(f"{key} is changed", err=True)
    outdated = sum(r["outdated"] for r in submissions_of(home, name)[0])
    if new and outdated:
        click.echo(
            f"{outdated} submissions are scored in another way; 'nsml dataset rescore {name}' scores them again",
            err=True,
        )
    if as_json:
        print_json({key: getattr(after, key) for key in (*KEYS, "closed_at")})
    else:
        click.echo(as_toml(after), nl=False)


@dataset.command()
@click.argument("name", shell_complete=complete_datasets)
@click.argument("new")
def rename(name: str, new: str) -> None:
    """Rename a dataset, also in its sessions and on its leaderboard."""
    rename_dataset(open_home(), name, new)
    click.echo(f"Dataset {name} is now {new}")


@dataset.command(
    epilog="""\b
Examples:
  nsml dataset board FUNDUS_DEMO
  nsml dataset board --mine FUNDUS_DEMO
  nsml dataset board --all -j FUNDUS_DEMO
"""
)
@click.argument("name", shell_complete=complete_datasets)
@click.option(
    "--mine", is_flag=True, help="Your own submissions, oldest first, failed and refused ones with the reason."
)
@click.option("--all", "everything", is_flag=True, help="The submissions of all users, in the same way.")
@json_option()
def board(name: str, mine: bool, everything: bool, as_json: bool) -> None:
    """Show the leaderboard: each user's best score; in a tie, the earlier is first.

    Scores from other labels or another scorer than the dataset has now are listed separately, without a rank.
    """
    home = open_home()
    dataset = find_dataset(home, name)
    if mine and everything:
        raise click.UsageError("--mine and --all exclude each other")
    if mine or everything:
        _print_submissions(dataset, home.user() if mine else None, as_json)
        return
    made, warnings = submissions_of(home, name)
    for line in warnings:
        click.echo(f"warning: {line}", err=True)
    ranks = ranking(made, lower_is_better=dataset.lower_is_better())
    now = [r for r in ranks if not r.outdated]
    before = [r for r in ranks if r.outdated]
    if as_json:
        print_json([{"rank": n, **vars(r)} for n, r in enumerate(now, 1)] + [{"rank": None, **vars(r)} for r in before])
        return
    _print_ranks(now)
    if not ranks:
        click.echo(f"no submission on {name} yet; 'nsml submit SESSION CHECKPOINT' makes one", err=True)
    if count := sum(r["outdated"] for r in made):
        submissions = f"{count} of {len(made)} submissions {'is' if count == 1 else 'are'}"
        click.echo(
            f"\n{submissions} not ranked, as scored with other labels or another scorer; 'nsml dataset rescore {name}' scores again"
        )
    if before:
        click.echo("Users with no other submission:")
        _print_ranks(before)
    # Of the dataset's labels and scorer, so the same for each rank.
    if constants := [r.constant for r in now if r.constant is not None]:
        click.echo(f"The same answer for every photograph reaches at best {score(constants[0])}")
    if any(r.one_class for r in ranks):
        click.echo("* all predictions are of one class")


def _print_ranks(ranks: list[Rank]) -> None:
    print_table(
        ("Rank", "User", "Score", "Session", "Checkpoint", "Submissions", "When"),
        [
            (
                "-" if r.outdated else str(n),
                r.user,
                score(r.score) + " *" * bool(r.one_class),
                r.session,
                r.checkpoint,
                str(r.submissions),
                ago(r.at),
            )
            for n, r in enumerate(ranks, 1)
        ],
        right=(0, 5),
    )


def _print_submissions(dataset: Dataset, user: str | None, as_json: bool) -> None:
    home = open_home()
    made, warnings = submissions_of(home, dataset.name, user)
    made = sorted([*made, *failures_of(home, dataset.name, user)], key=lambda r: float(r["at"]))
    for line in warnings:
        click.echo(f"warning: {line}", err=True)
    if as_json:
        print_json(made)
        return
    rows = [
        (
            r["number"],
            r["user"],
            score(r["score"]) if "score" in r else "refused" if r.get("refused") else "failed",
            r["session"],
            r["checkpoint"],
            ago(r["at"]),
            _remark(r, dataset),
        )
        for r in made
    ]
    print_table(("Number", "User", "Score", "Session", "Checkpoint", "When", "Remark"), rows, right=(0,))


def _remark(record: dict[str, Any], dataset: Dataset) -> str:
    if "error" in record:
        times = record.get("refused", 1)
        return str(record["error"]) + (f" ({times} times)" if times > 1 else "")
    remarks = ["scored with other labels"] if record["outdated"] else []
    if record["one_class"]:
        remarks.append(f"all predictions are {dataset.named(record['one_class'])}")
    return "; ".join(remarks)


@dataset.command()
@click.argument("name", shell_complete=complete_datasets)
def rescore(name: str) -> None:
    """Score submissions again that were scored with other labels or another scorer, from their stored predictions."""
    from ..scoring.rescoring import rescore as rescore_all

    home = open_home()
    count = 0
    for folder, result in rescore_all(home, find_dataset(home, name)):
        if isinstance(result, float):
            count += 1
        else:
            click.echo(f"warning: submission {folder.name}: {result}", err=True)
    click.echo(f"{counted(count, 'submission')} rescored")


@dataset.command()
@click.argument("name", shell_complete=complete_datasets)
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def rm(name: str, force: bool) -> None:
    """Remove a dataset that no running session uses. The organiser's files, the sessions and the leaderboard stay."""
    home = open_home()
    dataset = find_dataset(home, name)
    if not force:
        click.confirm(f"Remove dataset {name}?", abort=True)
    remove_dataset(home, dataset)
    click.echo(f"Dataset {name} is removed")
