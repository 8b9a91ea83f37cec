"""How a training went, epoch by epoch, kept in each checkpoint: what is drawn as learning curves, also where the session is gone.

history.csv, a line an epoch:

    epoch,phase,learning_rate,train_loss,train_accuracy,val_loss,val_accuracy,val_score
    1,strong,0.003,1.25,0.4,1.4,0.25,25.002575

The values are those that are reported; of training they are means over the epoch, with augmentation, smoothing and class weights.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

FILE = "history.csv"


@dataclass(frozen=True)
class Epoch:
    """One epoch, counted from 1. Losses are natural logarithms, accuracies in 0..1, the score is the competition's."""

    epoch: int
    phase: str
    learning_rate: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    val_score: float


_COLUMNS = [field.name for field in fields(Epoch)]


def write_history(path: str | os.PathLike[str], history: Sequence[Epoch]) -> None:
    """Write the epochs; each number as the shortest text that gives it back."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(astuple(epoch) for epoch in history)


def read_history(path: str | os.PathLike[str]) -> list[Epoch]:
    """Read back what `write_history` wrote. ValueError where it is something else."""
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file, strict=True)) or [[]]
    if header != _COLUMNS:
        raise ValueError(f"its columns are not {', '.join(_COLUMNS)}")
    if any(len(row) != len(header) for row in rows):
        raise ValueError("a line has too few or too many columns")
    return [Epoch(int(row[0]), row[1], *map(float, row[2:])) for row in rows]
