"""Intervals by the paired bootstrap over patients (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6 and 13).

Patients are drawn with replacement, each with all samples, since the two eyes of a person are not independent. A and B are evaluated
on the same resamples, so that difficult patients cancel in the difference.

The intervals are percentile intervals: the 2.5 and 97.5 % quantiles of the resamples. They stay within the range of a metric, and
swapping A and B mirrors them. BCa (DiCiccio and Efron, Statistical Science 11, 1996) converges faster in theory. But its acceleration
is a jackknife estimate: leaving out the only patient of a rare class changes the set of averaged classes, so BCa is unstable with few
patients. And the difference of two metrics on the same patients, on which the verdict rests, is hardly skewed.
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
_CHUNK_VALUES = 2_000_000


@dataclass(frozen=True)
class Estimate:
    """A metric with its 95 % interval and bootstrap standard error, all in the metric's unit; NaN where it is undefined."""

    value: float
    low: float
    high: float
    standard_error: float


@dataclass(frozen=True)
class Compared:
    """One metric of A and of B, the difference B - A, and the same for the constant answer: its metric, A minus it and B minus it."""

    first: Estimate
    second: Estimate
    difference: Estimate
    constant: Estimate
    first_gain: Estimate
    second_gain: Estimate


def compare(pair: Pair, resamples: int = RESAMPLES, seed: int = SEED) -> dict[str, Compared]:
    """Compares the metrics of `figures.NAMES`; without the fundus score where there are more classes than in that competition."""
    constant = np.zeros_like(pair.first)
    constant[:, pair.largest_class] = 1
    sides = [Figures(pair.labels, pair.patients, answers) for answers in (pair.first, pair.second, constant)]
    drawn = [[side(w) for side in sides] for w in draw_patients(pair.patient_count, resamples, seed)]
    # The observed metrics are row 0, the resamples follow.
    a, b, c = (
        np.vstack([side.observed(), *of_side]) for side, of_side in zip(sides, zip(*drawn, strict=True), strict=True)
    )
    estimates = [[estimate(column[0], column[1:]) for column in of.T] for of in (a, b, b - a, c, a - c, b - c)]
    return {
        name: Compared(*of_name)
        for name, of_name in zip(NAMES, zip(*estimates, strict=True), strict=True)
        if name != "fundus_score" or not np.isnan(of_name[0].value)
    }


def draw_patients(patients: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yields resamples as counts per patient: arrays (r, patients) whose rows sum to `patients`, `resamples` rows in all."""
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK_VALUES // patients)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(patients, size=(rows, patients)) + patients * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * patients).reshape(rows, patients).astype(float)


def estimate(value: float, drawn: Floats) -> Estimate:
    """A metric with its interval, from its resamples; NaN among these are left out."""
    # A resample of a single class has no AUC.
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value) or len(drawn) < 2:
        return Estimate(float(value), float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high), float(drawn.std(ddof=1)))
