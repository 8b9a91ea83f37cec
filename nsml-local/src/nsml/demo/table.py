"""TABLE_DEMO: a synthetic table of three classes for a first run without photographs, drawn with the standard library."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

NAME = "TABLE_DEMO"
COLUMNS = ("age", "pressure", "glucose", "thickness", "noise")
# The mean of each column for each label; the spread is 1 for all.
_MEANS = ((0.0, 0.0, 0.0, 0.0, 0.0), (1.0, 1.5, 0.0, -1.0, 0.0), (1.0, 0.0, 2.0, 1.0, 0.0))
_SHARES = (0.5, 0.3, 0.2)
_ROWS = {"train": 600, "test": 200}


def draw_table(folder: Path, seed: int) -> None:
    """Draw train/train_data/table.csv, test/test_data/table.csv and test/test_label (a label a line) into `folder`."""
    rng = random.Random(seed)
    for side, count in _ROWS.items():
        labels = rng.choices(range(len(_SHARES)), _SHARES, k=count)
        rows = [[f"{rng.gauss(mean, 1):.3f}" for mean in _MEANS[label]] for label in labels]
        target = folder / side / f"{side}_data" / "table.csv"
        target.parent.mkdir(parents=True)
        if side == "train":
            _write(target, [*COLUMNS, "label"], ([*row, label] for row, label in zip(rows, labels, strict=True)))
        else:
            _write(target, COLUMNS, rows)
            (folder / "test" / "test_label").write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")


def _write(path: Path, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([heading, *rows])
