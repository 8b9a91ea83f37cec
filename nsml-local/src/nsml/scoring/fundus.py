"""The score of the Konyang 2019 fundus competition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CLASSES = ("NORMAL", "AMD", "RVO", "DMR")


@dataclass(frozen=True)
class ClassResult:
    """One class against all others. Ratios are in 0..1, None without an image to divide by."""

    name: str
    images: int
    sensitivity: float | None
    specificity: float | None


@dataclass(frozen=True)
class FundusResult:
    """`score` as in the competition; accuracy, mean sensitivity and mean specificity in 0..1, means over the classes present."""

    score: float
    accuracy: float
    sensitivity: float
    specificity: float
    classes: tuple[ClassResult, ...]


def fundus_score(labels: Sequence[int], predictions: Sequence[int], classes: Sequence[str] = CLASSES) -> FundusResult:
    """Score predictions against labels of the same length and order. `classes` names the labels; further ones are named by their number.

    The score is accuracy in percent with two decimals, then mean sensitivity and mean specificity as the next four and four
    decimals: `round(acc, 4) * 100 + round(sens, 4) / 100 + round(spec, 4) / 1e6`, rounded to ten decimals. Means
    are over classes with at least one image.

    Raises:
        ValueError: there are no labels, or the lengths differ.
    """
    if not labels or len(labels) != len(predictions):
        raise ValueError(f"{len(labels)} labels and {len(predictions)} predictions")
    pairs = list(zip(labels, predictions, strict=True))
    results = []
    for number in range(max(len(classes), max(labels) + 1)):
        name = classes[number] if number < len(classes) else str(number)
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


def table(result: FundusResult) -> str:
    """A table of the result by class, for a terminal."""
    width = max([9, *(len(row.name) for row in result.classes if row.images)]) + 1
    lines = [f"{'':{width}}{'images':>8}{'sensitivity':>14}{'specificity':>14}"]
    for row in result.classes:
        if row.images:
            values = "".join(f"{'n/a' if v is None else f'{v:.4f}':>14}" for v in (row.sensitivity, row.specificity))
            lines.append(f"{row.name:{width}}{row.images:>8}{values}")
    total = sum(row.images for row in result.classes)
    lines.append(f"{'mean':{width}}{total:>8}{result.sensitivity:>14.4f}{result.specificity:>14.4f}")
    lines.append(f"accuracy  {result.accuracy:.4f}")
    return "\n".join(lines)
