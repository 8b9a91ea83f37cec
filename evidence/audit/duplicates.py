"""Pairs of identical files and of nearly identical photographs, sorted by class, patient and set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataprep.catalog import Sample

from .fingerprint import near_pairs
from .measure import Measures


@dataclass(frozen=True)
class Pairs:
    """Index pairs (m, 2) into the training samples followed by the test photographs, i < j, most similar first.

    A training pair is within a class or across classes, and may also be across patients. Pairs of two test photographs are left out, as
    they are not used in training.
    """

    within_class: np.ndarray
    across_classes: np.ndarray
    across_patients: np.ndarray
    train_and_test: np.ndarray


def exact_duplicates(samples: Sequence[Sample], measures: Sequence[Measures]) -> Pairs:
    """Pairs of identical files. `measures`: of the samples, then of the test photographs."""
    digests = np.unique([measure.digest.hex() for measure in measures], return_inverse=True)[1]
    order = np.argsort(digests, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(digests[order])) + 1)
    pairs = [np.stack(np.triu_indices(len(group), k=1), axis=1) for group in groups]
    return _sort(np.concatenate([group[pair] for group, pair in zip(groups, pairs, strict=True)]), samples)


def near_duplicates(samples: Sequence[Sample], measures: Sequence[Measures]) -> Pairs:
    """Pairs of different files with similar perceptual hashes, among the photographs with hashes."""
    hashed = [(index, measure.prints) for index, measure in enumerate(measures) if measure.prints is not None]
    if not hashed:
        return _sort(np.zeros((0, 2), int), samples)
    indices = np.array([index for index, _ in hashed])
    pairs, bits = near_pairs(np.array([prints for _, prints in hashed]))
    pairs = indices[pairs[np.argsort(bits, kind="stable")]]
    digests = np.unique([measure.digest.hex() for measure in measures], return_inverse=True)[1]
    return _sort(pairs[digests[pairs[:, 0]] != digests[pairs[:, 1]]], samples)


def _sort(pairs: np.ndarray, samples: Sequence[Sample]) -> Pairs:
    count = len(samples)
    labels = np.array([sample.label for sample in samples])
    patients = np.unique([sample.patient for sample in samples], return_inverse=True)[1]
    training = pairs[pairs[:, 1] < count]
    same = labels[training[:, 0]] == labels[training[:, 1]]
    strangers = patients[training[:, 0]] != patients[training[:, 1]]
    mixed = pairs[(pairs[:, 0] < count) & (pairs[:, 1] >= count)]
    return Pairs(training[same], training[~same], training[strangers], mixed)
