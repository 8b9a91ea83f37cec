"""What a training has to beat: the largest class, shortcuts, and a logistic regression on features that ImageNet taught."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from dataprep.shortcuts import SHORTCUTS, measure

from .data import Data
from .efficientnet_lite import FEATURES, build_efficientnet_lite0
from .metrics import macro_auc
from .network import Network
from .predict.predictor import predictor
from .pretrained_weights import load_lite0
from .records import Baseline
from .settings import Settings

# More photographs than these make none of the baselines better, and every one of them slower.
_MOST = 2000
# Penalties of the logistic regression, from the strongest.
_PENALTIES = (1e-4, 1e-3, 1e-2)
_FOLDS = 3


def print_baselines(data: Data, settings: Settings) -> list[Baseline]:
    """Print what a training on `data` has to beat, a line each, and return it."""
    rivals = baselines(
        data.train_images, data.train_labels, data.train_patients, data.validation_images, data.validation_labels,
        settings.classes, seed=settings.seed,
    )  # fmt: skip
    for rival in rivals:
        print(f"to beat: {rival}", flush=True)
    return rivals


def print_beaten(network: Network) -> None:
    """Print the last validation of a training beside the baseline with the highest balanced accuracy; nothing without baselines."""
    if network.baselines and network.validation is not None:
        trained = score_chances("this training", network.validation.labels, network.validation.probabilities)
        print(f"{trained}\nto beat: {max(network.baselines, key=lambda rival: rival.balanced)}", flush=True)


def baselines(
    images: Any,
    labels: np.ndarray,
    patients: Sequence[str],
    validation_images: Any,
    validation_labels: np.ndarray,
    classes: Sequence[str],
    *,
    pretrained: bool = True,
    seed: int = 0,
) -> list[Baseline]:
    """Fit each baseline to the training side and score it on the validation side; seconds for some hundred photographs.

    Args:
        images, validation_images: prepared, uint8 (n, size, size, 3), size at least 32; arrays or rows of them.
        labels, validation_labels: int (n,), indices into `classes`.
        patients: (n,), whose photographs the training ones are: the regression's penalty is chosen by folds that keep them together.
        pretrained: also by frozen features, those of EfficientNet-Lite0 with ImageNet's weights.
        seed: of the photographs that are drawn where there are more than 2,000, and of the folds.

    Returns:
        "always NORMAL" (or what the largest training class is), the shortcuts, then the frozen features. A class that validation lacks
        counts in none of the figures.

    Raises:
        PretrainedWeightsError: the features' weights are not installed.
    """
    labels, validation_labels, owners = np.asarray(labels), np.asarray(validation_labels), np.asarray(patients)
    counts = np.bincount(labels, minlength=len(classes))
    constant = np.tile(np.eye(len(classes))[counts.argmax()], (len(validation_labels), 1))
    found = [score_chances(f"always {classes[int(counts.argmax())]}", validation_labels, constant)]
    if (counts > 0).sum() < 2:
        return found
    drawn = _draw(labels, _MOST, seed)
    images, labels, owners = _Rows(images, drawn), labels[drawn], owners[drawn]

    def fitted(name: str, features: np.ndarray, unseen: np.ndarray) -> Baseline:
        chances = np.zeros((len(unseen), len(classes)))
        model = regression(features, labels, owners, seed)
        chances[:, model.classes_] = model.predict_proba(unseen)
        return score_chances(name, validation_labels, chances)

    for name, shortcut in SHORTCUTS.items():
        found.append(fitted(name, measure(images, shortcut), measure(validation_images, shortcut)))
    if pretrained:
        compute = frozen_features(images[0:1].shape[1])
        found.append(fitted("frozen features", compute(images), compute(validation_images)))
    return found


def frozen_features(image_size: int) -> Any:
    """A function from prepared images to the pooled features of EfficientNet-Lite0 with ImageNet's weights, float32 (n, 1280)."""
    network = build_efficientnet_lite0(image_size)
    load_lite0(network)
    return predictor(keras.Model(network.inputs, network.get_layer(FEATURES).output))


def regression(features: np.ndarray, labels: np.ndarray, patients: np.ndarray, seed: int = 0) -> Any:
    """A logistic regression of standardised features, balanced by class, with the penalty that answers best about other patients."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def fit(penalty: float, rows: Any) -> Any:
        made = LogisticRegression(C=penalty, class_weight="balanced", max_iter=500, tol=1e-3)
        return make_pipeline(StandardScaler(), made).fit(features[rows], labels[rows])

    groups = np.unique(patients, return_inverse=True)[1]
    folds: list[tuple[np.ndarray, np.ndarray]] = []
    owners = [len(np.unique(groups[labels == label])) for label in np.unique(labels)]
    if min(owners) >= _FOLDS:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # of a class with fewer photographs than folds, which patients rule out
            folds = list(StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed).split(features, labels, groups))
    folds = [fold for fold in folds if len(np.unique(labels[fold[0]])) == len(owners)]
    best = _PENALTIES[1]
    if folds:
        width = labels.max() + 1
        areas = []
        for penalty in _PENALTIES:
            chances = np.zeros((len(labels), width))
            for training, held in folds:
                model = fit(penalty, training)
                chances[np.ix_(held, model.classes_)] = model.predict_proba(features[held])
            areas.append(macro_auc(labels, chances))
        best = _PENALTIES[int(np.argmax(areas))]
    return fit(best, slice(None))


def score_chances(name: str, labels: np.ndarray, chances: np.ndarray) -> Baseline:
    """Score probabilities (n, classes) against labels (n,)."""
    right = chances.argmax(axis=1) == labels
    balanced = np.mean([right[labels == label].mean() for label in np.unique(labels)])
    return Baseline(name, macro_auc(labels, chances), float(balanced), float(right.mean()))


class _Rows:
    """Some rows of images, read on demand."""

    def __init__(self, images: Any, rows: np.ndarray) -> None:
        self.images, self.rows = images, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: slice) -> np.ndarray:
        found: np.ndarray = self.images[self.rows[key]]
        return found


def _draw(labels: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Indices of at most about `most` photographs, sorted, each class by its share and with ten at least, or all of them."""
    if len(labels) <= most:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    kept = []
    for label in np.unique(labels):
        members = order[labels[order] == label]
        kept.append(members[: max(round(len(members) * most / len(labels)), 10)])
    return np.sort(np.concatenate(kept))
