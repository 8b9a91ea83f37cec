"""Calibration: how far a probability can be taken at its word, and the one number that mends it.

Temperature scaling (Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2): the scores before the softmax are
divided by a temperature, found by maximum likelihood on validation photographs. Above 1 the network was too sure of itself, below 1 not
sure enough. The order of the classes, and so what is predicted, stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.calibration import fit_temperature as fit_temperature
from model.calibration import scaled as scaled
from model.calibration import scores_of

BINS = 10


def scaled_by_others(
    probabilities: np.ndarray, labels: np.ndarray, patients: Sequence[str], folds: int = 5, seed: int = 0
) -> np.ndarray:
    """`scaled`, each patient's by the temperature that fits the patients of the other folds: nobody is judged by a fit to themselves.

    As they are where there is but one patient.
    """
    owners = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)[1]
    count = int(owners.max(initial=-1)) + 1
    fold = np.random.default_rng(seed).permutation(count) % folds
    found = probabilities.astype(np.float32)
    if count < 2:
        return found
    for number in np.unique(fold):
        held = fold[owners] == number
        found[held] = scaled(probabilities[held], fit_temperature(probabilities[~held], labels[~held]))
    return found


@dataclass(frozen=True)
class Reliability:
    """Of photographs whose highest probability lies in the same tenth: its mean, the share that is right, and how many, each (bins,).

    Both shares are NaN where there is none.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def expected_error(self) -> float:
        """The expected calibration error, 0..1: the mean distance between the two, by photographs (Guo et al., equation 3)."""
        there = self.count > 0
        gaps = np.abs(self.confidence[there] - self.accuracy[there])
        return float((gaps * self.count[there]).sum() / self.count.sum())


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> Reliability:
    """The points of a reliability diagram, in bins of equal width, each open below and closed above as in the paper."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    number = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(number, minlength=bins)
    empty = np.full(bins, np.nan)
    sums = (np.bincount(number, values, bins) for values in (confidence, right))
    means = [np.divide(total, count, out=empty.copy(), where=count > 0) for total in sums]
    return Reliability(means[0], means[1], count)


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The Brier score over all classes, 0 (best) to 2 (Brier, Monthly Weather Review 78, 1950)."""
    wanted = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - wanted) ** 2).sum(axis=1).mean())


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The mean negative logarithm of the true class' probability."""
    return float(-scores_of(probabilities)[np.arange(len(labels)), labels].mean())
