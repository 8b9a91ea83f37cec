"""Intervals by the paired bootstrap over patients (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6 and 13).

Patients are drawn with replacement, each with all samples, since two eyes of one person are no two independent witnesses; A and B are
looked at on the same draws, so that what is hard for both cancels in the difference.

The intervals are percentile intervals: the 2.5 and 97.5 % quantiles of the resamples. They stay within the range of a figure, and mirror
when A and B change places. BCa (DiCiccio and Efron, Statistical Science 11, 1996) is better by an order in theory; but its acceleration
is a jackknife, and leaving out the only patient of a rare class changes what the averages are of, so it would jump exactly where there
are few patients; and the difference of two figures on the same patients, which decides, is hardly skewed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .figures import NAMES, Figures, Floats
from .matching import Pair

RESAMPLES = 2000
SEED = 0
LEVEL = 0.95
_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval and its bootstrap standard error, in the figure's unit; NaN where it is not defined."""

    value: float
    low: float
    high: float
    standard_error: float


@dataclass(frozen=True)
class Compared:
    """One figure of A, of B, and what B has more."""

    first: Estimate
    second: Estimate
    difference: Estimate


def compare(pair: Pair, resamples: int = RESAMPLES, seed: int = SEED) -> dict[str, Compared]:
    """The figures of `figures.NAMES`, but for the fundus competition's where there are more classes than it has."""
    first = Figures(pair.labels, pair.patients, pair.first)
    second = Figures(pair.labels, pair.patients, pair.second)
    drawn = [(first(w), second(w)) for w in draw_patients(pair.patient_count, resamples, seed)]
    of_first, of_second = (np.concatenate(side) for side in zip(*drawn, strict=True))
    one, other = first.observed(), second.observed()
    return {
        name: Compared(
            _estimate(one[column], of_first[:, column]),
            _estimate(other[column], of_second[:, column]),
            _estimate(other[column] - one[column], of_second[:, column] - of_first[:, column]),
        )
        for column, name in enumerate(NAMES)
        if name != "fundus_score" or not np.isnan(one[column])
    }


def draw_patients(patients: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each patient is drawn: arrays (r, patients), whose rows sum to `patients`, `resamples` rows in all."""
    rng = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // patients)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(patients, size=(rows, patients)) + patients * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * patients).reshape(rows, patients).astype(float)


def _estimate(value: float, drawn: Floats) -> Estimate:
    # A resample of a single class has no AUC.
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value) or len(drawn) < 2:
        return Estimate(float(value), float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high), float(drawn.std(ddof=1)))
