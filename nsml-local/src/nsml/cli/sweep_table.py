"""The table of `nsml compare --sweep`: the sessions of a sweep, the best one first, and how much the best one flatters itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from ..comparing import FILE
from ..engine.halving import describe
from ..engine.sweep import rank_by_reported
from ..errors import Damaged, NsmlError, install
from ..store.files import is_number
from ..store.home import Home
from ..store.metrics import last_summary
from ..store.sessions import Session
from ..wording import counted, plain
from .arguments import chosen_checkpoint, sweep_sessions
from .display import print_json, print_table, print_text

if TYPE_CHECKING:
    from ..comparing.choosing import Choice


def show_sweep(home: Home, text: str, as_json: bool) -> None:
    """Print the table. Ranked by accuracy on the validation predictions, else by a value that the sessions reported."""
    sessions = sweep_sessions(home, text)
    halving, left = describe(sessions[0])
    while True:
        rows = _rows(home, sessions, left if halving else sessions)
        choice, note = _choice(rows)
        # Else a running session has saved its checkpoint anew since, and what was compared is gone.
        if all(row["_checkpoint"] is None or row["_checkpoint"].folder.exists() for row in rows):
            break
    rows, column = _ranked(rows, choice)
    if choice is not None:
        note = _flattery(rows, choice)
    for row in rows:
        row["shown"] = _cell(row)
    if as_json:
        for row in rows:
            del row["_checkpoint"]
        corrected = None if choice is None or math.isnan(choice.corrected) else choice.corrected
        print_json(
            {"sessions": rows, "ranked_by": column, "corrected_accuracy": corrected, "note": note, "halving": halving}
        )
        return
    names = list(dict.fromkeys(name for row in rows for name in row["point"]))
    print_table(
        ("Session", "Status", *names, column),
        [
            (
                row["session"],
                f"{row['status']}, dropped" if row["dropped"] else row["status"],
                *(row["point"].get(name, "") for name in names),
                row["shown"],
            )
            for row in rows
        ],
    )
    for line in filter(None, (note, halving)):
        print_text(f"\n{line}")


def _rows(home: Home, sessions: list[Session], left: list[Session]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for session in sessions:
        try:
            _, checkpoint = chosen_checkpoint(home, str(session.name))
            status = session.status()
        except Damaged as error:
            click.echo(f"warning: {error}", err=True)
            continue
        reported = (checkpoint.summary if checkpoint else None) or last_summary(session.folder)
        rows.append(
            {"session": str(session.name), "status": status, "point": session.sweep()[1]}
            | {"dropped": session not in left}
            | {"checkpoint": checkpoint and checkpoint.name, "reported": reported, "_checkpoint": checkpoint}
        )
    return rows


def _choice(rows: list[dict[str, Any]]) -> tuple[Choice | None, str]:
    """Accuracies of the sessions with predictions, which are put into their rows; else why there are none."""
    with_file = [row for row in rows if row["_checkpoint"] is not None and row["_checkpoint"].holds(FILE)]
    if len(with_file) < 2:
        return None, f"Intervals need predictions: have the program write {FILE} ('nsml compare --help')."
    try:
        from ..comparing.choosing import choose
        from ..comparing.predictions_file import read_predictions
    except ImportError as error:
        missing = (error.name or str(error)).partition(".")[0]
        raise NsmlError(f"{missing} is needed to compare sessions; {install('compare')}") from None
    try:
        for row in with_file:
            row["_checkpoint"].verify(FILE)
        read = [read_predictions(row["_checkpoint"].model / FILE, f"{FILE} of {row['session']}") for row in with_file]
        choice = choose(read, [row["session"] for row in with_file])
    except NsmlError as error:
        return None, f"Without intervals: {error}."
    for row, accuracy in zip(with_file, choice.accuracies, strict=True):
        row["accuracy"] = {"value": accuracy.value, "low": accuracy.low, "high": accuracy.high}
    return choice, ""


def _ranked(rows: list[dict[str, Any]], choice: Choice | None) -> tuple[list[dict[str, Any]], str]:
    """The rows, best first, those without a value last; and what they are ranked by."""
    if choice is not None:
        return sorted(rows, key=lambda row: -row["accuracy"]["value"] if "accuracy" in row else 1.0), "accuracy, %"
    name, order = rank_by_reported([row["reported"] for row in rows])
    for row in rows:
        row["value"] = value if is_number(value := row["reported"].get(name)) else None
    return [rows[place] for place in order], plain(name) or "reported"


def _cell(row: dict[str, Any]) -> str:
    if "accuracy" in row:
        value, low, high = (f"{100 * row['accuracy'][name]:.1f}" for name in ("value", "low", "high"))
        return f"{value} ({low} to {high})"
    reported = row.get("value")
    return "" if reported is None else f"{reported:.4g}"


def _flattery(rows: list[dict[str, Any]], choice: Choice) -> str:
    best, count = 100 * rows[0]["accuracy"]["value"], len(choice.accuracies)
    text = f"95 % intervals over {counted(choice.patients, 'patient')}. The best of {count} flatters itself, since it was chosen on them: "
    if math.isnan(choice.corrected):
        return f"{text}by how much is uncertain with so few patients."
    return (
        f"{text}{best:.1f} %, of which {100 * choice.corrected:.1f} % are left for patients that the choice has not seen "
        "(BBC-CV, Tsamardinos et al. 2018)."
    )
