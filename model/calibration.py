"""The temperature that calibrates a network's probabilities; `evidence.calibration` explains and measures it."""

from __future__ import annotations

import numpy as np

# Where every answer is right, the likelihood grows for ever as the temperature falls; nobody's predictions deserve less than this.
LOWEST, HIGHEST = 0.05, 20.0
_HALVINGS = 60


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature, LOWEST..HIGHEST, by which `scaled` makes the labels most likely; 1.0 where none is better than another.

    Args:
        probabilities: float (n, classes), what a softmax gave.
        labels: int (n,).
    """
    scores = scores_of(probabilities)
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
    return _softmax(scores_of(probabilities) / temperature).astype(np.float32)


def scores_of(probabilities: np.ndarray) -> np.ndarray:
    """What a softmax gives these probabilities for, float64; a probability of 0 has fallen below the smallest float32."""
    smallest = float(np.finfo(np.float32).tiny)
    return np.asarray(np.log(np.maximum(probabilities.astype(np.float64), smallest)))


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
