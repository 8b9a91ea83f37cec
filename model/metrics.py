"""Measures of predictions: the competition's score, those that choose the best epoch, and those with an interval.

The last are computed for many rows of weights at once, as a thousand calls of scikit-learn would take minutes. A row of weights, (n,),
has a count for each photograph.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

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


def macro_auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The one-vs-rest AUC, averaged over the classes in `labels`; 0.5 if there is only one class."""
    area = float(mean_of_classes(aucs(labels, probabilities, np.ones((1, len(labels)))))[0])
    return 0.5 if np.isnan(area) else area


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
