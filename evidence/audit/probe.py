"""The shortcut probe: how well a logistic regression predicts classes without seeing a lesion.

Its features are the colours or the shape of a photograph. The size of the file is not a feature: networks do not see it, and it depends
on lesions, as fine detail needs bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dataprep.catalog import Sample
from dataprep.labels import counted
from dataprep.split import SplitError, split_folds
from model.metrics import accuracy, aucs, mean_of_classes, recalls

from ..bootstrap import Figure, draw_patients, estimate

FOLDS = 5


@dataclass(frozen=True)
class Probe:
    """Out-of-fold accuracy, balanced accuracy and macro one-vs-rest AUC."""

    accuracy: Figure
    balanced: Figure
    auc: Figure


@dataclass(frozen=True)
class Folds:
    """Folds of the samples used.

    Attributes:
        chosen: indices of the samples, (n,).
        labels: their labels, (n,), from 0 without gaps.
        classes: names of the labels.
        patients, folds: their patients and folds, (n,).
        notes: why classes are left out.
    """

    chosen: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    patients: np.ndarray
    folds: np.ndarray
    notes: tuple[str, ...]


def make_folds(samples: Sequence[Sample], classes: Sequence[str]) -> Folds | str:
    """The folds of the recipe's split, without classes with fewer patients than folds; or a text with the reason why there are none."""
    notes, names = [], []
    for label, name in enumerate(classes):
        patients = {sample.patient for sample in samples if sample.label == label}
        if len(patients) >= FOLDS:
            names.append(name)
        elif patients:
            notes.append(
                f"{name} is left out of the probe: {counted(len(patients), 'patient')} fewer than {FOLDS} folds"
            )
    chosen = np.array([i for i, sample in enumerate(samples) if classes[sample.label] in names], int)
    if len(names) < 2:
        return "; ".join(["the probe needs two classes", *notes])
    selected = [replace(samples[i], label=names.index(classes[samples[i].label])) for i in chosen]
    number = np.zeros(len(selected), int)
    try:
        for fold in range(FOLDS):
            number[split_folds(selected, FOLDS, fold).validation] = fold
    except SplitError as error:
        return f"there are no {FOLDS} folds to probe: {error}"
    groups = np.unique([sample.patient for sample in selected], return_inverse=True)[1]
    return Folds(chosen, np.array([s.label for s in selected]), tuple(names), groups, number, tuple(notes))


def probe(features: np.ndarray, folds: Folds) -> Probe:
    """Fit and score the regression on `features`, float (n, d) of the folds' samples; intervals by bootstrap over patients."""
    sides = folds.labels, out_of_fold(features, folds), draw_patients(folds.patients)
    return Probe(
        estimate(accuracy(*sides)),
        estimate(mean_of_classes(recalls(*sides))),
        estimate(mean_of_classes(aucs(*sides))),
    )


def out_of_fold(features: np.ndarray, folds: Folds) -> np.ndarray:
    """Probabilities, (n, classes), by the regression fitted to the other folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    chances = np.zeros((len(features), len(folds.classes)))
    for fold in np.unique(folds.folds):
        own = folds.folds == fold
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
        model.fit(features[~own], folds.labels[~own])
        chances[np.ix_(own, model.classes_)] = model.predict_proba(features[own])
    return chances
