"""`nsml dataset board`: the leaderboard with intervals, and the list of all submissions."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ..errors import NsmlError, install
from ..scoring.rules import Rules, published, rules_of
from ..store.datasets import Dataset, find_dataset
from ..store.home import Home, open_home
from ..store.submissions import Rank, failures_of, ranking, submissions_of
from ..wording import ago, no_formula, score
from .arguments import complete_datasets, json_option
from .display import print_json, print_table, print_text

_COLUMNS = ("rank", "user", "score", "private", "low", "high", "first_rank", "last_rank", "session", "checkpoint", "number",
            "submissions", "at", "final", "baseline", "outdated", "one_class", "constant")  # fmt: skip
_COLUMNS_OF_ALL = ("number", "user", "score", "private", "session", "checkpoint", "at", "final", "outdated", "one_class",
                   "refused", "error")  # fmt: skip


@click.command(
    epilog="""\b
Examples:
  nsml dataset board FUNDUS_DEMO
  nsml dataset board --mine FUNDUS_DEMO
  nsml dataset board --csv FUNDUS_DEMO > board.csv
  nsml dataset board --all --json FUNDUS_DEMO
"""
)
@click.argument("name", shell_complete=complete_datasets)
@click.option(
    "--mine", is_flag=True, help="Your own submissions, oldest first, failed and refused ones with the reason."
)
@click.option("--all", "everything", is_flag=True, help="The submissions of all users, in the same way.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV, for spreadsheets; times in UTC.")
@json_option()
def board(name: str, mine: bool, everything: bool, as_csv: bool, as_json: bool) -> None:
    """Show the leaderboard: each user's best score. In a tie, the earlier is first.

    Where a part of the test set is public, its scores are shown until 'nsml dataset close', and from then on both.
    Scores from other labels or another scorer than the dataset has now are listed separately, without a rank.

    With a built-in scorer, each score has its 95 % interval over the patients of the test set, and each user the ranks
    that chance leaves open: the order of two is certain where they differ significantly by a bootstrap over the patients.
    """
    home = open_home()
    dataset = find_dataset(home, name)
    if mine and everything:
        raise click.UsageError("--mine and --all exclude each other")
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other")
    user = home.user() if mine else None
    made, warnings = submissions_of(home, name, user)
    for line in warnings:
        click.echo(f"warning: {line}", err=True)
    if mine or everything:
        made = sorted([*made, *failures_of(home, name, user)], key=lambda r: float(r["at"]))
        if as_json:
            print_json(made)
        elif as_csv:
            _print_csv(_COLUMNS_OF_ALL, made)
        else:
            _print_submissions(made, dataset)
        return
    if (spool := dataset.referee()) is not None:
        _print_published(name, spool, as_csv, as_json)
        return
    rules = rules_of(dataset)
    ranks = ranking(made, **rules.order())
    intervals, note = board_intervals(home, dataset, [r for r in ranks if not r.outdated], rules)
    rows = [vars(rank) | intervals.get(rank.user, dict.fromkeys(_NO_INTERVAL)) for rank in ranks]
    if as_json:
        print_json(rows)
    elif as_csv:
        _print_csv(_COLUMNS, rows)
    else:
        _print_board(name, rules, made, rows, note, can_be_scored=dataset.can_be_scored)


def _print_published(name: str, spool: Path, as_csv: bool, as_json: bool) -> None:
    """The referee's board, by his rules."""
    rules, shown = published(spool)
    rows = [{**dict.fromkeys((*_COLUMNS, *_NO_INTERVAL)), **row} for row in shown["rows"]]
    if as_json:
        print_json(rows)
    elif as_csv:
        _print_csv(_COLUMNS, rows)
    else:
        _print_board(name, rules, rows, rows, str(shown.get("note", "")))
        print_text(f"Published by the referee {ago(shown['published_at'])}, ledger {shown['head']}")


_NO_INTERVAL = ("low", "high", "first_rank", "last_rank")


def board_intervals(
    home: Home, dataset: Dataset, ranks: Sequence[Rank], rules: Rules
) -> tuple[dict[str, dict[str, Any]], str]:
    """`low`, `high`, `first_rank` and `last_rank` by user, and a line on them, or why there are none."""
    if not ranks:
        return {}, ""
    try:
        from ..comparing.board import intervals
        from ..comparing.bootstrap import RESAMPLES
    except ImportError as error:
        missing = (error.name or str(error)).partition(".")[0]
        click.echo(f"{missing} is needed to show intervals; {install('compare')}", err=True)
        return {}, ""
    try:
        found, patients = intervals(home, dataset, ranks, rules)
    except (NsmlError, OSError) as error:
        return {}, f"No intervals: {error}"
    rows = {
        user: {
            "low": None if math.isnan(each.low) else each.low,
            "high": None if math.isnan(each.high) else each.high,
            "first_rank": each.first_rank or None,
            "last_rank": each.last_rank or None,
        }
        for user, each in found.items()
    }
    note = f"95 % intervals from {RESAMPLES:,} resamples of {patients:,} patients; the ranks hold for all users at once"
    return rows, note


def _print_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(name, row.get(name)) for name in columns])
    click.echo(text.getvalue(), nl=False)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in ("at", "final") and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")
    text = score(value) if isinstance(value, float) else f"{value}"
    return no_formula(text) if isinstance(value, str) else text


def _print_board(
    name: str,
    rules: Rules,
    made: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    note: str,
    can_be_scored: bool = True,
) -> None:
    now, before = ([row for row in rows if row["outdated"] is outdated] for outdated in (False, True))
    _print_ranks(now, rules)
    if not rows:
        tried = f"; '--all' lists the {len(made)} that failed or were refused" if made else ""
        makes = "'nsml submit SESSION CHECKPOINT' makes one" if can_be_scored else "it has no labels to score one by"
        click.echo(f"no submission on {name} yet; {makes}{tried}", err=True)
    if count := sum(r["outdated"] for r in made):
        submissions = f"{count} of {len(made)} submissions {'is' if count == 1 else 'are'}"
        print_text(
            f"\n{submissions} not ranked, as scored with other labels or another scorer; 'nsml dataset rescore {name}' scores again"
        )
    if before:
        print_text("Users with no other submission:")
        _print_ranks(before, rules)
    if note:
        print_text(note)
    # Of the dataset's labels and scorer, so the same for each rank.
    if constants := [row["constant"] for row in now if row["constant"] is not None]:
        where = "" if rules.public_share is None else " on the public part"
        print_text(f"The same answer for every photograph reaches at best {score(constants[0])}{where}")
    if any(row["one_class"] for row in rows):
        print_text("* all predictions are of one class")
    if rules.public_share is not None and not rules.order()["by_private"]:
        print_text(f"Scores are of the public part of the test set, {rules.public_share * 100:g} %, until the close")


def _print_ranks(ranks: Sequence[Mapping[str, Any]], rules: Rules) -> None:
    by_private = rules.order()["by_private"]
    has_intervals = any(row["low"] is not None for row in ranks)
    scores = ["Private", "Public"] if by_private else ["Score"] if rules.public_share is None else ["Public"]
    rows = []
    for row in ranks:
        public = score(row["score"]) + " *" * bool(row["one_class"])
        private = [] if not by_private else ["none" if row["private"] is None else score(row["private"])]
        rank = "baseline" if row["baseline"] else "-" if row["rank"] is None else str(row["rank"])
        interval = (
            [_range(row["low"], row["high"]), _range(row["first_rank"], row["last_rank"])] if has_intervals else []
        )
        cells = (row["session"], row["checkpoint"], str(row["submissions"]), ago(row["at"]))
        rows.append((rank, row["user"], *private, public, *interval, *cells))
    headings = ("Rank", "User", *scores, *(["Interval", "Ranks"] if has_intervals else []), "Session", "Checkpoint")
    whole = range(len(headings) - 1)
    print_table((*headings, "Submissions", "When"), rows, right=(0, len(headings)), whole=whole)


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "-"
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _print_submissions(made: Sequence[Mapping[str, Any]], dataset: Dataset) -> None:
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
    print_table(
        ("Number", "User", "Score", "Session", "Checkpoint", "When", "Remark"), rows, right=(0,), whole=(0, 2, 3)
    )


def _remark(record: Mapping[str, Any], dataset: Dataset) -> str:
    if "error" in record:
        times = record.get("refused", 1)
        # Without what each of them begins with, as a narrow terminal shows the beginning.
        reason = str(record["error"]).removeprefix("the referee says: ").removeprefix(f"dataset {dataset.name}: ")
        return reason + (f" ({times} times)" if times > 1 else "")
    remarks = ["scored with other labels"] if record["outdated"] else []
    if "private" in record:
        remarks.append(f"private {score(record['private'])}")
    if record["final"] is not None:
        remarks.append("final")
    if record["one_class"]:
        remarks.append(f"all predictions are {dataset.named(record['one_class'])}")
    return "; ".join(remarks)
