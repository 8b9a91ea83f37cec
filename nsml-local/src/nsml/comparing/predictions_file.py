"""Validation predictions that a program stores in a checkpoint: a CSV file in UTF-8, one line per sample.

    sample,patient,label,NORMAL,AMD
    AMD/Wide_AMD_12_R.jpg,12,AMD,0.125,0.875

`sample` is the unique name of the sample; `patient` the name of its patient (the sample's name if unknown); `label` the name of the true
class. Every other column is named after a class and holds its probability, 0 to 1.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import Damaged

COLUMNS = ("sample", "patient", "label")
# Beyond this, resampling takes minutes. Validation sets of competitions are much smaller.
_MAX_BYTES = 16_000_000
_MAX_PROBABILITIES = 200_000
_HINT = "'nsml compare --help' shows the format"


@dataclass(frozen=True)
class Predictions:
    """n samples and k classes: names, true classes (n,) as indices into `classes`, probabilities (n, k) in 0..1."""

    samples: tuple[str, ...]
    patients: tuple[str, ...]
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]


def check_size(path: Path, where: str) -> None:
    """Raises Damaged if the file is too large. `where` is its name in the message."""
    if (size := path.stat().st_size) > _MAX_BYTES:
        raise Damaged(f"{where} has {size / 1e6:.0f} MB, the limit is {_MAX_BYTES / 1e6:.0f} MB; store fewer samples")


def read_predictions(path: Path, where: str) -> Predictions:
    """Reads and checks a file. Raises Damaged with the line and the problem. `where` is the name of the file in the message."""
    check_size(path, where)
    # File names are bytes on Linux and need not be UTF-8.
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            return _read(reader)
        except (ValueError, csv.Error) as error:
            line = f", line {reader.line_num}" if reader.line_num else ""
            raise Damaged(f"{where}{line}: {error}; {_HINT}") from None


def _read(lines: Iterator[list[str]]) -> Predictions:
    classes = _classes(next(lines, []))
    numbers = {name: number for number, name in enumerate(classes)}
    patients: dict[str, str] = {}
    labels: list[int] = []
    probabilities: list[list[float]] = []
    for row in lines:
        if not row:
            continue
        if len(row) != len(COLUMNS) + len(classes):
            raise ValueError(f"{len(row)} columns, expected {len(COLUMNS) + len(classes)}")
        sample, patient, label = row[:3]
        if not sample or not patient:
            raise ValueError(f"the {'patient' if sample else 'sample'} is empty")
        if sample in patients:
            raise ValueError(f"sample {_short(sample)} appears twice")
        if label not in numbers:
            raise ValueError(f"label {_short(label)} is not one of the classes {_short(', '.join(classes))}")
        patients[sample] = patient
        labels.append(numbers[label])
        probabilities.append([_probability(text) for text in row[3:]])
        if len(labels) * len(classes) > _MAX_PROBABILITIES:
            raise ValueError(f"the limit is {_MAX_PROBABILITIES:,} probabilities; store fewer samples")
    if not labels:
        raise ValueError("the file has no sample")
    return Predictions(
        tuple(patients), tuple(patients.values()), classes, np.array(labels, np.int64), np.array(probabilities)
    )


def _classes(header: list[str]) -> tuple[str, ...]:
    classes = header[3:]
    if tuple(header[:3]) != COLUMNS or len(classes) < 2:
        raise ValueError(f"the first line must be {','.join(COLUMNS)} and the names of two or more classes")
    if not all(classes) or len(set(classes)) < len(classes):
        raise ValueError("a class name is repeated or empty")
    return tuple(classes)


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ValueError(f"{_short(text)} is not a probability between 0 and 1")
    return value


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
