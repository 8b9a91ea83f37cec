"""The verdict on a difference in accuracy: McNemar's test, the number of patients needed, and one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .bootstrap import Estimate
from .matching import Pair

# With fewer patients the bootstrap intervals are too narrow.
MIN_PATIENTS = 20
_SIGNIFICANCE, _POWER = 0.05, 0.80


@dataclass(frozen=True)
class McNemar:
    """Number of samples that only A, and only B, predicts correctly, with the two-sided exact p-value.

    McNemar, Psychometrika 12, 1947. It assumes independent samples, so p is a little too small for patients with several samples.
    """

    only_first: int
    only_second: int
    p: float


@dataclass(frozen=True)
class Verdict:
    """The result in one sentence.

    Attributes:
        significant: the interval and McNemar's test both say that A and B differ.
        patients_needed: number of patients that would show a difference of this size; None if `significant`, or if no number would.
    """

    significant: bool
    patients_needed: int | None
    sentence: str


def mcnemar(pair: Pair) -> McNemar:
    """McNemar's exact test on the samples that exactly one of A and B predicts correctly."""
    from scipy.stats import binomtest

    first, second = (side.argmax(axis=1) == pair.labels for side in (pair.first, pair.second))
    a, b = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return McNemar(a, b, float(binomtest(a, a + b).pvalue) if a + b else 1.0)


def patients_needed(effect: float, standard_error: float, patients: int) -> int | None:
    """Number of patients to detect a difference of this size with a power of 80 % at a two-sided level of 5 %.

    The standard error shrinks with the square root of the number of patients: n ((1.96 + 0.84) se / effect)^2, rounded up to two digits.
    None if the effect is below a twentieth of a point: it would take more patients than any validation set has.
    """
    from scipy.special import ndtri

    if abs(effect) < 0.0005:
        return None
    z = float(ndtri(1 - _SIGNIFICANCE / 2) + ndtri(_POWER))
    number = max(math.ceil(patients * (z * standard_error / abs(effect)) ** 2), MIN_PATIENTS)
    unit = int(10 ** max(len(str(number)) - 2, 0))
    return -(-number // unit) * unit


def judge(difference: Estimate, test: McNemar, patients: int) -> Verdict:
    """The verdict on B - A in accuracy, both in 0..1.

    The bootstrap interval is too narrow with few discordant samples, and McNemar's p too small with many samples per patient. So a
    difference counts only if both agree.
    """
    excludes_zero = difference.low > 0 or difference.high < 0
    rejected = test.p < _SIGNIFICANCE
    significant = excludes_zero and rejected and patients >= MIN_PATIENTS
    needed = None if significant else patients_needed(difference.value, difference.standard_error, patients)
    if needed is not None:
        needed = max(needed, patients + 1)
    sign = -1 if difference.value < 0 else 1
    low, high = sorted((sign * difference.low, sign * difference.high))
    points = sign * difference.value * 100
    evidence = f"95 % interval {_points(low)} to {_points(high)}, {patients:,} patient{'s' * (patients != 1)}"
    if not test.only_first + test.only_second:
        result = f"A and B are right on the same samples, {patients:,} patient{'s' * (patients != 1)}"
    elif needed is None and not significant:
        result = f"A and B are equally good to a tenth of a point, {evidence}"
    else:
        result = f"{'A' if sign < 0 else 'B'} is {points:.1f} points better, {evidence}"
    if significant:
        return Verdict(True, None, f"{result}: the difference is unlikely to be chance.")
    if patients < MIN_PATIENTS:
        advice = f"; use about {needed:,}." if needed is not None else "."
        return Verdict(False, needed, f"{result}: a verdict needs at least {MIN_PATIENTS} patients{advice}")
    doubt = f" (McNemar's exact test: p = {test.p:.2g})" if excludes_zero and not rejected else ""
    enough = f"about {needed:,}" if needed is not None else "no practical number of"
    return Verdict(
        False,
        needed,
        f"{result}: the difference may be chance{doubt}; {enough} patients would show a difference of this size.",
    )


def _points(share: float) -> str:
    text = f"{share * 100:.1f}"
    return "0.0" if text == "-0.0" else text
