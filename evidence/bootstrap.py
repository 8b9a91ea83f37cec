"""The bootstrap over patients, for the intervals of audit, ablation and report.

Patients are drawn with replacement, each with all photographs, as two eyes of one person are not independent (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapter 8). A draw is a row of weights: the count of each photograph. Row 0 is the original data.
`model.metrics` computes all rows at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 1000


@dataclass(frozen=True)
class Figure:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return format(self)

    def __format__(self, sign: str) -> str:
        """Format with a sign before the value if `sign` is "+"."""
        return f"{self.value:{sign}.3f} ({self.low:.3f} to {self.high:.3f})"


def draw(rng: np.random.Generator, count: int, resamples: int) -> np.ndarray:
    """Weights of `count` patients, or other units: float64 (1 + resamples, count). Row 0 is ones."""
    return np.concatenate([np.ones((1, count)), rng.multinomial(count, np.full(count, 1 / count), size=resamples)])


def draw_patients(patients: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Weights of photographs, float64 (1 + RESAMPLES, n), from the patient of each, (n,). Row 0 is ones."""
    indices = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)[1]
    return draw(np.random.default_rng(0), int(indices.max()) + 1, RESAMPLES)[:, indices]


def interval(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 2.5 and 97.5 % quantiles over the first axis. NaN draws are left out; NaN where all are NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanpercentile(draws, [2.5, 97.5], axis=0)
    return low, high


def estimate(values: np.ndarray) -> Figure:
    """The value of row 0 of (1 + resamples,), with the interval of the other rows."""
    low, high = interval(values[1:])
    return Figure(float(values[0]), float(low), float(high))
