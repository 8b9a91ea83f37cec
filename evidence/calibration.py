"""Calibration: how far a probability can be taken at its word, and the one number that mends it.

Temperature scaling (Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2): the scores before the softmax are
divided by a temperature, found by maximum likelihood on validation photographs. Above 1 the network was too sure of itself, below 1 not
sure enough. The order of the classes, and so what is predicted, stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 10
# Where every answer is right, the likelihood grows for ever as the temperature falls; nobody's predictions deserve less than this.
LOWEST, HIGHEST = 0.05, 20.0
_HALVINGS = 60


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature, LOWEST..HIGHEST, by which `scaled` makes the labels most likely; 1.0 where none is better than another.

    Args:
        probabilities: float (n, classes), what a softmax gave.
        labels: int (n,).
    """
    scores = _scores(probabilities)
    of_truth = scores[np.arange(len(labels)), labels]

    def slope(sharpness: float) -> float:
        """Of the summed log loss over the temperature's inverse, in which that is convex: it only rises."""
        chances = _softmax(scores * sharpness)
        return float(((chances * scores).sum(axis=1) - of_truth).sum())

    low, high = 1 / HIGHEST, 1 / LOWEST
    at_low, at_high = slope(low), slope(high)
    if not at_low < at_high:
        return 1.0
    if at_low >= 0:
        return HIGHEST
    if at_high <= 0:
        return LOWEST
    for _ in range(_HALVINGS):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / high


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities, float32 (n, classes), as the softmax would have given them with its scores divided by `temperature`, above 0."""
    if temperature == 1:
        return probabilities.astype(np.float32)
    return _softmax(_scores(probabilities) / temperature).astype(np.float32)


def _scores(probabilities: np.ndarray) -> np.ndarray:
    """What a softmax gives these probabilities for, float64; a probability of 0 has fallen below the smallest float32."""
    smallest = float(np.finfo(np.float32).tiny)
    return np.asarray(np.log(np.maximum(probabilities.astype(np.float64), smallest)))


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


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
    return float(-_scores(probabilities)[np.arange(len(labels)), labels].mean())
