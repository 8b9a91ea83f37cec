"""Pairing of two sets of predictions by sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import NsmlError
from ..scoring.guessing import FEW
from .predictions_file import Predictions


@dataclass(frozen=True)
class Pair:
    """Predictions of A and B for the same n samples and k classes.

    Attributes:
        labels: (n,), indices into `classes`.
        patients: (n,), integers 0 to m - 1, each of which occurs.
        first, second: probabilities of A and B, (n, k).
        only_first, only_second: number of samples that only A, or only B, has.
    """

    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    patients: NDArray[np.int64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    only_first: int
    only_second: int

    @property
    def patient_count(self) -> int:
        return int(self.patients.max()) + 1

    @property
    def largest_class(self) -> int:
        """The class with the most samples, which the constant answer names."""
        return int(np.bincount(self.labels).argmax())

    def only_class(self, probabilities: NDArray[np.float64]) -> str | None:
        """The class that `first` or `second` predicts for all of more than `FEW` samples; None if there is none."""
        predicted = np.unique(probabilities.argmax(axis=1))
        return self.classes[predicted[0]] if len(predicted) == 1 and len(self.labels) > FEW else None


def match(first: Predictions, second: Predictions, names: tuple[str, str]) -> Pair:
    """Pairs samples by name, in the order of `first`.

    Raises NsmlError, which calls the two sides `names`, if they share no sample, or disagree about a label or a patient."""
    if set(first.classes) != set(second.classes):
        shown = (f"{name} has {', '.join(p.classes)}" for name, p in zip(names, (first, second), strict=True))
        raise NsmlError(f"the classes differ: {' and '.join(shown)}; train both with the same classes")
    places = {sample: place for place, sample in enumerate(second.samples)}
    mine = np.array([place for place, sample in enumerate(first.samples) if sample in places], np.int64)
    if not len(mine):
        raise NsmlError(
            f"{names[0]} and {names[1]} have no validation sample in common; train both on the same split of the same "
            "dataset (the same seed and fold)"
        )
    theirs = np.array([places[first.samples[place]] for place in mine], np.int64)
    columns = [second.classes.index(name) for name in first.classes]
    labels = first.labels[mine]
    for column, one, other in (
        ("label", labels, np.argsort(columns)[second.labels[theirs]]),
        ("patient", _patients_at(first.patients, mine), _patients_at(second.patients, theirs)),
    ):
        if len(differing := np.flatnonzero(one != other)):
            sample = first.samples[mine[differing[0]]]
            raise NsmlError(
                f"sample {sample!r} has another {column} in {names[0]} than in {names[1]}; train both on the same dataset"
            )
    return Pair(
        first.classes,
        labels,
        np.unique(_patients_at(first.patients, mine), return_inverse=True)[1].astype(np.int64),
        first.probabilities[mine],
        second.probabilities[theirs][:, columns],
        len(first.samples) - len(mine),
        len(second.samples) - len(mine),
    )


def _patients_at(patients: tuple[str, ...], places: NDArray[np.int64]) -> NDArray[np.object_]:
    return np.array(patients, object)[places]
