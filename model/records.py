"""Records of a training, as CSV in each checkpoint: validation predictions, history of the epochs, and baselines.

validation.csv, UTF-8, one line per photograph:

    sample,patient,label,NORMAL,AMD
    AMD/Wide_AMD_12_R.jpg,12,AMD,0.125,0.875

`sample` is the path of the photograph below the folder of photographs, `label` the name of its class; the other columns are the
probabilities of the classes.

history.csv, one line per epoch:

    epoch,phase,learning_rate,train_loss,train_accuracy,val_loss,val_accuracy,val_score
    1,strong,0.003,1.25,0.4,1.4,0.25,25.002575

Training values are means over the epoch, with augmentation, label smoothing and class weights.

baselines.csv, one line per baseline, on the same validation photographs, see `model.baselines`:

    name,auc,balanced,accuracy
    always NORMAL,0.5,0.25,0.745
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import IO, TypeVar

import numpy as np

VALIDATION, HISTORY, BASELINES = "validation.csv", "history.csv", "baselines.csv"
_LEADING = ["sample", "patient", "label"]
R = TypeVar("R", "Epoch", "Baseline")


@dataclass(frozen=True)
class Predictions:
    """Names and patients of n photographs, their classes, int (n,), and predicted probabilities, float32 (n, classes)."""

    samples: Sequence[str]
    patients: Sequence[str]
    labels: np.ndarray
    probabilities: np.ndarray


def _open(path: str | os.PathLike[str], mode: str) -> IO[str]:
    # File names are bytes on Linux: a name that is not UTF-8 must not stop a training, and must be read back unchanged.
    return open(path, mode, encoding="utf-8", errors="surrogateescape", newline="")


def write_predictions(path: str | os.PathLike[str], predictions: Predictions, classes: Sequence[str]) -> None:
    """Write `predictions`, with probabilities as the shortest text that is read back as the same float32."""
    with _open(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_LEADING, *classes])
        rows = zip(
            predictions.samples,
            predictions.patients,
            predictions.labels.tolist(),
            predictions.probabilities.astype(np.float32),
            strict=True,
        )
        for sample, patient, label, row in rows:
            writer.writerow([sample, patient, classes[label], *map(str, row)])


def read_predictions(path: str | os.PathLike[str], classes: Sequence[str]) -> Predictions:
    """Read the file of `write_predictions`. ValueError if it has another format or other classes."""
    rows = _read_rows(path, [*_LEADING, *classes])
    return Predictions(
        [row[0] for row in rows],
        [row[1] for row in rows],
        np.array([_label(row[2], classes) for row in rows], int),
        np.array([row[3:] for row in rows], np.float32).reshape(len(rows), len(classes)),
    )


def _read_rows(path: str | os.PathLike[str], columns: list[str]) -> list[list[str]]:
    """The lines of a file below its header. ValueError if it has other columns."""
    with _open(path, "r") as file:
        header, *rows = list(csv.reader(file, strict=True)) or [[]]
    if header != columns:
        raise ValueError(f"its columns are not {', '.join(columns)}")
    if any(len(row) != len(header) for row in rows):
        raise ValueError("a line has too few or too many columns")
    return rows


def _label(name: str, classes: Sequence[str]) -> int:
    if name not in classes:
        raise ValueError(f"{name!r} is not a class")
    return list(classes).index(name)


@dataclass(frozen=True)
class Epoch:
    """Results of an epoch, counted from 1. Losses in natural logarithms, accuracies in 0..1, the competition's score."""

    epoch: int
    phase: str
    learning_rate: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    val_score: float


@dataclass(frozen=True)
class Baseline:
    """Results of a baseline: macro one-vs-rest AUC (NaN where there is one class), balanced accuracy and accuracy, in 0..1."""

    name: str
    auc: float
    balanced: float
    accuracy: float

    def __str__(self) -> str:
        area = "none, of one class" if math.isnan(self.auc) else f"{self.auc:.3f}"
        return f"{self.name}: accuracy {self.accuracy:.3f}, balanced {self.balanced:.3f}, AUC {area}"


def write_records(path: str | os.PathLike[str], records: Sequence[Epoch] | Sequence[Baseline]) -> None:
    """Write one or more records, one per line, with numbers as the shortest text that is read back as the same number."""
    with _open(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(records[0])])
        writer.writerows(astuple(record) for record in records)


def read_records(path: str | os.PathLike[str], kind: type[R]) -> list[R]:
    """Read a file of `write_records` with records of this kind. ValueError if it has another format."""
    rows = _read_rows(path, [field.name for field in fields(kind)])
    types = [{"int": int, "str": str, "float": float}[str(field.type)] for field in fields(kind)]
    return [kind(*(convert(text) for convert, text in zip(types, row, strict=True))) for row in rows]
