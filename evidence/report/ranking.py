"""ROC and precision-recall curves of one class against the rest, for many rows of weights at once.

A resample of the patients is a row of weights: the count of each photograph. scikit-learn's functions take one row per call, and a
thousand calls per class and curve would multiply the time of the report.
"""

from __future__ import annotations

import numpy as np

# Shares are ratios of whole numbers below 2**24: different shares differ by more than this.
_ROUNDING = 1e-9


class Ranking:
    """True and false positives at each threshold, the highest first, by row of weights.

    Args:
        positive: bool (n,), with some of both.
        scores: float (n,), higher for more likely positive.
        weights: float (r, n).

    Attributes:
        recall, fall_out: float (r, t), the shares of the positives and of the negatives at or above the threshold; NaN in a row without
            any of them.
        precision: float (r, t), the share of positives at or above the threshold; 0 where nothing is.
    """

    def __init__(self, positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> None:
        order = np.argsort(-scores, kind="stable")
        # Equal scores share a threshold.
        ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
        hits = np.cumsum(weights[:, order] * positive[order], axis=1)[:, ends]
        alarms = np.cumsum(weights[:, order] * ~positive[order], axis=1)[:, ends]
        with np.errstate(invalid="ignore"):
            self.recall, self.fall_out = hits / hits[:, -1:], alarms / alarms[:, -1:]
        total = hits + alarms
        self.precision = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)

    def average_precision(self) -> np.ndarray:
        """The mean of the precision over the recall's steps, (r,), as `sklearn.metrics.average_precision_score`."""
        return np.asarray((np.diff(_from_zero(self.recall)) * self.precision).sum(axis=1))

    def sensitivity_at(self, specificity: float) -> np.ndarray:
        """The highest recall of the thresholds with at least that specificity, (r,), 0 if there is none."""
        return self.recall_on(np.array([1 - specificity]))[:, 0]

    def recall_on(self, fall_outs: np.ndarray) -> np.ndarray:
        """The height of the ROC curve, a staircase, at each of these fall-outs (g,): float (r, g)."""
        heights = np.full((len(self.recall), len(fall_outs)), np.nan)
        for row, (recall, fall_out) in enumerate(zip(_from_zero(self.recall), _from_zero(self.fall_out), strict=True)):
            if not (np.isnan(recall[-1]) or np.isnan(fall_out[-1])):
                heights[row] = recall[np.searchsorted(fall_out, fall_outs + _ROUNDING, "right") - 1]
        return heights

    def precision_on(self, recalls: np.ndarray) -> np.ndarray:
        """The precision at the first threshold that reaches each of these recalls (g,), above 0: float (r, g)."""
        heights = np.full((len(self.recall), len(recalls)), np.nan)
        for row, (recall, precision) in enumerate(zip(self.recall, self.precision, strict=True)):
            if not np.isnan(recall[-1]):
                heights[row] = precision[np.searchsorted(recall, recalls - _ROUNDING)]
        return heights


def _from_zero(shares: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((len(shares), 1)), shares], axis=1)
