"""Accuracy, balanced accuracy and macro AUC over the trainings of an arm, and their differences from the recipe's, with intervals.

Intervals are percentile intervals of a paired bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6 and 13):
patients are drawn with replacement, each with all photographs, and so are seeds, each with all its folds; all arms have the
same draws. With one seed, an interval does not cover the variation between seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.metrics import accuracy, aucs, mean_of_classes, recalls
from model.records import Predictions

from ..bootstrap import Figure, draw, estimate
from .arms import FILE_SPLIT, RECIPE, Arm
from .runs import Outcome, Run

NAMES = ("accuracy", "balanced accuracy", "AUC")
BALANCED, AUC = 1, 2
RESAMPLES = 2000

Cell = tuple[int, int]


@dataclass(frozen=True)
class Row:
    """The metrics of an arm and their differences from the recipe's, in the order of NAMES, in 0..1; None if there are none.

    minutes: of the processor, the mean over its trainings. failed: the number of trainings that failed.
    """

    arm: Arm
    validation: tuple[Figure, ...] | None
    difference: tuple[Figure, ...] | None
    test: tuple[Figure, ...] | None
    test_difference: tuple[Figure, ...] | None
    minutes: float
    failed: int


@dataclass(frozen=True)
class Table:
    """The rows of an ablation over the cells (seed, fold) in which every arm was trained; `left_out` runs are of other cells."""

    rows: tuple[Row, ...]
    cells: tuple[Cell, ...]
    patients: int
    photographs: int
    tested: int
    left_out: int


@dataclass(frozen=True)
class Together:
    """Figures of an arm's ensemble on the test photographs: the networks of all folds of a seed, averaged; means over the seeds.

    Figures in the order of NAMES; `difference` from the recipe's figures, None for the recipe itself.
    """

    arm: Arm
    test: tuple[Figure, ...]
    difference: tuple[Figure, ...] | None


@dataclass(frozen=True)
class Leak:
    """The metrics of validation and test set with a split, and validation less test, in the order of NAMES."""

    arm: Arm
    validation: tuple[Figure, ...]
    test: tuple[Figure, ...]
    gap: tuple[Figure, ...]


class Draws:
    """Weights of patients (1 + r, m) and of seeds (1 + r, s); the first row is the data as they are."""

    def __init__(self, patients: Collection[str], seeds: Collection[int], seed: int) -> None:
        self.patients = {patient: number for number, patient in enumerate(sorted(patients))}
        self.seeds = sorted(seeds)
        rng = np.random.default_rng(seed)
        self.of_patients = draw(rng, len(self.patients), RESAMPLES)
        self.of_seeds = draw(rng, len(self.seeds), RESAMPLES)

    def figures(self, cells: dict[Cell, Predictions]) -> np.ndarray:
        """Each figure for each draw, (1 + r, 3): the mean over the drawn seeds.

        Accuracies cover the validation photographs of all folds of a seed. An AUC compares predictions of one network, so it is the mean
        of the AUCs of the folds.
        """
        of_seeds = np.stack(
            [self._of_seed([p for cell, p in cells.items() if cell[0] == s]) for s in self.seeds], axis=1
        )
        known = ~np.isnan(of_seeds)
        weights = np.broadcast_to(self.of_seeds[:, :, None], of_seeds.shape) * known
        with np.errstate(invalid="ignore"):
            return np.asarray((weights * np.where(known, of_seeds, 0)).sum(axis=1) / weights.sum(axis=1))

    def _of_seed(self, folds: Sequence[Predictions]) -> np.ndarray:
        weights = [self.of_patients[:, [self.patients[patient] for patient in fold.patients]] for fold in folds]
        together = (
            np.concatenate([fold.labels for fold in folds]),
            np.concatenate([fold.probabilities for fold in folds]),
            np.concatenate(weights, axis=1),
        )
        areas = [mean_of_classes(aucs(f.labels, f.probabilities, w)) for f, w in zip(folds, weights, strict=True)]
        balanced = mean_of_classes(recalls(*together))
        return np.stack([accuracy(*together), balanced, mean_of_classes(np.stack(areas, axis=1))], axis=1)


def estimates(draws: np.ndarray) -> tuple[Figure, ...]:
    """The estimate of each column of (1 + r, figures)."""
    return tuple(estimate(column) for column in draws.T)


def complete_cells(done: Sequence[tuple[Run, Outcome]], arms: Sequence[Arm]) -> tuple[Cell, ...]:
    """The cells in which every arm was trained, in order."""
    names: dict[Cell, set[str]] = {}
    for run, _ in done:
        names.setdefault(run.cell, set()).add(run.arm.name)
    return tuple(sorted(cell for cell, trained in names.items() if trained >= {arm.name for arm in arms}))


def tabulate(done: Sequence[tuple[Run, Outcome]], arms: Sequence[Arm]) -> Table:
    """The table of finished runs, with rows in the order of `arms`, which include the recipe; no rows if no cell is complete."""
    cells = complete_cells(done, arms)
    complete = [(run, outcome) for run, outcome in done if run.cell in cells]
    sides = {side: _of_arms(complete, arms, side) for side in ("validation", "test")}
    draws = {side: _draw(of_arms, cells) for side, of_arms in sides.items()}
    rows = []
    for arm in arms if cells else ():
        own = [outcome for run, outcome in complete if run.arm.name == arm.name]
        figures = {}
        for side, of_side in draws.items():
            of_arm = of_side.get(arm.name)
            of_recipe = of_side.get(RECIPE)
            figures[side] = None if of_arm is None else estimates(of_arm)
            figures[f"{side} difference"] = (
                None if of_arm is None or of_recipe is None or arm.name == RECIPE else estimates(of_arm - of_recipe)
            )
        rows.append(
            Row(
                arm, figures["validation"], figures["validation difference"], figures["test"],
                figures["test difference"], float(np.mean([o.processor_seconds for o in own])) / 60,
                sum(bool(outcome.failed) for outcome in own),
            )
        )  # fmt: skip
    validated = list(sides["validation"].get(RECIPE, {}).values())
    tested = next(iter(sides["test"].get(RECIPE, {}).values()), None)
    return Table(
        tuple(rows),
        cells,
        len({patient for fold in validated for patient in fold.patients}),
        len({sample for fold in validated for sample in fold.samples}),
        0 if tested is None else len(tested.labels),
        len(done) - len(complete),
    )


def together(done: Sequence[tuple[Run, Outcome]], arms: Sequence[Arm]) -> tuple[Together, ...]:
    """The ensemble of each arm with test predictions in as many folds as the recipe, at least two, as `--fold all` submits it.

    Seeds with fewer folds than others are left out.
    """
    cells = complete_cells(done, arms)
    folds = Counter(seed for seed, _ in cells)
    most = max(folds.values(), default=0)
    seeds = [seed for seed, count in folds.items() if count == most > 1]
    means: dict[str, dict[Cell, Predictions]] = {}
    for arm in arms:
        of_seeds: dict[int, list[Predictions]] = {seed: [] for seed in seeds}
        for run, outcome in done:
            if run.arm.name == arm.name and run.cell in cells and run.cell[0] in of_seeds and outcome.test is not None:
                of_seeds[run.cell[0]].append(outcome.test)
        if all(len(tests) == most for tests in of_seeds.values()):
            means[arm.name] = {
                (seed, 0): replace(tests[0], probabilities=np.mean([test.probabilities for test in tests], axis=0))
                for seed, tests in of_seeds.items()
            }
    draws = _draw(means, [(seed, 0) for seed in seeds])
    recipe = draws.get(RECIPE)
    return tuple(
        Together(
            arm,
            estimates(draws[arm.name]),
            None if recipe is None or arm.name == RECIPE else estimates(draws[arm.name] - recipe),
        )
        for arm in arms
        if arm.name in draws
    )


def leaks(done: Sequence[tuple[Run, Outcome]], arms: Sequence[Arm]) -> tuple[Leak, ...]:
    """The leaks of the recipe and of the split by file, in the order of `arms`; empty if no cell is complete or test labels are unknown."""
    arms = [arm for arm in arms if arm.name in (RECIPE, FILE_SPLIT)]
    cells = complete_cells(done, arms)
    complete = [(run, outcome) for run, outcome in done if run.cell in cells]
    validation = _draw(_of_arms(complete, arms, "validation"), cells)
    # Test photographs are drawn independently of the validation patients, as they are of other people.
    test = _draw(_of_arms(complete, arms, "test"), cells, seed=1)
    return tuple(
        Leak(
            arm,
            estimates(validation[arm.name]),
            estimates(test[arm.name]),
            estimates(validation[arm.name] - test[arm.name]),
        )
        for arm in arms
        if arm.name in validation and arm.name in test
    )


def _of_arms(done: Sequence[tuple[Run, Outcome]], arms: Sequence[Arm], side: str) -> dict[str, dict[Cell, Predictions]]:
    """The predictions of a side, "validation" or "test", by arm and cell."""
    return {
        arm.name: {
            run.cell: predictions
            for run, outcome in done
            if run.arm.name == arm.name and (predictions := getattr(outcome, side)) is not None
        }
        for arm in arms
    }


def _draw(of_arms: dict[str, dict[Cell, Predictions]], cells: Sequence[Cell], seed: int = 0) -> dict[str, np.ndarray]:
    """The draws of each arm that has predictions in every cell, on the same patients and seeds."""
    whole = {name: of_cells for name, of_cells in of_arms.items() if cells and len(of_cells) == len(cells)}
    patients = {patient for of_cells in whole.values() for p in of_cells.values() for patient in p.patients}
    if not patients:
        return {}
    draws = Draws(patients, {seed for seed, _ in cells}, seed)
    return {name: draws.figures(of_cells) for name, of_cells in whole.items()}
