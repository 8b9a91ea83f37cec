"""The findings of `ablate` and `leak`: tables, and a sentence for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataprep.catalog import read_catalog
from model.console import counted

from ..audit.measure import Measures, measure_all
from ..audit.probe import Folds, Probe, make_folds, probe
from .arms import Arm
from .dataset import Dataset
from .figures import Table, leaks, tabulate, together
from .runs import Outcome, Run
from .table import Grid, ablation_grid, as_text, leak_grid, test_grid, together_grid
from .words import caution, leak_sentence, sentence

_NOTHING_YET = "no fold is trained in every arm yet, so there is no table; repeat the command to continue"


@dataclass(frozen=True)
class Findings:
    """`heading`: how many photographs, patients and trainings. `table`: of an ablation, to be drawn; None if there is none."""

    heading: str
    grids: tuple[Grid, ...]
    sentences: tuple[str, ...]
    table: Table | None = None

    def as_text(self) -> str:
        """The findings as text for a terminal."""
        parts = [self.heading, *(as_text(grid) for grid in self.grids), "\n".join(self.sentences)]
        return "\n\n".join(part for part in parts if part)


def ablation(done: Sequence[tuple[Run, Outcome]], arms: Sequence[Arm], dataset: Dataset) -> Findings:
    """Each arm against the recipe, with the shortcut probes."""
    table = tabulate(done, arms)
    if not table.rows:
        return Findings(_NOTHING_YET, (), ())
    seeds, folds = ({cell[number] for cell in table.cells} for number in (0, 1))
    heading = (
        f"{table.photographs} photographs of {table.patients} patients validated, {table.tested} tested; "
        f"{counted(len(seeds), 'seed')} and {counted(len(folds), 'fold')} in which every arm is trained"
    )
    if table.left_out:
        heading += f"; left out: {counted(table.left_out, 'run')} of other folds"
    grids = [ablation_grid(table, _probes(dataset))]
    if tested := test_grid(table):
        grids.append(tested)
    if averaged := together(done, arms):
        grids.append(together_grid(averaged))
    sentences = [sentence(row) for row in table.rows]
    return Findings(heading, tuple(grids), (*(text for text in sentences if text), caution(table)), table)


def leak(done: Sequence[tuple[Run, Outcome]], arms: Sequence[Arm]) -> Findings:
    """The metrics of validation and test set, with a split by file and with a split by patient."""
    gaps = leaks(done, arms)
    if not gaps:
        return Findings(_NOTHING_YET, (), ())
    return Findings("", (leak_grid(gaps),), (leak_sentence(gaps),))


def _probes(dataset: Dataset) -> dict[str, Probe]:
    """The shortcut probes of the audit on the photographs of an ablation. Empty if the photographs cannot be split into folds."""
    samples = read_catalog(dataset.photographs, dataset.classes, dataset.patient_pattern).samples
    measured = zip(samples, measure_all([sample.path for sample in samples], near=False), strict=True)
    readable = [(sample, measures) for sample, measures in measured if isinstance(measures, Measures)]
    folds = make_folds([sample for sample, _ in readable], dataset.classes)
    if not isinstance(folds, Folds):
        return {}
    chosen = [readable[i][1] for i in folds.chosen]
    return {
        "colours": probe(np.array([measures.colours for measures in chosen]), folds),
        "shape": probe(np.array([measures.shape for measures in chosen]), folds),
    }
