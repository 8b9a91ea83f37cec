"""The score of the Konyang 2019 fundus competition, and the program that computes it for a submit.

    python -m nsml.scoring.fundus --prediction FILE --test_label_path FILE

prints a table by class and, as its last line, the score. It runs in a process of its own, the only one that reads the labels.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import NsmlError, PredictionsRefused
from .predictions import read_classes

CLASSES = ("NORMAL", "AMD", "RVO", "DMR")


@dataclass(frozen=True)
class ClassResult:
    """Counts of one class against all others; the ratios are in 0..1, None where there is nothing to divide by."""

    name: str
    images: int
    sensitivity: float | None
    specificity: float | None


@dataclass(frozen=True)
class FundusResult:
    """`score` is the competition's; accuracy, sensitivity and specificity in 0..1, the latter two means over the classes present."""

    score: float
    accuracy: float
    sensitivity: float
    specificity: float
    classes: tuple[ClassResult, ...]


def fundus_score(labels: Sequence[int], predictions: Sequence[int]) -> FundusResult:
    """Score predictions against labels, both of the same length and order, classes 0 to 3 (more are named by their number).

    The score is accuracy in percent with two decimals, then mean sensitivity and mean specificity as the next four and four
    decimals: `round(acc, 4) * 100 + round(sens, 4) / 100 + round(spec, 4) / 1e6`, rounded to ten decimals. A class without an image
    is left out of the means.

    Raises:
        ValueError: no label, or lengths that differ.
    """
    if not labels or len(labels) != len(predictions):
        raise ValueError(f"{len(labels)} labels and {len(predictions)} predictions")
    pairs = list(zip(labels, predictions, strict=True))
    results = []
    for number in range(max(len(CLASSES), max(labels) + 1)):
        name = CLASSES[number] if number < len(CLASSES) else str(number)
        positive = [p for true, p in pairs if true == number]
        negative = [p for true, p in pairs if true != number]
        results.append(
            ClassResult(
                name,
                len(positive),
                sum(p == number for p in positive) / len(positive) if positive else None,
                sum(p != number for p in negative) / len(negative) if negative else None,
            )
        )
    accuracy = sum(true == p for true, p in pairs) / len(pairs)
    sensitivity = _mean([r.sensitivity for r in results if r.images])
    specificity = _mean([r.specificity for r in results if r.images])
    score = round(round(accuracy, 4) * 100 + round(sensitivity, 4) / 100 + round(specificity, 4) / 1e6, 10)
    return FundusResult(score, accuracy, sensitivity, specificity, tuple(results))


def _mean(values: list[float | None]) -> float:
    defined = [v for v in values if v is not None]
    return sum(defined) / len(defined) if defined else 0.0


def class_count(labels: Path) -> int:
    """Number of classes that a prediction may name, given the label file."""
    return max(len(CLASSES), max(read_classes(labels, "the label file").values()) + 1)


def score_files(prediction: Path, labels: Path) -> FundusResult:
    """Score a prediction file against a label file by `FOLDER,FILE`.

    Raises:
        NsmlError: the label file is not one.
        PredictionsRefused: an image without a prediction, a prediction for no image, or a class out of range.
    """
    truth = read_classes(labels, "the label file")
    try:
        predicted = read_classes(prediction, "the prediction file")
    except NsmlError as error:
        raise PredictionsRefused(str(error)) from None
    missing = sorted(truth.keys() - predicted.keys())
    unknown = sorted(predicted.keys() - truth.keys())
    if missing or unknown:
        raise PredictionsRefused(
            f"{len(predicted)} predictions for {len(truth)} images: {len(missing)} images have none"
            f"{f' ({missing[0]} is the first)' if missing else ''}, {len(unknown)} belong to no image"
            f"{f' ({unknown[0]} is the first)' if unknown else ''}"
        )
    highest = max(len(CLASSES), max(truth.values()) + 1) - 1
    for name, value in predicted.items():
        if value > highest:
            raise PredictionsRefused(f"the prediction for {name} is {value}, outside 0 .. {highest}")
    order = sorted(truth)
    return fundus_score([truth[name] for name in order], [predicted[name] for name in order])


def table(result: FundusResult) -> str:
    """The result by class, for a terminal."""
    lines = [f"{'':10}{'images':>8}{'sensitivity':>14}{'specificity':>14}"]
    for row in result.classes:
        if row.images:
            values = "".join(f"{'n/a' if v is None else f'{v:.4f}':>14}" for v in (row.sensitivity, row.specificity))
            lines.append(f"{row.name:10}{row.images:>8}{values}")
    total = sum(row.images for row in result.classes)
    lines.append(f"{'mean':10}{total:>8}{result.sensitivity:>14.4f}{result.specificity:>14.4f}")
    lines.append(f"accuracy  {result.accuracy:.4f}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and the score; exit status 3 where the predictions are refused, 1 where the labels cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m nsml.scoring.fundus", description="The fundus competition's score."
    )
    parser.add_argument("--prediction", type=Path, required=True, help="FOLDER,FILE,CLASS lines")
    parser.add_argument("--test_label_path", type=Path, required=True, help="FOLDER,FILE,LABEL lines")
    asked = parser.parse_args(arguments)
    try:
        result = score_files(asked.prediction, asked.test_label_path)
    except NsmlError as error:
        print(error, file=sys.stderr)
        return 3 if isinstance(error, PredictionsRefused) else 1
    if absent := [row.name for row in result.classes if not row.images]:
        verb, they = ("is", "it is") if len(absent) == 1 else ("are", "they are")
        print(
            f"warning: {', '.join(absent)} {verb} absent from the test set; {they} left out of the means",
            file=sys.stderr,
        )
    print(table(result))
    print(f"{result.score:.10f}".rstrip("0").rstrip("."))
    return 0


if __name__ == "__main__":
    sys.exit(main())
