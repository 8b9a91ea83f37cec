"""`nsml compare`: is one checkpoint better than another, or may the difference be chance?"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..comparing import FILE
from ..engine.differences import arguments_of, differing_files, pairs
from ..errors import Damaged, NsmlError, RunFailed, install
from ..scoring.guessing import beats
from ..scoring.rules import rules_of
from ..store.checkpoints import Checkpoint
from ..store.datasets import Dataset
from ..store.files import is_number
from ..store.home import Home, open_home
from ..store.metrics import last_summary, read_metrics, shown
from ..store.sessions import Session
from ..store.submissions import submissions_of
from ..wording import counted, plain, score
from .arguments import chosen_checkpoint, complete_sessions_and_checkpoints, json_option
from .display import print_json, print_table, print_text

if TYPE_CHECKING:
    from ..comparing.bootstrap import Compared, Estimate
    from ..comparing.matching import Pair
    from ..comparing.predictions_file import Predictions
    from ..comparing.verdict import McNemar, Verdict

_TITLES = {
    "accuracy": "accuracy, %",
    "balanced_accuracy": "balanced accuracy, %",
    "macro_auc": "macro AUC",
    "fundus_score": "fundus score",
}
_NAMED_FILES = 6


@dataclass(frozen=True)
class _Side:
    """One of the two sides: a session and its checkpoint (None if it has no checkpoint)."""

    session: Session
    checkpoint: Checkpoint | None

    def __str__(self) -> str:
        return plain(f"{self.session.name}:{self.checkpoint.name}" if self.checkpoint else str(self.session.name))

    @property
    def stores_predictions(self) -> bool:
        return self.checkpoint is not None and self.checkpoint.holds(FILE)


@click.command(
    epilog="""\b
Examples:
  nsml compare FUNDUS_DEMO/1 FUNDUS_DEMO/2
  nsml compare FUNDUS_DEMO/1:5 FUNDUS_DEMO/1:best
  nsml compare --sweep FUNDUS_DEMO/sweep-1

\b
To be compared, a program stores its validation predictions as validation.csv in
the folder of its save hook, with a column of probabilities for each class:
  sample,patient,label,NORMAL,AMD
  AMD/Wide_AMD_12_R.jpg,12,AMD,0.125,0.875
label is the name of the true class. If a patient is unknown, repeat the sample.
Without this file, the command shows the last reported values side by side.
"""
)
@click.argument(
    "first", required=False, metavar="SESSION[:CHECKPOINT]", shell_complete=complete_sessions_and_checkpoints
)
@click.argument(
    "second", required=False, metavar="SESSION[:CHECKPOINT]", shell_complete=complete_sessions_and_checkpoints
)
@click.option("--sweep", metavar="SWEEP", help="Rank the sessions of a sweep instead, as DATASET/sweep-1.")
@json_option()
def compare(first: str | None, second: str | None, sweep: str | None, as_json: bool) -> None:
    """Compare two checkpoints: is B better, or is it chance?

    Uses validation predictions: accuracy, balanced accuracy, macro AUC (one class against the rest) and, for at most four
    classes, the score of the fundus competition, with 95 % intervals from 2,000 resamples of the patients, and McNemar's
    exact test. Each is also compared with guessing: the largest class for every sample. The default checkpoint is 'best',
    else the newest.

    The intervals cover the choice of validation patients, not the seed of the training: train with several seeds to see
    that. A checkpoint chosen on this validation set, as 'best' is, scores slightly too high.
    """
    home = open_home()
    if sweep is not None:
        if first is not None:
            raise click.UsageError("--sweep stands alone, without SESSION")
        from .sweep_table import show_sweep

        show_sweep(home, sweep, as_json)
        return
    if first is None or second is None:
        raise click.UsageError("Missing argument 'SESSION[:CHECKPOINT]'; name two, or --sweep SWEEP")
    a, b = _side(home, first), _side(home, second)
    arguments = {k: v for k, v in pairs(arguments_of(a.session), arguments_of(b.session)).items() if v[0] != v[1]}
    files = _changes(a.session, b.session)
    scored = {"first": _submitted(home, a), "second": _submitted(home, b)}
    result: dict[str, Any] = {"first": str(a), "second": str(b), "arguments": arguments, "files": files}
    result["submitted"] = scored
    lines = [
        f"A  {a}",
        f"B  {b}",
        f"Arguments: {_arguments_line(arguments)}",
        f"Code: {_code_line(files)}",
        *_submitted_lines(scored["first"], scored["second"]),
    ]
    if a.session.name == b.session.name and _place(a) == _place(b):
        _show(as_json, {**result, "kind": "same"}, [*lines, "", f"A and B are the same: {a}."])
    elif a.stores_predictions and b.stores_predictions:
        _compare_predictions(a, b, result, lines, as_json)
    else:
        _compare_reported(a, b, result, lines, as_json)


def _side(home: Home, text: str) -> _Side:
    return _Side(*chosen_checkpoint(home, text))


def _submitted(home: Home, side: _Side) -> dict[str, Any] | None:
    """The last score of a checkpoint by the labels and scorer of now; None if there is none."""
    if side.checkpoint is None:
        return None
    dataset = side.session.name.dataset
    records, _ = submissions_of(home, dataset)
    wanted = (str(side.session.name), side.checkpoint.name)
    # A checkpoint that was saved again since is another one.
    saved = side.checkpoint.saved_at
    own = [r for r in records if (r["session"], r["checkpoint"]) == wanted and r["at"] >= saved and not r["outdated"]]
    if not own:
        return None
    shown = {name: own[-1][name] for name in ("score", "constant", "one_class")}
    lower = above = None
    name = shown["one_class"]
    with contextlib.suppress(Damaged):  # the dataset is gone
        registered = Dataset(dataset, home.datasets / dataset)
        lower = rules_of(registered).lower_is_better
        name = None if name is None else registered.named(name)
        above = None if shown["constant"] is None else beats(shown["score"], shown["constant"], lower)
    return {**shown, "class_name": name, "lower_is_better": lower, "beats_constant": above}


def _submitted_lines(first: dict[str, Any] | None, second: dict[str, Any] | None) -> list[str]:
    parts, constants = [], []
    for name, submitted in (("A", first), ("B", second)):
        if submitted is None:
            continue
        remarks = (
            [f"all predictions are {plain(submitted['class_name'])}"] if submitted["one_class"] is not None else []
        )
        if submitted["beats_constant"] is False:
            place = "below" if submitted["lower_is_better"] else "above"
            remarks.append(f"not {place} the same answer for every photograph")
        parts.append(f"{name} {score(submitted['score'])}" + (f" ({', '.join(remarks)})" if remarks else ""))
        if submitted["constant"] is not None:
            constants.append(f"the same answer for every photograph reaches at best {score(submitted['constant'])}")
    return [f"Submitted: {'; '.join([', '.join(parts), *dict.fromkeys(constants)])}"] if parts else []


def _place(side: _Side) -> object:
    return side.checkpoint and side.checkpoint.folder


def _changes(one: Session, other: Session) -> dict[str, tuple[int, int]] | None:
    """Added and removed lines by differing file; None if the code of a session is missing."""
    if not (one.has_code and other.has_code):
        return None
    return {
        name: tuple(sum(line.startswith(sign) for line in lines[2:]) for sign in "+-")  # type: ignore[misc]
        for name, lines in differing_files(one, other).items()
    }


def _arguments_line(arguments: dict[str, tuple[Any, Any]]) -> str:
    shown = (f"{k} {' -> '.join('(none)' if v is None else str(v) for v in both)}" for k, both in arguments.items())
    return plain(", ".join(shown)).replace("\n", " ") or "the same"


def _code_line(files: dict[str, tuple[int, int]] | None) -> str:
    if files is None:
        return "unknown, as a session has no copy of its code"
    shown = [plain(f"{k} ({f'+{new} -{old}' if new or old else 'not text'})") for k, (new, old) in files.items()]
    rest = [f"and {len(shown) - _NAMED_FILES} more files"] if len(shown) > _NAMED_FILES else []
    return ", ".join([*shown[:_NAMED_FILES], *rest]) or "the same"


def _show(as_json: bool, result: dict[str, Any], lines: list[str]) -> None:
    if as_json:
        print_json(result)
        return
    for line in lines:
        print_text(line)


def _compare_predictions(a: _Side, b: _Side, result: dict[str, Any], lines: list[str], as_json: bool) -> None:
    with _needed():
        from ..comparing import bootstrap, matching, verdict

        pair = matching.match(_predictions(a), _predictions(b), (str(a), str(b)))
        test = verdict.mcnemar(pair)
        figures = bootstrap.compare(pair)
        accuracy = figures["accuracy"]
        judged = verdict.judge(accuracy.difference, test, pair.patient_count)
    if as_json:
        print_json({**result, "kind": "predictions", **_as_json(pair, figures, test, judged)})
        return
    _show(False, result, [*lines, *_notes(pair), ""])
    rows = [
        (_TITLES[name], *(_cell(name, e, e is c.difference) for e in (c.first, c.second, c.difference)))
        for name, c in figures.items()
    ]
    print_table(("", "A", "B", "B - A"), rows, stack=True)
    guess = f"always {plain(pair.classes[pair.largest_class])}"
    rows = [
        (_TITLES[name], *(_cell(name, e, e is not c.constant) for e in (c.constant, c.first_gain, c.second_gain)))
        for name, c in figures.items()
    ]
    print_text()
    print_table(("", guess, f"A - {guess}", f"B - {guess}"), rows, stack=True)
    dependent = " (as if each sample were a patient)" if pair.patient_count < len(pair.labels) else ""
    print_text(
        f"\nMcNemar's exact test: {counted(test.only_first, 'sample')} only A gets right, {test.only_second} only B, "
        f"p = {test.p:.2g}{dependent}"
    )
    doubts = ""
    for name, side, gain in (("A", pair.first, accuracy.first_gain), ("B", pair.second, accuracy.second_gain)):
        if gain.value <= 0:
            print_text(f"{name} is not above the same answer for every photograph by accuracy")
        if (only := pair.only_class(side)) is not None:
            doubts += f" {name} predicts {plain(only)} for all {len(pair.labels):,} samples: it may have collapsed."
    print_text(f"Accuracy: {judged.sentence}{doubts}")


@contextlib.contextmanager
def _needed() -> Iterator[None]:
    """Turn an ImportError of NumPy or SciPy into a message with the command that installs it."""
    try:
        yield
    except ImportError as error:
        missing = (error.name or str(error)).partition(".")[0]
        raise NsmlError(f"{missing} is needed to compare checkpoints; {install('compare')}") from None


def _predictions(side: _Side) -> Predictions:
    from ..comparing.predictions_file import check_size, read_predictions

    assert side.checkpoint is not None
    path, where = side.checkpoint.model / FILE, f"{FILE} of {side}"
    check_size(path, where)
    side.checkpoint.verify(FILE)
    return read_predictions(path, where)


def _notes(pair: Pair) -> list[str]:
    samples, patients = len(pair.labels), pair.patient_count
    notes = [f"{counted(samples, 'sample')} of {counted(patients, 'patient')}; 95 % intervals in brackets"]
    if pair.only_first or pair.only_second:
        notes.insert(
            0,
            f"The validation sets differ: compared on the {samples:,} samples in both, "
            f"without {pair.only_first:,} of A and {pair.only_second:,} of B",
        )
    return notes


def _cell(name: str, estimate: Estimate, signed: bool) -> str:
    if math.isnan(estimate.value):
        return "n/a"
    scale, digits = {"macro_auc": (1, 3), "fundus_score": (1, 2)}.get(name, (100, 1))
    value, low, high = (
        _number(share * scale, digits) for share in (estimate.value, estimate.low, estimate.high)
    )  # fmt: skip
    plus = "+" if signed and not value.startswith("-") and float(value) else ""
    return f"{plus}{value} ({low} to {high})"


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _as_json(pair: Pair, figures: dict[str, Compared], test: McNemar, judged: Verdict) -> dict[str, Any]:
    from ..comparing.bootstrap import LEVEL, RESAMPLES, SEED

    return {
        "samples": len(pair.labels),
        "patients": pair.patient_count,
        "samples_only_in_first": pair.only_first,
        "samples_only_in_second": pair.only_second,
        "classes": list(pair.classes),
        "interval": {"level": LEVEL, "kind": "percentile", "over": "patients", "resamples": RESAMPLES, "seed": SEED},
        "figures": {
            name: {side: _estimate_as_json(getattr(c, side)) for side in ("first", "second", "difference")}
            for name, c in figures.items()
        },
        "constant": {
            "class": pair.classes[pair.largest_class],
            "figures": {
                name: {
                    "value": _estimate_as_json(c.constant),
                    "first_minus_constant": _estimate_as_json(c.first_gain),
                    "second_minus_constant": _estimate_as_json(c.second_gain),
                }
                for name, c in figures.items()
            },
        },
        "one_class": {"first": pair.only_class(pair.first), "second": pair.only_class(pair.second)},
        "mcnemar": {"only_first_right": test.only_first, "only_second_right": test.only_second, "p": test.p},
        "significant": judged.significant,
        "patients_needed": judged.patients_needed,
        "sentence": judged.sentence,
    }


def _estimate_as_json(estimate: Estimate) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in vars(estimate).items()}


def _compare_reported(a: _Side, b: _Side, result: dict[str, Any], lines: list[str], as_json: bool) -> None:
    """Without stored predictions: show the reported values, and how to store predictions."""
    without = [str(side) for side in (a, b) if not side.stores_predictions]
    how = f"write {FILE} into the folder of the save hook ('nsml compare --help')"
    values = pairs(_reported(a), _reported(b))
    if not values:
        raise RunFailed(f"{' and '.join(without)}: no stored predictions and no reported values; {how}")
    differences = {k: _difference(*both) for k, both in values.items() if k != "step"}
    note = f"Reported values alone do not show whether a difference is chance. No predictions in {' and '.join(without)}: {how}."
    if as_json:
        rows = {k: {"first": v[0], "second": v[1], "difference": differences.get(k)} for k, v in values.items()}
        print_json({**result, "kind": "reported", "values": rows, "note": note})
        return
    _show(False, result, [*lines, ""])
    print_table(
        ("last reported", "A", "B", "B - A"),
        [(k, _text(one), _text(other), _text(differences.get(k), "+")) for k, (one, other) in values.items()],
        stack=True,
    )
    print_text(f"\n{note}")


def _reported(side: _Side) -> dict[str, Any]:
    """The values stored with the checkpoint, else the last reported values of the session."""
    if side.checkpoint is not None and side.checkpoint.summary:
        return side.checkpoint.summary
    if summary := last_summary(side.session.folder):
        return summary
    records, _ = read_metrics(side.session.folder)
    return shown(records[-1]) if records else {}


def _difference(one: Any, other: Any) -> float | None:
    return other - one if is_number(one) and is_number(other) else None


def _text(value: Any, sign: str = "") -> str:
    if value is None:
        return ""
    return f"{value:{sign}.4g}" if isinstance(value, float) or sign else str(value)
