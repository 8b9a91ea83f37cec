"""The shortcut probe: how far a logistic regression gets that never sees a lesion.

What it is given are colours or the photograph's shape. The size of the file is left out: no network sees it, and a lesion
with fine detail costs bytes, so it would not be a figure without lesions.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dataprep.catalog import Sample
from dataprep.split import SplitError, split_folds


@dataclass(frozen=True)
class Figure:
    """An estimate and its 95 % interval, shares of 1."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Probe:
    """Accuracy, balanced accuracy and macro one-against-rest AUC on photographs of patients that a fold was not fitted to."""

    accuracy: Figure
    balanced: Figure
    auc: Figure


@dataclass(frozen=True)
class Folds:
    """Which samples (n,) count, their labels (n,) from 0 without gaps, the names of these, their patients (n,), folds (n,), and why
    some samples or all are left out."""

    chosen: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    patients: np.ndarray
    folds: np.ndarray
    notes: tuple[str, ...]


def make_folds(samples: Sequence[Sample], classes: Sequence[str], folds: int = 5, seed: int = 0) -> Folds | str:
    """The folds of the recipe's own split, without classes of fewer patients than folds; else why there can be none."""
    notes, names = [], []
    for label, name in enumerate(classes):
        patients = {sample.patient for sample in samples if sample.label == label}
        if len(patients) >= folds:
            names.append(name)
        elif patients:
            notes.append(f"{name} is left out of the probe: {len(patients)} patients are fewer than {folds} folds")
    chosen = np.array([i for i, sample in enumerate(samples) if classes[sample.label] in names], int)
    if len(names) < 2:
        return "; ".join(["the probe needs two classes", *notes])
    kept = [replace(samples[i], label=names.index(classes[samples[i].label])) for i in chosen]
    number = np.zeros(len(kept), int)
    try:
        for fold in range(folds):
            number[split_folds(kept, folds, fold, seed).validation] = fold
    except SplitError as error:
        return f"there are no {folds} folds to probe: {error}"
    owners = np.unique([sample.patient for sample in kept], return_inverse=True)[1]
    return Folds(chosen, np.array([s.label for s in kept]), tuple(names), owners, number, tuple(notes))


def probe(features: np.ndarray, folds: Folds, resamples: int = 1000, seed: int = 0) -> Probe:
    """Fits and scores the regression on `features`, float (n, d) of the folds' samples; intervals by bootstrap over patients."""
    from sklearn.metrics import accuracy_score, balanced_accuracy_score

    chances = out_of_fold(features, folds)
    predicted = chances.argmax(axis=1)
    values = [
        accuracy_score(folds.labels, predicted),
        balanced_accuracy_score(folds.labels, predicted),
        macro_auc(folds.labels, chances, np.ones((1, len(predicted))))[0],
    ]
    # A patient drawn twice counts twice, with all photographs.
    count = folds.patients.max() + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    weights = drawn[:, folds.patients].astype(float)
    right = (predicted == folds.labels).astype(float)
    members = np.eye(len(folds.classes))[folds.labels]
    with np.errstate(invalid="ignore"):
        sensitivities = (weights @ (members * right[:, None])) / (weights @ members)
    draws = [weights @ right / weights.sum(axis=1), sensitivities, macro_auc(folds.labels, chances, weights)]
    with warnings.catch_warnings():
        # A draw without a small class is scored on the others.
        warnings.simplefilter("ignore", RuntimeWarning)
        draws[1] = np.nanmean(sensitivities, axis=1)
        edges = [np.nanpercentile(draw, [2.5, 97.5]) for draw in draws]
    figures = [Figure(float(v), float(low), float(high)) for v, (low, high) in zip(values, edges, strict=True)]
    return Probe(*figures)


def out_of_fold(features: np.ndarray, folds: Folds) -> np.ndarray:
    """The chance of each class, (n, classes), by the regression that was fitted to the other folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    chances = np.zeros((len(features), len(folds.classes)))
    for fold in np.unique(folds.folds):
        held = folds.folds == fold
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))
        model.fit(features[~held], folds.labels[~held])
        chances[np.ix_(held, model.classes_)] = model.predict_proba(features[held])
    return chances


def macro_auc(labels: np.ndarray, chances: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean over classes of the AUC of one class against the rest, for each row of weights (m, n): (m,).

    What sklearn.metrics.roc_auc_score gives with sample_weight, for a thousand sets of weights at once. A class that weighs
    nothing, or all, is not counted; nan where none is left.
    """
    areas = np.full((chances.shape[1], len(weights)), np.nan)
    for label in range(chances.shape[1]):
        values, place = np.unique(chances[:, label], return_inverse=True)
        order = np.argsort(place, kind="stable")
        starts = np.searchsorted(place[order], np.arange(len(values)))
        ones = np.add.reduceat((weights * (labels == label))[:, order], starts, axis=1)
        rest = np.add.reduceat((weights * (labels != label))[:, order], starts, axis=1)
        below = np.cumsum(rest, axis=1) - rest / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            areas[label] = (ones * below).sum(axis=1) / (ones.sum(axis=1) * rest.sum(axis=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(areas, axis=0))
