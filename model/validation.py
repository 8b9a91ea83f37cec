"""Validation: predictions for the validation photographs, and the competition's score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .console import Progress
from .data import Data
from .metrics import macro_auc
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


def quadratic_kappa(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Cohen's kappa with quadratic weights of label numbers, int (n,); 0 where all are the same."""
    by_chance = labels.var() + predictions.var() + (labels.mean() - predictions.mean()) ** 2
    return float(1 - np.mean((labels - predictions) ** 2) / by_chance) if by_chance else 0.0


def macro_f1(labels: np.ndarray, predictions: np.ndarray) -> float:
    """F1 of each class that occurs in labels or predictions, int (n,), averaged."""
    classes = np.union1d(labels, predictions)
    right = [np.sum((labels == each) & (predictions == each)) for each in classes]
    all_of = [np.sum(labels == each) + np.sum(predictions == each) for each in classes]
    return float(np.mean([2 * hits / total for hits, total in zip(right, all_of, strict=True)]))


def of_classes(metric: Callable[[np.ndarray, np.ndarray], float]) -> Callable[..., float]:
    """A metric of label numbers as one of probabilities (n, classes), by the most probable classes."""
    return lambda numbers, labels, rows: metric(numbers[labels], numbers[rows.argmax(axis=1)])


# Scorers of `nsml dataset push --metric` that choose the best epoch, higher is better. They get the label numbers of the classes, int
# (classes,), the labels, int (n,), and probabilities (n, classes). With any other, the validation loss chooses: it is the scorer `logloss`,
# and for `fundus` and `accuracy` it depends on all probabilities and so fluctuates less than they do.
METRICS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {
    "kappa": of_classes(quadratic_kappa),
    "balanced_accuracy": of_classes(lambda labels, predictions: score(labels, predictions).sensitivity),
    "f1": of_classes(macro_f1),
    "auroc": lambda numbers, labels, rows: macro_auc(labels, rows),
}


def score_of(predictions: Predictions) -> Score:
    """The scores of predictions, by the most probable classes."""
    return score(predictions.labels, predictions.probabilities.argmax(axis=1))


def validate(predict: Predict, data: Data) -> Predictions:
    """Predictions for the validation photographs of `data`, with their names and patients."""
    return Predictions(
        data.validation_samples, data.validation_patients, data.validation_labels, predict(data.validation_images)
    )


def validate_with_views(network: Network, data: Data) -> Score:
    """Validate a network with predictions averaged over views, as in `infer`: sets its `validation`, and returns the scores.

    Only after the last epoch, as it may take longer than an epoch.
    """
    progress = Progress(f"validating {network.views} views")
    network.validation = validate(averaged_over(network.views, network.predict, progress), data)
    return score_of(network.validation)
