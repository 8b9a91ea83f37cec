"""The shortcut probe against scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

from dataprep.catalog import Sample
from dataprep.labels import CLASSES
from dataprep.split import split_folds
from evidence.audit.probe import Folds, make_folds, out_of_fold, probe


def samples_of(counts: dict[str, int], pictures: int = 2) -> list[Sample]:
    return [
        Sample(Path(f"{name}{number}_{picture}.jpg"), CLASSES.index(name), f"{name}{number}", "R")
        for name, count in counts.items()
        for number in range(count)
        for picture in range(pictures)
    ]


def folds_of(counts: dict[str, int], pictures: int = 2) -> Folds:
    folds = make_folds(samples_of(counts, pictures), CLASSES)
    assert isinstance(folds, Folds)
    return folds


def test_the_folds_are_those_of_the_recipes_split_and_keep_patients_whole() -> None:
    samples = samples_of({"NORMAL": 12, "DMR": 9}, pictures=3)
    folds = make_folds(samples, CLASSES)
    assert isinstance(folds, Folds)
    assert folds.classes == ("NORMAL", "DMR")
    assert all(len(set(folds.folds[folds.patients == patient])) == 1 for patient in set(folds.patients))
    for fold in range(5):
        assert np.flatnonzero(folds.folds == fold).tolist() == split_folds(samples, 5, fold).validation.tolist()


def test_a_class_of_fewer_patients_than_folds_is_left_out_and_named() -> None:
    folds = folds_of({"NORMAL": 10, "AMD": 10, "RVO": 3})
    assert folds.classes == ("NORMAL", "AMD") and len(folds.chosen) == 40
    assert folds.notes == ("RVO is left out of the probe: 3 patients are fewer than 5 folds",)
    assert "needs two classes" in str(make_folds(samples_of({"NORMAL": 10, "RVO": 3}), CLASSES))


def test_the_figures_are_scikit_learns_and_the_intervals_hold_them() -> None:
    folds = folds_of({"NORMAL": 30, "AMD": 20, "DMR": 12})
    features = np.random.default_rng(1).normal(size=(len(folds.labels), 3)) + folds.labels[:, None] * [0.8, 0.4, 0]
    chances = out_of_fold(features, folds)
    result = probe(features, folds)
    predicted = chances.argmax(axis=1)
    assert result.accuracy.value == pytest.approx(accuracy_score(folds.labels, predicted))
    assert result.balanced.value == pytest.approx(balanced_accuracy_score(folds.labels, predicted))
    assert result.auc.value == pytest.approx(roc_auc_score(folds.labels, chances, multi_class="ovr", average="macro"))
    for figure in (result.accuracy, result.balanced, result.auc):
        assert 0 <= figure.low < figure.value < figure.high <= 1
    assert probe(features, folds) == result


def test_the_intervals_are_those_of_drawing_patients_one_by_one() -> None:
    folds = folds_of({"NORMAL": 20, "AMD": 15}, pictures=3)
    features = np.random.default_rng(2).normal(size=(len(folds.labels), 1)) + 0.7 * folds.labels[:, None]
    result = probe(features, folds)
    chances = out_of_fold(features, folds)
    predicted = chances.argmax(axis=1)
    rng = np.random.default_rng(9)
    members = [np.flatnonzero(folds.patients == patient) for patient in range(folds.patients.max() + 1)]
    draws = []
    for _ in range(200):
        rows = np.concatenate([members[patient] for patient in rng.integers(0, len(members), len(members))])
        labels = folds.labels[rows]
        draws.append(
            [
                accuracy_score(labels, predicted[rows]),
                balanced_accuracy_score(labels, predicted[rows]),
                roc_auc_score(labels, chances[rows, 1]),
            ]
        )
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    for column, figure in enumerate((result.accuracy, result.balanced, result.auc)):
        assert figure.low == pytest.approx(low[column], abs=0.04)
        assert figure.high == pytest.approx(high[column], abs=0.04)


def test_informative_features_score_high_and_others_at_chance() -> None:
    folds = folds_of({"NORMAL": 40, "AMD": 40})
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(len(folds.labels), 6))
    assert probe(noise, folds).auc.low < 0.5 < probe(noise, folds).auc.high + 0.1
    assert probe(noise + 3 * folds.labels[:, None], folds).balanced.low > 0.9
