"""The best of several: their accuracies with intervals, and how much the best one flatters itself by having been chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import NsmlError
from .bootstrap import RESAMPLES, SEED, Estimate, draw_patients, estimate
from .predictions_file import Predictions


@dataclass(frozen=True)
class Choice:
    """Accuracies in 0..1 on the samples that all have. `corrected` is what a choice by accuracy reaches on patients it did not see."""

    accuracies: list[Estimate]
    corrected: float
    samples: int
    patients: int


def choose(
    members: Sequence[Predictions], names: Sequence[str], resamples: int = RESAMPLES, seed: int = SEED
) -> Choice:
    """The accuracy of each, and of the best one corrected for the choice.

    The correction is BBC-CV (Tsamardinos, Greasidou and Borboudakis, Machine Learning 107, 2018): in each resample of the patients the
    best on those drawn is measured on those that were not drawn; the mean over the resamples is the corrected figure.

    Raises:
        NsmlError: they have no sample in common, or disagree about a label or a patient.
    """
    rows = [dict(zip(m.samples, range(len(m.samples)), strict=True)) for m in members]
    common = [sample for sample in members[0].samples if all(sample in of for of in rows)]
    if not common:
        raise NsmlError("the sessions have no validation sample in common; train all on the same split and fold")
    right, truth = [], None
    for member, of, name in zip(members, rows, names, strict=True):
        places = np.array([of[sample] for sample in common])
        labels = np.array(member.classes, object)[member.labels[places]]
        facts = list(zip(labels, np.array(member.patients, object)[places], strict=True))
        if truth is not None and facts != truth:
            raise NsmlError(f"{names[0]} and {name} disagree about a label or a patient; train all on the same dataset")
        truth = facts
        right.append(member.probabilities[places].argmax(axis=1) == member.labels[places])
    assert truth is not None
    patients = np.unique([str(patient) for _, patient in truth], return_inverse=True)[1]
    count = int(patients.max()) + 1
    hits, total = np.zeros((count, len(members))), np.bincount(patients, minlength=count).astype(float)
    np.add.at(hits, patients, np.stack(right, axis=1))
    drawn, unseen = [], []
    for weights in draw_patients(count, resamples, seed):
        accuracy = weights @ hits / (weights @ total)[:, None]
        drawn.append(accuracy)
        out = (weights == 0).astype(float)
        best = accuracy.argmax(axis=1)
        with np.errstate(invalid="ignore"):  # every patient was drawn
            unseen.append((out @ hits)[np.arange(len(best)), best] / (out @ total))
    observed, resampled = hits.sum(axis=0) / total.sum(), np.concatenate(drawn)
    accuracies = [estimate(value, column) for value, column in zip(observed, resampled.T, strict=True)]
    left = np.concatenate(unseen)
    corrected = float(left[~np.isnan(left)].mean()) if not np.isnan(left).all() else float("nan")
    return Choice(accuracies, corrected, len(common), count)
