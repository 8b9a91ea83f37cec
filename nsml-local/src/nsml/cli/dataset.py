"""`nsml dataset`: register datasets, list them, show leaderboards."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ..errors import Damaged, NsmlError, RunFailed
from ..scoring.public import choose_public
from ..scoring.rules import KEYS, as_toml, published, read_changes, read_rules, rules_in, rules_of
from ..store.datasets import RULES, find_dataset, list_datasets, remove_dataset, rename_dataset, scored_here
from ..store.files import read_text
from ..store.home import open_home
from ..store.submissions import counted_submissions, running_submission, submissions_of
from ..wording import ago, counted, size
from .arguments import Group, complete_datasets, json_option
from .dataset_board import board
from .dataset_push import check, demo, describe, push
from .display import print_json, print_table, print_text


@click.group(cls=Group)
def dataset() -> None:
    """Datasets: register, list, rank."""


dataset.add_command(push)
dataset.add_command(check)
dataset.add_command(demo)
dataset.add_command(board)


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
    print_text(describe(dataset))
    if classes := dataset.classes():
        numbered = [f"{number} {name}" for number, name in enumerate(classes)]
        print_text(f"Label numbers: {', '.join(numbered)}")
    rules = rules_of(dataset) if (spool := dataset.referee()) is None else published(spool)[0]
    print_text(f"Board: {', '.join(rules.describe())}")
    if left := rules.left(home.user(), counted_submissions(home, name, home.user()), time.time()):
        print_text(f"{home.user()}: {left}")
    print_text(f"Source: {record['source']}, {size(record['size'])}, pushed {ago(record['created_at'])}")


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
  public_share = 0.3               until the close, the board is of this share of the test set
  public_seed = 4711               another seed is another choice; unless given, a random one
  patient_pattern = '_(\\d+)_'      the patient in a file's name, public or private as a whole;
                                   unless given, the name up to _R, _L, _OD, _OS, _right or _left
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
    if (spool := dataset.referee()) is not None:
        if changes or file:
            raise NsmlError(f"the rules of dataset {name} are those of its referee; ask the organiser")
        if as_json:
            shown, _ = published(spool)
            print_json({key: getattr(shown, key) for key in KEYS if key != "public_seed"})
        else:
            click.echo(read_text(spool / RULES), nl=False)
        return
    before = after = rules_of(dataset)
    new: dict[str, Any] = {}
    if changes or file:
        with dataset.changing() as record:
            before = rules_in(record, dataset)
            new = read_rules(file, record) if file else {}
            new |= read_changes(changes, {**record, **new})
            if before.closed_at is not None and new.keys() - {"baselines"}:
                raise NsmlError(f"dataset {name} is closed, so its final ranking stays; only baselines can be changed")
            record |= new
            after = rules_in(record, dataset)
            of_public_part = ("metric", "public_share", "public_seed", "patient_pattern")
            is_other = any(getattr(before, key) != getattr(after, key) for key in of_public_part)
            if is_other and (line := choose_public(dataset, after)):
                click.echo(line, err=True)
    for key in KEYS:
        one, other = getattr(before, key), getattr(after, key)
        if one != other:
            click.echo(f"{key} is {'removed' if new.get(key, '') is None else 'changed'}", err=True)
    outdated = sum(r["outdated"] for r in submissions_of(home, name)[0])
    if new and outdated:
        are = "submission is" if outdated == 1 else "submissions are"
        click.echo(f"{outdated} {are} scored in another way; 'nsml dataset rescore {name}' scores again", err=True)
    if as_json:
        print_json({key: getattr(after, key) for key in (*KEYS, "closed_at")})
    else:
        click.echo(as_toml(after), nl=False)


@dataset.command()
@click.argument("name", shell_complete=complete_datasets)
@click.option("-f", "--force", is_flag=True, help="Do not ask, also before the deadline.")
def close(name: str, force: bool) -> None:
    """Close a competition, and rank by the private part. No submission is scored any more.

    Of each user, the better of the submissions that 'nsml submit --final' chose counts, else the best public one.
    """
    from ..scoring.rescoring import score_private

    home = open_home()
    dataset = scored_here(home, name)
    rules = rules_of(dataset)
    if rules.closed_at is not None:
        is_closed = f"was closed at {rules.when(rules.closed_at)}"
    else:
        is_closed = "is closed"
        if not force:
            early = rules.deadline is not None and time.time() < rules.deadline
            when = f" before its deadline, {rules.when(rules.deadline)}" if early and rules.deadline else ""
            click.confirm(f"Close dataset {name}{when}? It cannot be opened again", abort=True)
        with dataset.changing() as record:
            record["closed_at"] = record.get("closed_at") or time.time()
    failed = 0
    if rules.public_share is not None:
        scored = list(score_private(home, dataset))
        # Again only of a submission that was being scored at the close, or could not be.
        if scored or rules.closed_at is None:
            failed = _print_rescored(scored, "with a private score")
    ranking = "the ranking so far" if failed else "the final ranking"
    click.echo(f"Dataset {name} {is_closed}; 'nsml dataset board {name}' shows {ranking}")
    if (process := running_submission(home, name)) is not None:
        click.echo(f"a submit still runs (process {process}); close it again when that has ended", err=True)
    _check_all_scored(name, failed)


@dataset.command()
@click.argument("name", shell_complete=complete_datasets)
@click.argument("new")
def rename(name: str, new: str) -> None:
    """Rename a dataset, also in its sessions and on its leaderboard."""
    rename_dataset(open_home(), name, new)
    click.echo(f"Dataset {name} is now {new}")


@dataset.command()
@click.argument("name", shell_complete=complete_datasets)
def rescore(name: str) -> None:
    """Score stored predictions again after a change. That is, with the labels and the scorer of today."""
    from ..scoring.rescoring import rescore as rescore_all
    from ..scoring.rescoring import score_private

    home = open_home()
    dataset = scored_here(home, name)
    failed = _print_rescored(rescore_all(home, dataset), "rescored")
    if rules_of(dataset).order()["by_private"]:
        failed += _print_rescored(score_private(home, dataset), "with a private score")
    _check_all_scored(name, failed)


def _print_rescored(results: Iterable[tuple[Path, float | str]], what: str) -> int:
    """Print how many were scored, and a warning for each that was not; return the number of these."""
    count = failed = 0
    for folder, result in results:
        if isinstance(result, float):
            count += 1
        else:
            failed += 1
            click.echo(f"warning: submission {folder.name}: {result}", err=True)
    click.echo(f"{counted(count, 'submission')} {what}")
    return failed


def _check_all_scored(name: str, failed: int) -> None:
    if failed:
        raise RunFailed(
            f"{counted(failed, 'submission')} could not be scored; mend what the warnings name, then 'nsml dataset rescore {name}' "
            "scores the rest"
        )


@dataset.command()
@click.argument("name", shell_complete=complete_datasets)
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def rm(name: str, force: bool) -> None:
    """Remove a dataset that no running session uses. The organiser's files, the sessions and the leaderboard stay."""
    home = open_home()
    dataset = find_dataset(home, name)
    if not force:
        click.confirm(f"Remove dataset {name}?", abort=True)
    rules, isolated = None, False
    with contextlib.suppress(Damaged):
        isolated = dataset.isolated()
        rules = rules_in(dataset.record(), dataset)
    remove_dataset(home, dataset)
    if isolated:
        click.echo("it was isolated; push it with --isolate again, else programs can read the labels", err=True)
    if rules is not None and rules.limits_submissions():
        closed = ", and it was closed" if rules.closed_at is not None else ""
        click.echo(f"its rules are gone with it{closed}; 'nsml dataset push --rules FILE' sets them again:", err=True)
        click.echo(as_toml(rules), err=True, nl=False)
    click.echo(f"Dataset {name} is removed")
