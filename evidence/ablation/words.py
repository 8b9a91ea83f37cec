"""The figures of an ablation in one sentence for each arm."""

from __future__ import annotations

from collections.abc import Sequence

from model.recipes import RECIPES

from ..bootstrap import Figure
from .arms import (
    FILE_SPLIT,
    FROZEN_FEATURES,
    KERAS_WAY,
    LARGEST_CLASS,
    LEARNING_CURVE,
    RECIPE,
    SAMPLE_CNN,
    TRIED_ON_TOP,
)
from .figures import BALANCED, Leak, Row, Table

_RIVALS = (LARGEST_CLASS, FROZEN_FEATURES, KERAS_WAY, SAMPLE_CNN)


def sentence(row: Row) -> str:
    """A sentence on an arm's difference in balanced accuracy on the validation photographs; "" for the recipe itself."""
    if row.arm.name == RECIPE:
        return ""
    if row.failed:
        needed = ": it is needed" if _is_ingredient(row.arm.name) else ""
        return f"{row.arm.title}: {row.failed} of its trainings failed, so there are no figures{needed}"
    if row.difference is None:
        return f"{row.arm.title}: the recipe's own training failed, so there is nothing to compare it with"
    difference = row.difference[BALANCED]
    if difference.low <= 0 <= difference.high:
        return (
            f"{row.arm.title}: {points(difference.value)} points, 95 % interval {points(difference.low)} to {points(difference.high)}: "
            "the difference may be chance"
        )
    worse = difference.value < 0
    near, far = sorted((abs(difference.low), abs(difference.high)))
    size = f"{100 * abs(difference.value):.1f} points {'worse' if worse else 'better'}, 95 % interval {100 * near:.1f} to {100 * far:.1f}"
    return f"{row.arm.title}: {size}: {_meaning(row.arm.name, worse)}"


def _is_ingredient(name: str) -> bool:
    """Whether the arm is the recipe without one of its ingredients."""
    added = name in (*TRIED_ON_TOP, *LEARNING_CURVE, *RECIPES) or "=" in name
    return not added and name not in (FILE_SPLIT, *_RIVALS)


def _meaning(name: str, worse: bool) -> str:
    if name == FILE_SPLIT:
        return "validation promises " + ("less than by patient" if worse else "more than by patient, see `leak`")
    if name in _RIVALS:
        return "the recipe is " + ("above" if worse else "below") + " it"
    if name in LEARNING_CURVE:
        return "more patients help" if worse else "fewer patients do here"
    if name in RECIPES:
        return "it is worse here" if worse else "it is better here"
    if name in TRIED_ON_TOP or "=" in name:
        return "the recipe is worse with it here" if worse else "it helps"
    return "it helps" if worse else "the recipe is better without it here"


def caution(table: Table) -> str:
    """A sentence on how far the intervals can be trusted."""
    seeds = len({seed for seed, _ in table.cells})
    if seeds == 1:
        return "One seed: the intervals cover the choice of patients only; another seed may change each row by as much again."
    if seeds < 5:
        return f"{seeds} seeds are too few to measure the variation between seeds: the intervals are rather too narrow."
    return f"The intervals cover the choice of patients and of {seeds} seeds."


def leak_sentence(leaks: Sequence[Leak]) -> str:
    """A sentence on validation and test set for both splits; "" unless both are trained."""
    if len(leaks) < 2:
        return ""
    by_patient, by_file = (leak.gap[BALANCED] for leak in leaks)
    return (
        f"Split by patient, validation is {_above(by_patient)} the test set's balanced accuracy; "
        f"split by file, {_above(by_file)} it. An interval that includes 0 shows no leak."
    )


def _above(gap: Figure) -> str:
    side = "above" if gap.value >= 0 else "below"
    return f"{100 * abs(gap.value):.1f} points ({points(gap.low)} to {points(gap.high)}) {side}"


def points(share: float) -> str:
    """A share in points (hundredths), with a sign."""
    return f"{100 * share:+.1f}"
