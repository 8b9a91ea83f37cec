"""Baselines of a training: the largest class, shortcuts, and a logistic regression on features of EfficientNet-Lite0."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from dataprep.shortcuts import SHORTCUTS, measure

from .data import Data, Rows
from .efficientnet_lite import FEATURES, build_efficientnet_lite0
from .metrics import macro_auc
from .network import Network
from .predict.predictor import Predictor
from .pretrained_weights import load_drawn, load_lite0
from .recipes import DRAWN, Recipe, without_features
from .records import Baseline
from .settings import Settings

# More photographs make the baselines slower, but not better.
_MOST = 2000
# Inverse strengths of the logistic regression's penalty, strongest first.
_PENALTIES = (1e-4, 1e-3, 1e-2)
_FOLDS = 3


def print_baselines(data: Data, settings: Settings) -> list[Baseline]:
    """Print the baselines of a training on `data`, one a line, and return them."""
    left_out = without_features(settings.recipe)
    rivals = baselines(
        data.train_images, data.train_labels, data.train_patients, data.validation_images, data.validation_labels,
        settings.classes, "" if left_out else first_weights(settings.recipe), seed=settings.seed,
    )  # fmt: skip
    for rival in rivals:
        print(f"to beat: {rival}", flush=True)
    if left_out:
        print(left_out, flush=True)
    return rivals


def print_beaten(network: Network) -> None:
    """Print a training's last validation, the best baseline by each measure, and those it is not above; nothing without baselines."""
    if not network.baselines or network.validation is None:
        return
    trained = score_chances("this training", network.validation.labels, network.validation.probabilities)
    print(trained, flush=True)
    best, behind = [], []
    for field, title in (("accuracy", "accuracy"), ("balanced", "balanced"), ("auc", "AUC")):
        value, name = max((np.nan_to_num(getattr(each, field), nan=-1.0), each.name) for each in network.baselines)
        if value >= 0:
            best.append(f"{title} {value:.3f} ({name})")
            behind += [title] if getattr(trained, field) <= value else []
    print(f"to beat: {', '.join(best)}", flush=True)
    if behind:
        print(f"warning: no better than a baseline by {' and '.join(behind)}", flush=True)


def baselines(
    images: Any,
    labels: np.ndarray,
    patients: Sequence[str],
    validation_images: Any,
    validation_labels: np.ndarray,
    classes: Sequence[str],
    weights: str = "imagenet",
    *,
    seed: int = 0,
) -> list[Baseline]:
    """Fit each baseline to the training side and score it on the validation side; seconds for some hundred photographs.

    Args:
        images, validation_images: prepared images, uint8 (n, size, size, 3), size at least 32 for features; arrays or `Rows` of them.
        labels, validation_labels: int (n,), indices into `classes`.
        patients: (n,), patients of the training images. The folds that choose the regression's penalty do not split patients.
        weights: for the frozen features, as in `frozen_features`; "" leaves them out.
        seed: for the folds, and for the sample of 2,000 photographs if there are more.

    Returns:
        "always NORMAL" (or another class, if that is the largest in training), the shortcuts, then the frozen features. Classes missing
        from validation are not counted.

    Raises:
        PretrainedWeightsError: the features' weights are not installed.
    """
    labels, validation_labels, groups = np.asarray(labels), np.asarray(validation_labels), np.asarray(patients)
    counts = np.bincount(labels, minlength=len(classes))
    constant = np.tile(np.eye(len(classes))[counts.argmax()], (len(validation_labels), 1))
    results = [score_chances(f"always {classes[int(counts.argmax())]}", validation_labels, constant)]
    if (counts > 0).sum() < 2:
        return results
    drawn = _draw(labels, _MOST, seed)
    images, labels, groups = Rows(images, drawn), labels[drawn], groups[drawn]

    def fitted(name: str, features: np.ndarray, unseen: np.ndarray) -> Baseline:
        chances = np.zeros((len(unseen), len(classes)))
        model = regression(features, labels, groups, seed)
        chances[:, model.classes_] = model.predict_proba(unseen)
        return score_chances(name, validation_labels, chances)

    for name, shortcut in SHORTCUTS.items():
        results.append(fitted(name, measure(images, shortcut), measure(validation_images, shortcut)))
    if weights:
        compute = frozen_features(images[0:1].shape[1], weights)
        results.append(fitted("frozen features", compute(images), compute(validation_images)))
    return results


def first_weights(recipe: Recipe) -> str:
    """The weights for `frozen_features`: those that the recipe begins with, else ImageNet's."""
    return DRAWN if recipe.weights == DRAWN else "imagenet"


def frozen_features(image_size: int, weights: str) -> Any:
    """A function from prepared images to the pooled features of EfficientNet-Lite0, float32 (n, 1280); weights: "imagenet" or "drawn"."""
    network = build_efficientnet_lite0(image_size)
    (load_drawn if weights == DRAWN else load_lite0)(network)
    return Predictor(keras.Model(network.inputs, network.get_layer(FEATURES).output))


def regression(features: np.ndarray, labels: np.ndarray, patients: np.ndarray, seed: int = 0) -> Any:
    """A logistic regression on standardised features, balanced by class. Its penalty is chosen by folds that do not split patients."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def fit(penalty: float, rows: Any) -> Any:
        classifier = LogisticRegression(C=penalty, class_weight="balanced", max_iter=500, tol=1e-3)
        return make_pipeline(StandardScaler(), classifier).fit(features[rows], labels[rows])

    groups = np.unique(patients, return_inverse=True)[1]
    folds: list[tuple[np.ndarray, np.ndarray]] = []
    patients_of_class = [len(np.unique(groups[labels == label])) for label in np.unique(labels)]
    if min(patients_of_class) >= _FOLDS:
        with warnings.catch_warnings():
            # The warning on classes smaller than the number of folds: each class has enough patients.
            warnings.simplefilter("ignore", UserWarning)
            folds = list(StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed).split(features, labels, groups))
    folds = [fold for fold in folds if len(np.unique(labels[fold[0]])) == len(patients_of_class)]
    best = _PENALTIES[1]
    if folds:
        width = labels.max() + 1
        areas = []
        for penalty in _PENALTIES:
            chances = np.zeros((len(labels), width))
            for training, validation in folds:
                model = fit(penalty, training)
                chances[np.ix_(validation, model.classes_)] = model.predict_proba(features[validation])
            areas.append(macro_auc(labels, chances))
        best = _PENALTIES[int(np.argmax(areas))]
    return fit(best, slice(None))


def score_chances(name: str, labels: np.ndarray, chances: np.ndarray) -> Baseline:
    """Score probabilities (n, classes) against labels (n,)."""
    right = chances.argmax(axis=1) == labels
    balanced = np.mean([right[labels == label].mean() for label in np.unique(labels)])
    area = macro_auc(labels, chances) if len(np.unique(labels)) > 1 else math.nan
    return Baseline(name, area, float(balanced), float(right.mean()))


def _draw(labels: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Sorted indices of about `most` photographs, in proportion to the classes, but at least ten of each, if it has them."""
    if len(labels) <= most:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    drawn = []
    for label in np.unique(labels):
        members = order[labels[order] == label]
        drawn.append(members[: max(round(len(members) * most / len(labels)), 10)])
    return np.sort(np.concatenate(drawn))
