"""Accuracy, recalls and AUCs of predictions, for many rows of weights at once: a thousand calls of scikit-learn would take minutes.

A row of weights, (n,), has a count for each photograph.
"""

from __future__ import annotations

import warnings

import numpy as np


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
