"""The built-in scorers by name: label file and prediction file -> score."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import NsmlError, PredictionsRefused, install
from ..wording import counted
from .fundus import CLASSES, fundus_score, table
from .guessing import best_constant
from .predictions import Kind, is_finite, match, read_classes, read_lines

_LARGEST = 1e100  # of a number that is predicted


@dataclass(frozen=True)
class Result:
    """A score, with details and a warning for the user, and the best score of the same answer for every image."""

    score: float
    details: str = ""
    warning: str = ""
    constant: float | None = None


@dataclass(frozen=True)
class Metric:
    """A built-in scorer: the kind of its predictions, its direction, and one line of help.

    `compute(labels, predictions)` gets both in the same order: ints for CLASS, floats for NUMBER, floats or rows of floats for
    PROBABILITIES (whose labels are ints).
    """

    kind: Kind
    lower_is_better: bool
    help: str
    compute: Callable[[list[Any], list[Any]], Result]


def _sklearn() -> Any:
    try:
        import sklearn.metrics
    except ImportError:
        raise NsmlError(f"scikit-learn is needed for this scorer; {install('scorers')}") from None
    return sklearn.metrics


def missing_library(metric: str) -> str:
    """What a scorer lacks, and the command that installs it; "" if nothing."""
    if metric in ("fundus", "accuracy", "balanced_accuracy") or find_spec("sklearn"):
        return ""
    return f"scikit-learn is needed for the built-in scorer {metric}; {install('scorers')}"


def _fundus(labels: list[int], predictions: list[int], classes: Sequence[str] = CLASSES) -> Result:
    result = fundus_score(labels, predictions, classes)
    warning = ""
    if absent := [row.name for row in result.classes if not row.images]:
        verb, they = ("is", "it is") if len(absent) == 1 else ("are", "they are")
        warning = f"{', '.join(absent)} {verb} absent from the test set; {they} left out of the means"
    return Result(result.score, table(result), warning)


def _accuracy(labels: list[int], predictions: list[int]) -> Result:
    return Result(sum(map(operator.eq, labels, predictions)) / len(labels))


def _macro_f1(labels: list[int], predictions: list[int]) -> Result:
    return Result(float(_sklearn().f1_score(labels, predictions, average="macro", zero_division=0)))


def _balanced_accuracy(labels: list[int], predictions: list[int]) -> Result:
    images = Counter(labels)
    right = Counter(label for label, prediction in zip(labels, predictions, strict=True) if label == prediction)
    return Result(sum(right[label] / count for label, count in images.items()) / len(images))


def _kappa(labels: list[int], predictions: list[int]) -> Result:
    if len(set(labels)) < 2:
        raise NsmlError("the test set has only one class, so kappa is undefined")
    # With all classes between, as scikit-learn takes the distance of two classes from their places among those that occur.
    classes = list(range(max(*labels, *predictions) + 1))
    return Result(float(_sklearn().cohen_kappa_score(labels, predictions, labels=classes, weights="quadratic")))


def _auroc(labels: list[int], predictions: list[Any]) -> Result:
    roc_auc_score = _sklearn().roc_auc_score
    present = sorted(set(labels))
    if len(present) < 2:
        raise NsmlError("the test set has only one class, so AUROC is undefined")
    if not isinstance(predictions[0], list):
        return Result(float(roc_auc_score([label == max(present) for label in labels], predictions)))
    # Only over classes in the test set, which scikit-learn's own average does not allow.
    values = [roc_auc_score([label == c for label in labels], [row[c] for row in predictions]) for c in present]
    return Result(float(sum(values) / len(values)))


def _log_loss(labels: list[int], predictions: list[Any]) -> Result:
    rows = predictions if isinstance(predictions[0], list) else [[1 - p, p] for p in predictions]
    totals = [sum(row) or 1.0 for row in rows]
    scaled = [[p / total for p in row] for row, total in zip(rows, totals, strict=True)]
    return Result(float(_sklearn().log_loss(labels, scaled, labels=list(range(len(scaled[0]))))))


def _rmse(labels: list[float], predictions: list[float]) -> Result:
    return Result(float(_sklearn().root_mean_squared_error(labels, predictions)))


METRICS = {
    "fundus": Metric(Kind.CLASS, False, "accuracy, sensitivity and specificity in one number, as in 2019", _fundus),
    "accuracy": Metric(Kind.CLASS, False, "share of right classes", _accuracy),
    "balanced_accuracy": Metric(
        Kind.CLASS, False, "share of right answers in each class, averaged", _balanced_accuracy
    ),
    "kappa": Metric(Kind.CLASS, False, "Cohen's kappa with quadratic weights, for ordered classes", _kappa),
    "f1": Metric(Kind.CLASS, False, "F1 of each class, averaged", _macro_f1),
    "auroc": Metric(
        Kind.PROBABILITIES, False, "area under the ROC curve, of each class against the others, averaged", _auroc
    ),
    "logloss": Metric(Kind.PROBABILITIES, True, "logarithmic loss", _log_loss),
    "rmse": Metric(Kind.NUMBER, True, "root of the mean squared error", _rmse),
}


def fewest_classes(metric: str, classes: Sequence[str]) -> int:
    """Number of classes that predictions may have, whatever the labels; 0 if they are numbers.

    Of the competition's classes, all four, also where the training photographs are of fewer.
    """
    if METRICS[metric].kind is Kind.NUMBER:
        return 0
    return len(CLASSES) if metric == "fundus" and set(classes) <= set(CLASSES) else 2


def class_count(metric: str, labels: Path, classes: Sequence[str] = ()) -> int:
    """Number of allowed classes, from the label file; 0 if predictions are numbers."""
    if METRICS[metric].kind is Kind.NUMBER:
        return 0
    return max(fewest_classes(metric, classes), max(read_classes(labels, "the label file").values()) + 1)


def score_files(
    metric: str,
    prediction: Path,
    labels: Path,
    classes: Sequence[str] = (),
    part: Collection[str] | None = None,
    rest: bool = False,
) -> Result:
    """Score a prediction file against a label file, matched by `FOLDER,FILE` or by line (see `match`).

    Args:
        classes: names of the classes by label number; at least as many are allowed.
        part: names of the labels that count; with `rest` those that do not. None for all.

    Raises:
        NsmlError: the label file is invalid.
        PredictionsRefused: an image has no prediction, a prediction has no image, or a prediction is not of the metric's kind,
            also one that is in no part that counts.
    """
    kind = METRICS[metric].kind
    pairs = read_pairs(metric, prediction, labels)
    count = max(class_count(metric, labels, classes), len(classes))
    # Of all images, whatever part is scored: else a refusal would tell who is in it, and the other part could not be scored later.
    for name, (_, value) in pairs.items():
        if why := _why_wrong(metric, value, count):
            raise PredictionsRefused(f"the prediction for {name} is {why}")
    if len({isinstance(value, list) for _, value in pairs.values()}) > 1:
        raise PredictionsRefused(f"some predictions are one number and others {count}; answer all in the same way")
    scored = [pair for name, pair in pairs.items() if part is None or (name in part) != rest]
    if not scored:
        raise NsmlError("the part of the test set to be scored is empty; 'nsml dataset rules' chooses another share")
    compute = METRICS[metric].compute
    if metric == "fundus" and classes:
        compute = partial(_fundus, classes=classes)
    truths = [label for label, _ in scored]
    constant = best_constant(kind, truths, count)
    result = compute(truths, [prediction for _, prediction in scored])
    if not math.isfinite(result.score):  # a score that no board could store
        raise NsmlError(f"the score is {result.score}; the organiser looks at the labels, and chooses another scorer")
    return replace(result, constant=compute(truths, [constant] * len(truths)).score)


def _why_wrong(metric: str, value: Any, classes: int) -> str:
    """What is wrong with a prediction; "" if nothing. The square of a number has to be finite."""
    kind = METRICS[metric].kind
    if kind is Kind.NUMBER:
        return "" if abs(value) < _LARGEST else f"{value}, too large to be scored"
    if kind is Kind.CLASS:
        return "" if value < classes else f"{value}, outside 0 .. {classes - 1}"
    values = value if isinstance(value, list) else [value]
    if len(values) != classes and (len(values) > 1 or classes > 2):
        return f"{counted(len(values), 'number')}, not a row of {classes} probabilities, one for each class, as {metric} needs"
    if metric == "logloss" and not all(0 <= each <= 1 for each in values):
        return f"{' '.join(map(str, values))[:60]}, outside 0 .. 1"
    return ""


def read_pairs(metric: str, prediction: Path, labels: Path) -> dict[str, tuple[Any, Any]]:
    """Label and prediction by the label's name, of all items. For the errors see `score_files`."""
    kind = METRICS[metric].kind
    truth: dict[str, Any] = (
        _numbers(labels, "the label file") if kind is Kind.NUMBER else read_classes(labels, "the label file")
    )
    try:
        predicted = _read_predictions(prediction, kind)
    except NsmlError as error:
        raise PredictionsRefused(str(error)) from None
    return match(truth, predicted)


def _read_predictions(path: Path, kind: Kind) -> dict[str, Any]:
    what = "the prediction file"
    if kind is Kind.CLASS:
        return dict(read_classes(path, what))
    if kind is Kind.NUMBER:
        return dict(_numbers(path, what))
    predictions: dict[str, Any] = {}
    for name, text in read_lines(path, what).items():
        values = [_number(part, name, path, what) for part in text.split()]
        predictions[name] = values[0] if len(values) == 1 else values
    return predictions


def _numbers(path: Path, what: str) -> dict[str, float]:
    return {name: _number(value, name, path, what) for name, value in read_lines(path, what).items()}


def _number(text: str, name: str, path: Path, what: str) -> float:
    if not is_finite(text):
        raise NsmlError(f"{what} {path}: {text[:20]!r}, of {name}, is not a finite number")
    return float(text)
