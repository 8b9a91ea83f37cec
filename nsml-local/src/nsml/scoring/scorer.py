"""Run the scorer in a separate process: the dataset's `evaluation.py` if it has one, else a built-in scorer."""

from __future__ import annotations

import contextlib
import csv
import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import NsmlError, PredictionsRefused, RunFailed
from ..store.datasets import Dataset
from ..store.photographs import photographs_below
from ..wording import score as shown
from .fundus import CLASSES
from .guessing import beside, one_answer, one_answer_warning
from .labels import label_trouble
from .metrics import METRICS, class_count, fewest_classes
from .organiser import LIMIT, Score, score_with_script, scorer_environment
from .predictions import BARE, MOST_CLASSES, Kind, Wanted, composed, image_ids, names_in, read_lines
from .program import CONSTANT, REFUSED
from .rules import rules_of
from .spool import BOARD, read_published


def wanted_predictions(dataset: Dataset) -> Wanted:
    """The predictions that the dataset's built-in scorer requires. RunFailed if the scorer is unknown."""
    metric = dataset.metric()
    if metric not in METRICS:
        raise RunFailed(
            f"dataset {dataset.name} is scored by {metric!r}, which this nsml-local does not have (it has {', '.join(METRICS)}); "
            "update nsml-local, or push the dataset again with --metric"
        )
    kind = METRICS[metric].kind
    classes = (
        0 if kind is Kind.NUMBER else max(fewest_classes(metric, dataset.classes()), len(trained_classes(dataset)))
    )
    if (spool := dataset.referee()) is not None and kind is not Kind.NUMBER:
        # Where the training data are no folders of classes, only the labels tell, which he has.
        with contextlib.suppress(FileNotFoundError, KeyError):
            classes = max(classes, int(read_published(spool, BOARD)["classes"]))
    if not dataset.has_label_file or label_trouble(dataset):
        return Wanted(kind, classes)
    try:
        count = len(read_lines(dataset.labels, "the label file"))
        return Wanted(kind, max(classes, class_count(metric, dataset.labels, dataset.classes())), count)
    except NsmlError:
        if not dataset.evaluation.exists():
            raise
        # Labels that only the organiser's scorer can read, so it alone knows the classes.
        return Wanted(kind, MOST_CLASSES if kind is Kind.CLASS else classes)


def trained_classes(dataset: Dataset) -> tuple[str, ...]:
    """The classes by label number, up to the last that has training photographs; the test set may lack images of a class."""
    classes, train = dataset.classes(), dataset.record()["train"]
    if not classes:
        return tuple(train)
    return classes[: max((number for number, name in enumerate(classes, 1) if name in train), default=0)]


def score(dataset: Dataset, predictions: Path, *, private: bool = False) -> Score:
    """Score a prediction file against the dataset's hidden labels: against the public ones if the rules name some, else all.

    Args:
        private: score against those that are not public.

    Raises:
        NsmlError: the dataset has no labels.
        PredictionsRefused: the predictions do not fit the test set.
        RunFailed: the scorer itself failed.
    """
    if dataset.evaluation.exists():
        return score_with_script(dataset, predictions, private=private)
    if not dataset.has_label_file:
        raise NsmlError(
            f"dataset {dataset.name} has no test/test_label; push it again with labels, or use 'nsml submit -t'"
        )
    classes = [
        f"--classes={_as_line(_names(dataset, wanted_predictions(dataset).classes))}"
    ]  # the first may begin with "-"
    files = ["--prediction", str(predictions), "--test_label_path", str(dataset.labels)]
    part = ["--part", str(dataset.public), *(["--rest"] if private else [])] if dataset.public.is_file() else []
    command = [sys.executable, "-m", "nsml.scoring.program", "--metric", dataset.metric(), *files, *classes, *part]
    ended = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", timeout=LIMIT, env=scorer_environment(), cwd="/",
        check=False,
    )  # fmt: skip
    lines = ended.stderr.strip().splitlines()
    if ended.returncode == REFUSED:
        raise PredictionsRefused(lines[-1])
    if ended.returncode:
        raise RunFailed(f"the scorer failed: {lines[-1] if lines else f'exit status {ended.returncode}'}")
    details, _, last = ended.stdout.rstrip().rpartition("\n")
    warnings = [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]
    constants = [float(line.removeprefix(CONSTANT)) for line in lines if line.startswith(CONSTANT)]
    # Where the organiser turned the metric's order round, the best constant answer is another one.
    same_order = METRICS[dataset.metric()].lower_is_better == rules_of(dataset).lower_is_better
    return Score(float(last), details, tuple(warnings), constants[-1] if constants and same_order else None)


def _names(dataset: Dataset, count: int) -> list[str]:
    """So many names of classes; those that are unknown are numbers, or the competition's."""
    known = dataset.classes() or (CLASSES if dataset.metric() == "fundus" else ())
    return [known[number] if number < len(known) else str(number) for number in range(count)]


def _as_line(names: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()


def check_names(dataset: Dataset, predictions: Path) -> None:
    """Check that predictions in lines `FOLDER,FILE,...` are of all test photographs, each once.

    Without a loader others are refused, too. Where labels or a loader's predictions have another form, the organiser's scorer checks
    them.

    Raises:
        PredictionsRefused: photographs are left out, or named twice.
        RunFailed: the labels are not of the test photographs.
    """
    try:
        labels = read_lines(dataset.labels, "the label file").keys() if dataset.has_label_file else ()
    except NsmlError:
        labels = ()
    if not labels:
        return
    root = dataset.submission / "test"
    photographs = {composed(i) for i in image_ids(photographs_below(root), root)}
    fed = set() if dataset.loader.exists() else photographs
    text = predictions.read_text(encoding="utf-8", errors="surrogateescape")
    lines = [line for line in text.split("\n") if line.strip()]
    # A photograph's name with a comma, or a loader's line of several values: the photographs tell.
    named = set(names_in(lines, {name for name in labels if name.count(",") > 1} & photographs))
    only_counted = len(labels) == len(photographs) and all(name.startswith(BARE) for name in labels)
    by_name = not only_counted and (bool(labels & named) or labels == fed)
    if lines and not only_counted and not by_name:
        return
    if len(lines) == len(labels) and (only_counted or named == labels):
        return
    if lines and by_name and fed and (odd := labels ^ fed):
        raise RunFailed(
            f"the labels of dataset {dataset.name} have {len(labels)} lines for {len(fed)} test photographs, and {min(odd)} is in one of "
            "the two alone; its organiser corrects them and pushes it again"
        )
    raise PredictionsRefused(f"{len(lines)} lines for {len(labels)} images; infer must return one prediction per image")


def same_answers(dataset: Dataset, predictions: Path) -> dict[str, Any]:
    """What `one_answer` finds of a prediction file for this dataset."""
    return one_answer(predictions, None if dataset.loader.exists() else METRICS[dataset.metric()].kind)


def print_result(dataset: Dataset, predictions: Path) -> None:
    """Score a prediction file (see `score`); print details and score."""
    result = score(dataset, predictions)
    for warning in (*result.warnings, *one_answer_warning(same_answers(dataset, predictions), dataset.named)):
        print(f"warning: {warning}", file=sys.stderr)
    if result.details:
        print(result.details)
    print(f"Score: {shown(result.value)}")
    if result.constant is not None:
        print(*beside(result.value, result.constant, rules_of(dataset).lower_is_better), sep="\n", file=sys.stderr)
