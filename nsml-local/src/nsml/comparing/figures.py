"""Accuracy, balanced accuracy, macro AUC and the fundus score, for many resamples of patients at once.

A resample is a row of weights: the number of times that each patient was drawn. One matrix product turns counts by patient into counts
by resample. The AUC takes one cumulative sum over the samples, sorted by probability.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..scoring.fundus import CLASSES, fundus_score

Floats = NDArray[np.float64]

NAMES = ("accuracy", "balanced_accuracy", "macro_auc", "fundus_score")
# Size of the largest intermediate array: 16 MB.
_CHUNK_VALUES = 2_000_000


class Figures:
    """The metrics of one set of predictions. Call it with weights of the patients.

    Args:
        labels: (n,), the true classes, 0 to k - 1.
        patients: (n,), integers 0 to m - 1.
        probabilities: (n, k). The predicted class is the first one with the highest probability.
    """

    def __init__(self, labels: NDArray[np.int64], patients: NDArray[np.int64], probabilities: Floats) -> None:
        self.labels, self.patients = labels, patients
        self.classes = probabilities.shape[1]
        self.predicted = probabilities.argmax(axis=1)
        self.right = self.predicted == labels
        count = int(patients.max()) + 1
        self._images = self._by_patient(labels, np.ones(len(labels)), count)
        self._hits = self._by_patient(labels, self.right, count)
        self._named = self._by_patient(self.predicted, np.ones(len(labels)), count)
        self._rankings = [
            Ranking(labels == c, probabilities[:, c], patients)
            for c in range(self.classes)
            if 0 < (labels == c).sum() < len(labels)
        ]  # fmt: skip

    def _by_patient(self, classes: NDArray[np.int64], values: NDArray[np.generic], count: int) -> Floats:
        table = np.zeros((count, self.classes))
        np.add.at(table, (self.patients, classes), values)
        return table

    def observed(self) -> Floats:
        """The metrics of `NAMES`, (4,), on the validation set itself; NaN where one is undefined."""
        metrics: Floats = self(np.ones((1, len(self._images))))[0]
        if self.classes <= len(CLASSES):
            # NumPy rounds some halves differently, and the competition's score has many.
            metrics[3] = fundus_score(self.labels.tolist(), self.predicted.tolist()).score
        return metrics

    def __call__(self, weights: Floats) -> Floats:
        """Returns (r, 4) for weights (r, m). Means are over the classes in the resample, as in the scorers."""
        images, hits, named = weights @ self._images, weights @ self._hits, weights @ self._named
        accuracy = hits.sum(axis=1) / images.sum(axis=1)
        is_defined = self.classes <= len(CLASSES)
        score = fundus_scores(images, hits, named) if is_defined else np.full(len(weights), np.nan)
        return np.stack([accuracy, mean_of_ratios(hits, images), mean_auc(self._rankings, weights), score], axis=1)


def fundus_scores(images: Floats, hits: Floats, named: Floats) -> Floats:
    """The competition's score, (r,), from each class's images, right answers and answers, (r, k)."""
    total = images.sum(axis=1, keepdims=True)
    others = total - images
    specificity = mean_of_ratios(others - (named - hits), np.where(images > 0, others, 0))
    # With a single class the specificity is undefined; the scorer counts it as 0.
    digits = np.round(mean_of_ratios(hits, images), 4) / 100 + np.round(np.nan_to_num(specificity), 4) / 1e6
    scores: Floats = np.round(np.round(hits.sum(axis=1) / total[:, 0], 4) * 100 + digits, 10)
    return scores


def mean_auc(rankings: Sequence[Ranking], weights: Floats) -> Floats:
    """Returns (r,): the area under the ROC curve, averaged over the rankings for which it is defined."""
    auc = np.full(len(weights), np.nan)
    step = max(
        1, _CHUNK_VALUES // max((len(ranking.negatives) + len(ranking.positives) for ranking in rankings), default=1)
    )
    for start in range(0, len(weights) if rankings else 0, step):
        columns = np.ascontiguousarray(weights[start : start + step].T, np.float32)
        wins, pairs = zip(*(ranking(columns) for ranking in rankings), strict=True)
        auc[start : start + step] = mean_of_ratios(np.stack(wins, axis=1), np.stack(pairs, axis=1))
    return auc


class Ranking:
    """One class against the rest: a positive sample beats the negatives ranked below it; a tie counts half.

    The area under the ROC curve is the share of pairs won (Mann and Whitney; Hanley and McNeil, Radiology 143, 1982).
    """

    def __init__(self, positive: NDArray[np.bool_], probabilities: Floats, patients: NDArray[np.int64]) -> None:
        negatives = np.flatnonzero(~positive)
        negatives = negatives[np.argsort(probabilities[negatives], kind="stable")]
        ranked = probabilities[negatives]
        self.negatives, self.positives = patients[negatives], patients[positive]
        self.below = np.searchsorted(ranked, probabilities[positive], "left")
        self.up_to = np.searchsorted(ranked, probabilities[positive], "right")

    def __call__(self, weights: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """Returns pairs won and all pairs, each (r,), for weights (m, r), one resample per column.

        float32 holds the sums of the weights exactly: they are integers below 2^24.
        """
        beaten = np.zeros((len(self.negatives) + 1, weights.shape[1]), np.float32)
        np.cumsum(weights[self.negatives], axis=0, out=beaten[1:])
        of_positives = weights[self.positives]
        wins = np.einsum("ij,ij->j", of_positives, beaten[self.below] + beaten[self.up_to], dtype=np.float64) / 2
        return wins, of_positives.sum(axis=0, dtype=np.float64) * beaten[-1]


def mean_of_ratios(above: Floats, below: Floats) -> Floats:
    """Returns (r,): the mean of `above / below`, both (r, k), over the classes where `below` is positive; NaN where it never is."""
    defined = below > 0
    ratios = np.divide(above, below, out=np.zeros_like(above), where=defined)
    count = defined.sum(axis=1)
    means: Floats = np.divide(ratios.sum(axis=1), count, out=np.full(len(above), np.nan), where=count > 0)
    return means
