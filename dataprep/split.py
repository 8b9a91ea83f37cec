"""Split into training and validation, stratified by class and grouped by patient: no patient is on both sides."""

from __future__ import annotations

import unicodedata
import warnings as python_warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataprep.catalog import Sample
from dataprep.labels import counted

_ROWS = 40  # of a table; with more, nobody reads it


class SplitError(ValueError):
    """The samples cannot be split. The message is one line with the problem and the fix."""

    exit_status = 2


@dataclass(frozen=True)
class Split:
    """Indices of the samples, two sorted int64 arrays that together contain each sample once, and warnings for the user."""

    train: np.ndarray
    validation: np.ndarray
    warnings: tuple[str, ...] = ()


def split_samples(
    samples: Sequence[Sample], fraction: float = 0.2, seed: int = 0, classes: Sequence[str] = ()
) -> Split:
    """Put about `fraction` (between 0 and 1, exclusive) of each class's photographs into validation.

    Patients are taken in random order. A patient goes to validation if that brings the class counts closer to the fraction, so a
    class is off by at most about one patient. A class with two or more patients is on both sides if possible. A class with one
    patient is in training, with a warning. `classes` names the labels in messages.
    """
    labels, patients, counts = _count(samples)
    order = np.random.default_rng(seed).permutation(len(counts))
    total = counts.sum(axis=0)
    target = fraction * total
    weight = 1 / np.maximum(total, 1) ** 2.0
    chosen = np.zeros(len(counts), bool)
    reached = np.zeros(counts.shape[1])
    for patient in order:
        nearer = reached + counts[patient]
        if weight @ (nearer - target) ** 2 < weight @ (reached - target) ** 2:
            chosen[patient] = True
            reached = nearer
    # Training first: a class that is missing there cannot be learned.
    _give(chosen, order, counts, to_validation=False)
    _give(chosen, order, counts, to_validation=True)
    return _split(samples, labels, chosen[patients], classes)


def split_folds(samples: Sequence[Sample], folds: int, fold: int, seed: int = 0, classes: Sequence[str] = ()) -> Split:
    """Fold `fold` (from 0) of `folds` (2 or more). With the same seed, the validation sides of all folds contain each sample once.

    Uses scikit-learn's StratifiedGroupKFold. SplitError if a class would be missing from training.
    """
    labels, patients, counts = _count(samples)
    if len(counts) < folds:
        raise SplitError(f"{folds} folds need at least {folds} patients, but there are {len(counts)}; give fewer folds")
    # Imported here, as it takes a second.
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    validation = np.zeros(len(samples), bool)
    with python_warnings.catch_warnings():
        # It warns of classes smaller than the number of folds; `_split` does so with class and reason.
        python_warnings.simplefilter("ignore", UserWarning)
        try:
            parts = list(splitter.split(labels, labels, patients))
        except ValueError as error:
            raise SplitError(f"{folds} folds are too many for {len(samples)} photographs; give fewer folds") from error
    validation[parts[fold][1]] = True
    return _split(samples, labels, validation, classes)


def split_table(samples: Sequence[Sample], split: Split, classes: Sequence[str]) -> str:
    """A text table: images and patients of both sides by class, for the first classes of many, without a final line break."""
    rows: list[tuple[str, ...]] = [("class", "train images", "patients", "validation images", "patients")]
    first = [*enumerate(classes)][:_ROWS]
    for label, name in [*first, (-1, "all" if len(first) == len(classes) else f"all {len(classes)}")]:
        row = [name]
        for side in (split.train, split.validation):
            members = [samples[index] for index in side if label in (-1, samples[index].label)]
            row += [str(len(members)), str(len({sample.patient for sample in members}))]
        rows.append(tuple(row))
    widths = [max(columns(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            [padded(row[0], widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )


def columns(text: str) -> int:
    """Columns of a terminal that a text takes. Korean letters are two columns wide."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


def padded(text: str, width: int) -> str:
    """The text with blanks behind it up to a width in columns."""
    return text + " " * (width - columns(text))


def _count(samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (n,), patient numbers (n,), and photographs by patient and class (patients, classes)."""
    if not samples:
        raise SplitError("there are no photographs to split")
    labels = np.array([sample.label for sample in samples])
    patients = np.unique([sample.patient for sample in samples], return_inverse=True)[1]
    counts = np.zeros((patients.max() + 1, labels.max() + 1), int)
    if len(counts) < 2:
        raise SplitError(
            "all photographs are of one patient, who cannot be on both sides; add photographs of other patients, or say with "
            "--patient-pattern which part of the names is the patient"
        )
    np.add.at(counts, (patients, labels), 1)
    return labels, patients, counts


def _give(chosen: np.ndarray, order: np.ndarray, counts: np.ndarray, *, to_validation: bool) -> None:
    """For each class missing from a side, move the smallest suitable patient there, if the other side keeps the class.

    A move to training may remove a class from validation; a move to validation may not remove one from training.
    """
    has = counts > 0
    for label in np.flatnonzero(has.any(axis=0)):
        if has[chosen == to_validation, label].any():
            continue
        candidates = [patient for patient in order if has[patient, label]]
        if to_validation:
            others = [has[(~chosen) & (np.arange(len(chosen)) != patient)].any(axis=0) for patient in candidates]
            candidates = [patient for patient, rest in zip(candidates, others, strict=True) if rest[has[patient]].all()]
        if candidates:
            chosen[min(candidates, key=lambda patient: counts[patient].sum())] = to_validation


def _split(samples: Sequence[Sample], labels: np.ndarray, validation: np.ndarray, classes: Sequence[str]) -> Split:
    warnings = []
    for label in np.unique(labels):
        members = labels == label
        name = classes[label] if label < len(classes) else f"class {label}"
        patients = len({sample.patient for sample in samples if sample.label == label})
        of_them = f"its {counted(members.sum(), 'photograph')} of {patients} patient{'s' * (patients > 1)}"
        if not (members & ~validation).any():
            raise SplitError(
                f"{name} would be missing from training: {of_them}, all in this validation side; "
                "add photographs of other patients, or choose another fold or seed"
            )
        if not (members & validation).any():
            warnings.append(f"{name} is missing from validation and not counted in its figures: {of_them}")
    if not validation.any():
        raise SplitError(
            "no photograph is left to validate: each patient is needed for training; add photographs of other patients, "
            "or say with --patient-pattern which part of the names is the patient"
        )
    return Split(np.flatnonzero(~validation), np.flatnonzero(validation), tuple(warnings))
