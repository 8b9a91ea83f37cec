"""Makes the runs of an ablation that are not yet made, in turns with other processes that do the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from model.console import clock

from .claims import claim
from .runs import Outcome, Run, read_outcome, result_file, write_outcome


def make_runs(
    runs: Sequence[Run],
    folder: Path,
    execute: Callable[[Run], Outcome],
    minutes: float | None = None,
    told: Callable[[str], None] = print,
) -> int:
    """Make what is missing, one after the other, and keep each outcome in `folder`; the number of runs that are still missing.

    A run that another process has claimed is left to it. After `minutes` no other is begun. `told` is given a line for each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    durations: list[float] = []
    for number, run in enumerate(runs, 1):
        path = result_file(folder, run)
        if read_outcome(path) is not None:
            continue
        if minutes is not None and time.monotonic() - started >= minutes * 60:
            told(f"{minutes:g} minutes are over; the same command goes on where this one stopped")
            break
        with claim(folder / f"{run.name}.claim") as mine:
            # Another process may have finished it between the two looks.
            if not mine or read_outcome(path) is not None:
                continue
            begun = time.monotonic()
            outcome = execute(run)
            write_outcome(path, run, outcome)
            durations.append(time.monotonic() - begun)
        left = sum(not result_file(folder, other).exists() for other in runs)
        told(f"{number:>3} of {len(runs)}  {_line(run, outcome)}, {clock(left * float(np.mean(durations)))} left")
    return sum(not result_file(folder, run).exists() for run in runs)


def _line(run: Run, outcome: Outcome) -> str:
    seed, fold = run.cell
    if outcome.validation is None:
        result = outcome.failed
    else:
        right = outcome.validation.probabilities.argmax(axis=1) == outcome.validation.labels
        result = f"accuracy {right.mean():.3f}"
    return f"{run.arm.title:<22} seed {seed} fold {fold}  {result}  {clock(outcome.seconds)}"


def finished(runs: Sequence[Run], folder: Path) -> list[tuple[Run, Outcome]]:
    """The runs that are made, with their outcomes."""
    found = ((run, read_outcome(result_file(folder, run))) for run in runs)
    return [(run, outcome) for run, outcome in found if outcome is not None]
