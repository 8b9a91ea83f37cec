"""Validation: predictions for the validation photographs, and the competition's score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .data import Data
from .network import Network
from .predict.predictor import Predict
from .predict.views import averaged_over
from .records import Predictions


@dataclass(frozen=True)
class Score:
    """`value` is the competition's score, 0 to about 100.01; the others are in 0..1."""

    value: float
    accuracy: float
    sensitivity: float
    specificity: float


def score(labels: np.ndarray, predictions: np.ndarray) -> Score:
    """Score predicted classes.

    Args:
        labels: true classes, int (n,), n at least 1.
        predictions: predicted classes, int (n,).

    Returns:
        Accuracy, the means of sensitivity and specificity over the classes in `labels`, and the competition's score. Its digits are the
        accuracy in percent with two decimals, then four digits of the sensitivity and four of the specificity.

    Raises:
        ValueError: there are no labels, or the shapes differ.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.ndim != 1 or labels.shape != predictions.shape or not labels.size:
        raise ValueError(
            f"labels have shape {labels.shape}, predictions {predictions.shape}; give one of each for each image"
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


def score_of(predictions: Predictions) -> Score:
    """The scores of predictions, by the most probable classes."""
    return score(predictions.labels, predictions.probabilities.argmax(axis=1))


def validate(predict: Predict, data: Data) -> Predictions:
    """Predictions for the validation photographs of `data`, with their names and patients."""
    return Predictions(
        data.validation_samples, data.validation_patients, data.validation_labels, predict(data.validation_images)
    )


def validate_with_views(network: Network, data: Data, report: Callable[..., None], save: Callable[[Any], None]) -> None:
    """Validate with predictions averaged over views, as in `infer`, and save them with the checkpoint of the last epoch.

    Only after the last epoch, as it may take longer than an epoch: other checkpoints have the validation without averaging.
    """
    network.validation = validate(averaged_over(network.views, network.predict), data)
    result = score_of(network.validation)
    print(f"averaged over {network.views} views: val acc {result.accuracy:.3f}  score {result.value:.2f}", flush=True)
    report(summary=True, step=network.settings.epoch, views__score=result.value, views__accuracy=result.accuracy)
    save(network.settings.epoch)
