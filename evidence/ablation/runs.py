"""One training of one arm on one fold with one seed, and the file of its outcome."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataprep.files import replacing
from model.records import Predictions

from .arms import Arm, Record
from .dataset import Dataset

# Increased when the training of the same record changes.
_VERSION = 2


@dataclass(frozen=True)
class Run:
    """A training, finished or not."""

    arm: Arm
    record: Record
    name: str

    @property
    def cell(self) -> tuple[int, int]:
        """Seed and fold, which runs of different arms share."""
        return self.record.settings.seed, self.record.settings.fold


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        validation: the predictions of the validation photographs after the last epoch; None if the training failed.
        test: the predictions of the test photographs, each as its own patient; None also if their labels are unknown.
        seconds: wall time.
        processor_seconds: processor time of all cores.
        ended: local time of the end.
        machine: machine and versions, in words.
        failed: why the training failed, else "".
    """

    validation: Predictions | None
    test: Predictions | None
    seconds: float
    processor_seconds: float
    ended: str
    machine: str
    failed: str = ""


def plan(record: Record, dataset: Dataset, arms: tuple[Arm, ...], seeds: int) -> list[Run]:
    """All runs in order: all arms of a fold, then the next fold, then the next seed, so that a stopped ablation has complete folds."""
    runs = []
    for seed in range(seeds):
        for fold in range(record.settings.folds):
            runs += [run_of(arm, record, dataset, seed, fold) for arm in arms]
    return runs


def run_of(arm: Arm, record: Record, dataset: Dataset, seed: int, fold: int) -> Run:
    """The run of an arm on a fold."""
    changed = arm.change(record.with_settings(seed=seed, fold=fold))
    name = arm.name.replace("/", "_")[:100]  # --try weights=DIR/FILE.weights.h5 has a path
    return Run(arm, changed, f"{name}-seed{seed}-fold{fold}-{changed.digest(_VERSION, dataset.digest)}")


def result_file(folder: Path, run: Run) -> Path:
    """The file of the outcome of a run."""
    return folder / f"{run.name}.json"


def write_outcome(path: Path, run: Run, outcome: Outcome) -> None:
    """Write an outcome. The file is replaced once it is complete."""
    values = {
        "record": run.record.to_dict(),
        **{name: getattr(outcome, name) for name in ("seconds", "processor_seconds", "ended", "machine", "failed")},
        "validation": _to_dict(outcome.validation),
        "test": _to_dict(outcome.test),
    }
    with replacing(path) as temporary:
        # ASCII escapes, as file names may not be UTF-8.
        temporary.write_text(json.dumps(values), encoding="ascii")


def read_outcome(path: Path) -> Outcome | None:
    """Read the file of `write_outcome`; None if there is no file. Raises ValueError, with one line, if it is damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Outcome(
            _from_dict(values["validation"]), _from_dict(values["test"]), float(values["seconds"]),
            float(values["processor_seconds"]), str(values["ended"]), str(values["machine"]), str(values["failed"]),
        )  # fmt: skip
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read ({error!r}); delete it, and the run is made again") from None


def _to_dict(predictions: Predictions | None) -> dict[str, Any] | None:
    if predictions is None:
        return None
    # The shortest decimals that are read back as the same float32.
    rows = [[float(str(value)) for value in row] for row in predictions.probabilities.astype(np.float32)]
    return {
        "samples": list(predictions.samples),
        "patients": list(predictions.patients),
        "labels": predictions.labels.tolist(),
        "probabilities": rows,
    }


def _from_dict(values: Any) -> Predictions | None:
    if values is None:
        return None
    labels = np.array(values["labels"], int)
    probabilities = np.array(values["probabilities"], np.float32).reshape(len(labels), -1)
    if not len(labels) == len(values["samples"]) == len(values["patients"]):
        raise ValueError("its columns differ in length")
    return Predictions(values["samples"], values["patients"], labels, probabilities)


def now() -> str:
    """Local time, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M")
