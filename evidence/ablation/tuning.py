"""A learning rate of its own for each arm, so that an arm is not worse only because the recipe's rate does not fit it.

Each arm is trained at several rates on the first fold of a seed that the ablation does not use. The rate with the highest macro AUC is the
arm's in all its runs. The photographs are those of the ablation, split in another way: for all arms alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from model.metrics import macro_auc

from .arms import Arm, Record
from .dataset import Dataset
from .runs import Outcome, Run, run_of

STEP = 3.0  # between two rates


def factors(count: int) -> list[float]:
    """Factors on the arm's learning rate, around 1: for 3, a third, 1 and 3."""
    return [STEP**power for power in range(-(count // 2), count - count // 2)]


def trials(arms: Sequence[Arm], record: Record, dataset: Dataset, count: int, seed: int) -> list[Run]:
    """The runs that show which rate is best for each arm. Arms that do not train by the recipe's rate have none."""
    runs = [
        run_of(rated(arm, factor), record, dataset, seed, 0)
        for arm in arms
        for factor in factors(count)
        if _has_rate(arm.change(record))
    ]
    return list({run.name: run for run in runs}.values())  # at the ends of what a rate may be, two are the same


def tuned(arms: Sequence[Arm], record: Record, done: Sequence[tuple[Run, Outcome]]) -> tuple[tuple[Arm, ...], str]:
    """The arms with their best rates, and a sentence that names these."""
    result, named = [], []
    for arm in arms:
        own = [(run, outcome) for run, outcome in done if run.arm.name == arm.name]
        if own:
            usual = arm.change(record).recipe.learning_rate
            rates = [run.record.recipe.learning_rate for run, _ in own]
            # Of equally good ones the nearest to the usual rate.
            order = sorted(range(len(own)), key=lambda i: (-_auc(own[i][1]), abs(np.log(rates[i] / usual))))
            rate = rates[order[0]]
            arm = replace(rated(arm, rate / usual), title=arm.title if rate == usual else f"{arm.title}, rate {rate:g}")
            named.append(f"{arm.title.partition(', rate')[0]} {rate:g}")
        result.append(arm)
    return tuple(result), f"Learning rates by macro AUC on another split: {', '.join(named)}."


def rated(arm: Arm, factor: float) -> Arm:
    """The arm at another learning rate."""

    def change(record: Record) -> Record:
        changed = arm.change(record)
        rate = float(f"{changed.recipe.learning_rate * factor:.6g}")
        return changed.with_recipe(learning_rate=min(max(rate, 1e-7), 1.0))

    return replace(arm, change=change)


def _has_rate(record: Record) -> bool:
    return record.sample is None and not record.rival


def _auc(outcome: Outcome) -> float:
    if outcome.validation is None:
        return -1.0
    return macro_auc(outcome.validation.labels, outcome.validation.probabilities)
