"""The competition's score, for validation while training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Score:
    """`value` is the competition's score, 0 to about 100.01; the others are in 0..1."""

    value: float
    accuracy: float
    sensitivity: float
    specificity: float


def score(labels: np.ndarray, predictions: np.ndarray) -> Score:
    """Score predicted classes against true ones.

    Args:
        labels: int (n,), n at least 1.
        predictions: int (n,).

    Returns:
        Accuracy, the means of sensitivity and specificity over the classes that are among the labels, and the competition's score of the
        three, which are its digits: accuracy in percent with two decimals, then sensitivity and specificity with four each.

    Raises:
        ValueError: no labels, or shapes that differ.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.ndim != 1 or labels.shape != predictions.shape or not labels.size:
        raise ValueError(
            f"labels have shape {labels.shape}, predictions {predictions.shape}; give one of each an image"
        )
    sensitivities, specificities = [], []
    for label in np.unique(labels):
        of_class = labels == label
        sensitivities.append(float(np.mean(predictions[of_class] == label)))
        if not of_class.all():
            specificities.append(float(np.mean(predictions[~of_class] != label)))
    accuracy = float(np.mean(labels == predictions))
    sensitivity = sum(sensitivities) / len(sensitivities)
    specificity = sum(specificities) / len(specificities) if specificities else 0.0
    value = round(round(accuracy, 4) * 100 + round(sensitivity, 4) / 100 + round(specificity, 4) / 1e6, 10)
    return Score(value, accuracy, sensitivity, specificity)
