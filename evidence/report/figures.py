"""The metrics of the validation predictions, each with its 95 % interval by bootstrap over patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.metrics import accuracy, aucs, mean_of_classes, recalls
from model.records import Predictions

from ..bootstrap import Figure, draw_patients, estimate, interval
from .calibration import Reliability, brier, log_loss, reliability, scaled, scaled_by_others
from .ranking import Ranking

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
    """Metrics of how well probabilities are calibrated."""

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
        largest: the class with the most photographs.
        constant, gains: the overall figures of always predicting that class, and the network's minus these, on the same resamples.
        one_class: the class of all predictions; None if they differ.
        recalls: by class, None for a class without photographs.
        classes: those with photographs, if there are others.
        calibrations: before, after, and after by a temperature fitted to other patients.
    """

    counts: tuple[tuple[int, int], ...]
    confusion: np.ndarray
    overall: dict[str, Figure]
    largest: int
    constant: dict[str, Figure]
    gains: dict[str, Figure]
    one_class: int | None
    recalls: tuple[Figure | None, ...]
    classes: tuple[OneClass, ...]
    calibrations: tuple[Calibration, ...]


def work_out(predictions: Predictions, classes: Sequence[str], temperature: float) -> Figures:
    """The figures of at least one prediction."""
    from sklearn.metrics import confusion_matrix

    labels, probabilities = predictions.labels, predictions.probabilities.astype(np.float64)
    sides = labels, probabilities, draw_patients(predictions.patients)
    of_class = Counter(labels.tolist())
    patients = Counter(label for label, _ in set(zip(labels.tolist(), predictions.patients, strict=True)))
    recall, areas = recalls(*sides), aucs(*sides)
    draws = _overall(*sides)
    largest = int(np.bincount(labels).argmax())
    constant = _overall(labels, np.tile(np.eye(len(classes))[largest], (len(labels), 1)), sides[2])
    predicted = np.unique(probabilities.argmax(axis=1))
    return Figures(
        tuple((of_class[label], patients[label]) for label in range(len(classes))),
        confusion_matrix(labels, probabilities.argmax(axis=1), labels=range(len(classes))),
        {name: estimate(values) for name, values in draws.items()},
        largest,
        {name: estimate(values) for name, values in constant.items()},
        {name: estimate(values - constant[name]) for name, values in draws.items()},
        int(predicted[0]) if len(predicted) == 1 and len(of_class) > 1 else None,
        tuple(estimate(recall[:, label]) if of_class[label] else None for label in range(len(classes))),
        tuple(
            _one_class(name, labels == label, probabilities[:, label], sides[2], areas[:, label])
            for label, name in enumerate(classes)
            if 0 < of_class[label] < len(labels)
        ),
        (
            _calibration("before", predictions.probabilities, labels),
            _calibration("after", scaled(predictions.probabilities, temperature), labels),
            _calibration(
                "after, by a temperature fitted to other patients",
                scaled_by_others(predictions.probabilities, labels, predictions.patients),
                labels,
            ),
        ),
    )


def _overall(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The overall figures for each row of weights; without an AUC if there is only one class."""
    sides = labels, probabilities, weights
    values = {"accuracy": accuracy(*sides), "balanced accuracy": mean_of_classes(recalls(*sides))}
    return values | ({"macro AUC": mean_of_classes(aucs(*sides))} if len(np.unique(labels)) > 1 else {})


def _one_class(name: str, positive: np.ndarray, scores: np.ndarray, weights: np.ndarray, area: np.ndarray) -> OneClass:
    from sklearn.metrics import precision_recall_curve, roc_curve

    ranking = Ranking(positive, scores, weights)
    fall_out, recall, _ = roc_curve(positive, scores, drop_intermediate=False)
    precision, reached, _ = precision_recall_curve(positive, scores)
    return OneClass(
        name,
        float(positive.mean()),
        Band(fall_out, recall, *interval(ranking.recall_on(GRID)[1:])),
        estimate(area),
        # A recall of 0 has no precision; the curve starts with the precision of the first step.
        Band(reached[-2::-1], precision[-2::-1], *interval(ranking.precision_on(np.maximum(GRID, 1e-6))[1:])),
        estimate(ranking.average_precision()),
        tuple(estimate(ranking.sensitivity_at(share)) for share in SPECIFICITIES),
    )


def _calibration(name: str, probabilities: np.ndarray, labels: np.ndarray) -> Calibration:
    return Calibration(
        name, reliability(probabilities, labels), brier(probabilities, labels), log_loss(probabilities, labels)
    )
