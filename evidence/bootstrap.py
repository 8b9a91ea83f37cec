"""The bootstrap over patients, and the metrics that audit, ablation and report compute with it.

Patients are drawn with replacement, each with all of their photographs, since two eyes of one person are not independent (Efron and
Tibshirani, An Introduction to the Bootstrap, 1993, chapter 8). A draw is a row of weights: how many times each photograph counts. Row 0
is the data themselves. A metric is computed for all rows at once: a thousand calls of scikit-learn would take minutes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Figure:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def draw(rng: np.random.Generator, count: int, resamples: int) -> np.ndarray:
    """Weights of `count` patients, or other units: float64 (1 + resamples, count). Row 0 is ones."""
    return np.concatenate([np.ones((1, count)), rng.multinomial(count, np.full(count, 1 / count), size=resamples)])


def draw_patients(patients: Sequence[Any] | np.ndarray, resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """Weights of photographs, float64 (1 + resamples, n), from the patient of each, (n,). Row 0 is ones."""
    owners = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)[1]
    return draw(np.random.default_rng(seed), int(owners.max()) + 1, resamples)[:, owners]


def interval(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 2.5 and 97.5 % quantiles over the first axis. NaN draws are left out; NaN where all are NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanpercentile(draws, [2.5, 97.5], axis=0)
    return low, high


def estimate(values: np.ndarray) -> Figure:
    """The value of row 0 of (1 + resamples,), with the interval of the other rows."""
    low, high = interval(values[1:])
    return Figure(float(values[0]), float(low), float(high))


def accuracy(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The accuracy for each row of weights: labels int (n,), probabilities (n, classes), weights (m, n) -> (m,)."""
    return np.asarray(weights @ (probabilities.argmax(axis=1) == labels) / weights.sum(axis=1))


def recalls(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The recall of each class for each row of weights, (m, classes). NaN if a class has no weight."""
    members = np.eye(probabilities.shape[1])[labels]
    hits = members * (probabilities.argmax(axis=1) == labels)[:, None]
    with np.errstate(invalid="ignore"):
        return np.asarray((weights @ hits) / (weights @ members))


def aucs(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The AUC of each class against the rest for each row of weights, (m, classes), as `sklearn.metrics.roc_auc_score` computes it.

    NaN if a class, or the rest, has no weight.
    """
    areas = np.full((len(weights), probabilities.shape[1]), np.nan)
    for label in range(probabilities.shape[1]):
        values, place = np.unique(probabilities[:, label], return_inverse=True)
        order = np.argsort(place, kind="stable")
        starts = np.searchsorted(place[order], np.arange(len(values)))
        positives = np.add.reduceat((weights * (labels == label))[:, order], starts, axis=1)
        negatives = np.add.reduceat((weights * (labels != label))[:, order], starts, axis=1)
        # A pair with the same probability counts half.
        below = np.cumsum(negatives, axis=1) - negatives / 2
        with np.errstate(invalid="ignore"):
            areas[:, label] = (positives * below).sum(axis=1) / (positives.sum(axis=1) * negatives.sum(axis=1))
    return areas


def mean_of_classes(values: np.ndarray) -> np.ndarray:
    """The mean over the classes that have a value, (m, classes) -> (m,): balanced accuracy from recalls, macro AUC from AUCs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(values, axis=1))
