"""Validation predictions as a program stores them in a checkpoint: a CSV file in UTF-8, a line a sample.

    sample,patient,label,NORMAL,AMD
    AMD/Wide_AMD_12_R.jpg,12,AMD,0.125,0.875

`sample` names the sample, each once; `patient` says whom it is of, by the sample's name where that is unknown; `label` is the name of the
true class; every further column holds the probability, 0 to 1, of the class that it is named by.
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
# Thousands of resamples of more than this would take minutes, and no validation set of a competition comes near.
_LARGEST = 16_000_000
_MOST_PROBABILITIES = 200_000
_MEND = "'nsml compare --help' shows the format"


@dataclass(frozen=True)
class Predictions:
    """Of n samples and k classes: names, true classes (n,) as indices into `classes`, probabilities (n, k) in 0..1."""

    samples: tuple[str, ...]
    patients: tuple[str, ...]
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]


def check_size(path: Path, where: str) -> None:
    """Damaged where the file is larger than any that is read; `where` names it to the user."""
    if (size := path.stat().st_size) > _LARGEST:
        raise Damaged(f"{where} has {size / 1e6:.0f} MB, {_LARGEST / 1e6:.0f} MB is the most; store fewer samples")


def read_predictions(path: Path, where: str) -> Predictions:
    """Read and check a file; Damaged names the line and what is wrong with it. `where` names the file to the user."""
    check_size(path, where)
    # Names of files are bytes on Linux, and one that is not UTF-8 is as good a name.
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            return _read(reader)
        except (ValueError, csv.Error) as error:
            line = f", line {reader.line_num}" if reader.line_num else ""
            raise Damaged(f"{where}{line}: {error}; {_MEND}") from None


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
            raise ValueError(f"it has {len(row)} columns, not {len(COLUMNS) + len(classes)}")
        sample, patient, label = row[:3]
        if not sample or not patient:
            raise ValueError(f"the {'patient' if sample else 'sample'} is empty")
        if sample in patients:
            raise ValueError(f"sample {_short(sample)} is there twice")
        if label not in numbers:
            raise ValueError(f"label {_short(label)} is none of the classes {_short(', '.join(classes))}")
        patients[sample] = patient
        labels.append(numbers[label])
        probabilities.append([_probability(text) for text in row[3:]])
        if len(labels) * len(classes) > _MOST_PROBABILITIES:
            raise ValueError(f"more than {_MOST_PROBABILITIES:,} probabilities are too many; store fewer samples")
    if not labels:
        raise ValueError("it holds no sample")
    return Predictions(
        tuple(patients), tuple(patients.values()), classes, np.array(labels, np.int64), np.array(probabilities)
    )


def _classes(header: list[str]) -> tuple[str, ...]:
    classes = header[3:]
    if tuple(header[:3]) != COLUMNS or len(classes) < 2:
        raise ValueError(f"the first line is not {','.join(COLUMNS)} and the names of two classes or more")
    if not all(classes) or len(set(classes)) < len(classes):
        raise ValueError("a class is named twice or has no name")
    return tuple(classes)


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ValueError(f"{_short(text)} is no probability between 0 and 1")
    return value


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
