"""Calibration of probabilities by temperature scaling, and its metrics.

Temperature scaling (Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2) divides the scores before the softmax
by the temperature that makes the validation labels most likely. Above 1 the network was overconfident, below 1 underconfident. The order
of the classes stays, and with it the prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax

# If all predictions are right, or all wrong, the likelihood has no maximum: the temperature would go to 0, or to infinity.
LOWEST, HIGHEST = 0.05, 20.0
BINS = 10


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature in LOWEST..HIGHEST with the highest likelihood; 1.0 if all temperatures are equally likely.

    Args:
        probabilities: float (n, classes), from a softmax.
        labels: int (n,).
    """
    scores = _scores(probabilities)
    of_truth = scores[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:
        """The derivative of the log loss by the inverse of the temperature. The loss is convex in it, so the slope has one root."""
        return float(((softmax(scores * inverse, axis=1) * scores).sum(axis=1) - of_truth).sum())

    low, high = 1 / HIGHEST, 1 / LOWEST
    at_low, at_high = slope(low), slope(high)
    if not at_low < at_high:
        return 1.0
    if at_low >= 0:
        return HIGHEST
    if at_high <= 0:
        return LOWEST
    return 1 / float(brentq(slope, low, high))


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """The softmax, float32 (n, classes), of the scores divided by `temperature`, which is above 0."""
    if temperature == 1:
        return probabilities.astype(np.float32)
    return np.asarray(softmax(_scores(probabilities) / temperature, axis=1), np.float32)


def scaled_by_others(probabilities: np.ndarray, labels: np.ndarray, patients: Sequence[str]) -> np.ndarray:
    """`scaled` by cross-validation with five folds: the photographs of a patient by the temperature of the patients of other folds.

    Unchanged if there is only one patient.
    """
    indices = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)[1]
    count = int(indices.max(initial=-1)) + 1
    fold = np.random.default_rng(0).permutation(count) % 5
    result = probabilities.astype(np.float32)
    if count < 2:
        return result
    for number in np.unique(fold):
        own = fold[indices] == number
        result[own] = scaled(probabilities[own], fit_temperature(probabilities[~own], labels[~own]))
    return result


@dataclass(frozen=True)
class Reliability:
    """Photographs binned by their highest probability: its mean, the accuracy, and the number of photographs, each (bins,).

    Mean and accuracy are NaN in an empty bin.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def expected_error(self) -> float:
        """The expected calibration error in 0..1: the mean gap between confidence and accuracy (Guo et al., equation 3)."""
        filled = self.count > 0
        gaps = np.abs(self.confidence[filled] - self.accuracy[filled])
        return float((gaps * self.count[filled]).sum() / self.count.sum())


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> Reliability:
    """The reliability diagram with bins of equal width, each open below and closed above, as in the paper."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    number = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    count = np.bincount(number, minlength=BINS)
    empty = np.full(BINS, np.nan)
    sums = (np.bincount(number, values, BINS) for values in (confidence, right))
    means = [np.divide(total, count, out=empty.copy(), where=count > 0) for total in sums]
    return Reliability(means[0], means[1], count)


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The Brier score over all classes, 0 (best) to 2 (Brier, Monthly Weather Review 78, 1950)."""
    targets = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - targets) ** 2).sum(axis=1).mean())


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The mean negative logarithm of the true class' probability."""
    return float(-_scores(probabilities)[np.arange(len(labels)), labels].mean())


def _scores(probabilities: np.ndarray) -> np.ndarray:
    """Scores, float64, whose softmax is `probabilities`. A probability of 0 counts as the smallest float32."""
    return np.asarray(np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny)))
