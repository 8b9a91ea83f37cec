"""What the validation predictions say in figures: each with its 95 % interval, by bootstrap over patients."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.records import Predictions

from ..audit.probe import Figure, macro_auc
from ..calibration import Reliability, brier, log_loss, reliability, scaled, scaled_by_others
from .ranking import Ranking, draw_patients

SPECIFICITIES = (0.90, 0.95)
GRID = np.linspace(0, 1, 51)


@dataclass(frozen=True)
class Band:
    """A curve, points (p,), and the 95 % interval of its height at each of GRID, (51,)."""

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class OneClass:
    """A class against the rest: its curves, the areas under them, and its sensitivity at each of SPECIFICITIES."""

    name: str
    share: float
    roc: Band
    auc: Figure
    precision: Band
    average_precision: Figure
    sensitivities: tuple[Figure, ...]


@dataclass(frozen=True)
class Calibration:
    """How far one set of probabilities can be taken at its word."""

    name: str
    reliability: Reliability
    brier: float
    log_loss: float


@dataclass(frozen=True)
class Figures:
    """All figures of a set of predictions.

    Attributes:
        counts: photographs and patients by class, in the order of the classes.
        confusion: int (classes, classes), true classes down, predicted ones across.
        overall: accuracy, balanced accuracy and macro AUC, by name.
        recalls: by class, None where it has no photograph.
        classes: of those that have photographs, and are not all there is.
        calibrations: before, after, and after by a temperature fitted to other patients.
    """

    counts: tuple[tuple[int, int], ...]
    confusion: np.ndarray
    overall: dict[str, Figure]
    recalls: tuple[Figure | None, ...]
    classes: tuple[OneClass, ...]
    calibrations: tuple[Calibration, ...]


def work_out(
    found: Predictions, classes: Sequence[str], temperature: float, resamples: int = 1000, seed: int = 0
) -> Figures:
    """The figures of `found`, which holds at least one photograph."""
    from sklearn.metrics import confusion_matrix

    labels, probabilities = found.labels, found.probabilities.astype(np.float64)
    predicted = probabilities.argmax(axis=1)
    weights = np.concatenate([np.ones((1, len(labels))), draw_patients(found.patients, resamples, seed)])
    of_class = Counter(labels.tolist())
    patients = Counter(label for label, _ in set(zip(labels.tolist(), found.patients, strict=True)))
    members = np.eye(len(classes))[labels]
    right = predicted == labels
    with np.errstate(invalid="ignore"):
        recalls = (weights @ (members * right[:, None])) / (weights @ members)
    with warnings.catch_warnings():
        # A draw without a small class is scored on the others.
        warnings.simplefilter("ignore", RuntimeWarning)
        balanced = np.nanmean(recalls, axis=1)
    overall = {
        "accuracy": _figure(weights @ right / weights.sum(axis=1)),
        "balanced accuracy": _figure(balanced),
    }
    if len(of_class) > 1:
        overall["macro AUC"] = _figure(macro_auc(labels, probabilities, weights))
    return Figures(
        tuple((of_class[label], patients[label]) for label in range(len(classes))),
        confusion_matrix(labels, predicted, labels=range(len(classes))),
        overall,
        tuple(_figure(recalls[:, label]) if of_class[label] else None for label in range(len(classes))),
        tuple(
            _one_class(name, labels == label, probabilities[:, label], weights)
            for label, name in enumerate(classes)
            if 0 < of_class[label] < len(labels)
        ),
        (
            _calibration("before", found.probabilities, labels),
            _calibration("after", scaled(found.probabilities, temperature), labels),
            _calibration(
                "after, by a temperature fitted to other patients",
                scaled_by_others(found.probabilities, labels, found.patients, seed=seed),
                labels,
            ),
        ),
    )


def _one_class(name: str, positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> OneClass:
    from sklearn.metrics import precision_recall_curve, roc_curve

    ranking = Ranking(positive, scores, weights)
    fall_out, recall, _ = roc_curve(positive, scores, drop_intermediate=False)
    precision, reached, _ = precision_recall_curve(positive, scores)
    return OneClass(
        name,
        float(positive.mean()),
        Band(fall_out, recall, *_edges(ranking.recall_on(GRID)[1:])),
        _figure(ranking.auc()),
        # A recall of 0 has no precision; it is drawn as that of the smallest step.
        Band(reached[-2::-1], precision[-2::-1], *_edges(ranking.precision_on(np.maximum(GRID, 1e-6))[1:])),
        _figure(ranking.average_precision()),
        tuple(_figure(ranking.sensitivity_at(share)) for share in SPECIFICITIES),
    )


def _calibration(name: str, probabilities: np.ndarray, labels: np.ndarray) -> Calibration:
    return Calibration(
        name, reliability(probabilities, labels), brier(probabilities, labels), log_loss(probabilities, labels)
    )


def _figure(values: np.ndarray) -> Figure:
    """The first of `values` (1 + r,), with the interval of the others."""
    low, high = _edges(values[1:, None])
    return Figure(float(values[0]), float(low[0]), float(high[0]))


def _edges(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 2.5 and 97.5 % quantiles of each column (r, g), without the draws in which it is not defined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    return low, high
