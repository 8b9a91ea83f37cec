"""What a difference in accuracy means: McNemar's test, the number of patients that would tell, and one plain sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .bootstrap import Estimate
from .matching import Pair

# Resampling fewer patients than this gives intervals that are too narrow.
FEWEST = 20
_SIGNIFICANCE, _POWER = 0.05, 0.80


@dataclass(frozen=True)
class McNemar:
    """Samples that only A, and that only B, got right, and the two-sided exact p of so uneven a pair of numbers.

    McNemar, Psychometrika 12, 1947. It takes samples for independent: of patients with several, it is a little too sure.
    """

    only_first: int
    only_second: int
    p: float


@dataclass(frozen=True)
class Verdict:
    """`apart` where both the interval and McNemar's test tell A from B; `patients_needed` otherwise, None where no number would."""

    apart: bool
    patients_needed: int | None
    sentence: str


def mcnemar(pair: Pair) -> McNemar:
    """McNemar's exact test on the samples on which A and B disagree about the truth."""
    from statsmodels.stats import contingency_tables

    first, second = (side.argmax(axis=1) == pair.labels for side in (pair.first, pair.second))
    a, b = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    both, none = int(np.sum(first & second)), int(np.sum(~first & ~second))
    p = float(contingency_tables.mcnemar([[both, a], [b, none]], exact=True).pvalue) if a + b else 1.0
    return McNemar(a, b, min(p, 1.0))


def patients_needed(effect: float, standard_error: float, patients: int) -> int | None:
    """Patients with whom a difference of this size would be told from none, in four of five validation sets, at 5 % two-sided.

    The standard error shrinks with the root of the number of patients: n ((1.96 + 0.84) se / effect)^2, rounded up to two digits. None
    where the effect is less than a twentieth of a point, which no number that one could gather would show.
    """
    from scipy.special import ndtri

    if abs(effect) < 0.0005:
        return None
    z = float(ndtri(1 - _SIGNIFICANCE / 2) + ndtri(_POWER))
    number = max(math.ceil(patients * (z * standard_error / abs(effect)) ** 2), FEWEST)
    unit = int(10 ** max(len(str(number)) - 2, 0))
    return -(-number // unit) * unit


def judge(difference: Estimate, test: McNemar, patients: int) -> Verdict:
    """The verdict on B - A in accuracy, both in 0..1.

    Few samples that differ make a bootstrap interval too narrow, many samples of each patient make McNemar's test too sure: so both have
    to agree before A and B are told apart.
    """
    excludes_zero = difference.low > 0 or difference.high < 0
    significant = test.p < _SIGNIFICANCE
    apart = excludes_zero and significant and patients >= FEWEST
    needed = None if apart else patients_needed(difference.value, difference.standard_error, patients)
    if needed is not None:
        needed = max(needed, patients + 1)
    sign = -1 if difference.value < 0 else 1
    low, high = sorted((sign * difference.low, sign * difference.high))
    points = sign * difference.value * 100
    evidence = f"95 % interval {_points(low)} to {_points(high)}, {patients:,} patient{'s' * (patients != 1)}"
    if not test.only_first + test.only_second:
        found = f"A and B are right on the same samples, {patients:,} patient{'s' * (patients != 1)}"
    elif needed is None and not apart:
        found = f"A and B are equally good to a tenth of a point, {evidence}"
    else:
        found = f"{'A' if sign < 0 else 'B'} is {points:.1f} points better, {evidence}"
    if apart:
        return Verdict(True, None, f"{found}: this tells them apart.")
    if patients < FEWEST:
        end = f"; about {needed:,} would tell them apart." if needed is not None else "."
        return Verdict(False, needed, f"{found}: too few for a verdict, which takes {FEWEST} at least{end}")
    doubt = f"McNemar's exact test (p = {test.p:.2g}) does not agree, so " if excludes_zero and not significant else ""
    end = f"about {needed:,} patients" if needed is not None else "if they are as alike as this, no number of patients"
    return Verdict(False, needed, f"{found}: {doubt}this does not tell them apart; {end} would.")


def _points(share: float) -> str:
    text = f"{share * 100:.1f}"
    return "0.0" if text == "-0.0" else text
