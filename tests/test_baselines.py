"""What a training has to beat."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from dataprep.shortcuts import SHORTCUTS
from model.baselines import baselines, first_weights, frozen_features, print_beaten, score_chances
from model.metrics import macro_auc
from model.recipes import transfer, winning
from model.records import Baseline, Predictions
from tests import small_network

CLASSES = ("NORMAL", "AMD", "RVO", "DMR")


def photographs(count: int, seed: int, mark: Any) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Noise, two of three of class 0, each marked by its class; two photographs a patient."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) // 2 % 3 == 2).astype(int)
    images = rng.integers(90, 140, (count, 64, 64, 3)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        if label:
            mark(image)
    return images, labels, [f"{seed}-{i // 2}" for i in range(count)]


def results(mark: Any, **more: Any) -> dict[str, Baseline]:
    images, labels, patients = photographs(120, 0, mark)
    unseen, truth, _ = photographs(60, 1, mark)
    rows = baselines(images, labels, patients, unseen, truth, CLASSES, **more)
    return {row.name: row for row in rows}


def dark_corner(image: np.ndarray) -> None:
    image[:8, :8] //= 2


def red(image: np.ndarray) -> None:
    image[..., 2] += 40


def smooth(image: np.ndarray) -> None:
    image[:] = image.mean(axis=(0, 1)) + (image.astype(float) - image.mean(axis=(0, 1))) * 0.3


@pytest.mark.parametrize(
    ("mark", "named"), [(dark_corner, "edges and corners"), (red, "colours"), (smooth, "sharpness")]
)
def test_each_shortcut_is_seen_by_its_own_probe(mark: Any, named: str) -> None:
    rows = results(mark, weights="")
    assert list(rows) == ["always NORMAL", *SHORTCUTS]
    assert rows[named].auc > 0.99
    if mark is dark_corner:
        assert rows["colours"].auc < 0.75
        assert rows["sharpness"].auc < 0.75


def test_always_the_largest_class_is_named_and_right_for_its_share() -> None:
    row = results(red, weights="")["always NORMAL"]
    assert str(row) == "always NORMAL: accuracy 0.667, balanced 0.500, AUC 0.500"


def test_frozen_features_tell_what_no_probe_sees_within_seconds() -> None:
    def ring(image: np.ndarray) -> None:
        y, x = np.mgrid[:64, :64]
        distance = np.hypot(y - 32, x - 32)
        image[(distance > 14) & (distance < 18)] = 115

    started = time.process_time()
    rows = results(ring)
    assert rows["frozen features"].auc > 0.95
    assert time.process_time() - started < 60


def test_the_features_are_those_of_the_weights_that_the_recipe_begins_with() -> None:
    assert [first_weights(recipe()) for recipe in (transfer, winning)] == ["drawn", "imagenet"]
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    drawn, imagenet = (frozen_features(32, weights)(images) for weights in ("drawn", "imagenet"))
    assert drawn.shape == imagenet.shape == (2, 1280)
    assert not np.allclose(drawn, imagenet, atol=0.01)


def test_photographs_without_a_mark_cannot_be_distinguished() -> None:
    rows = results(lambda image: None)
    assert all(0.25 < row.auc < 0.75 for row in rows.values())


def test_more_photographs_than_are_needed_are_drawn_by_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.baselines._MOST", 60)
    assert results(red, weights="")["colours"].auc > 0.99


def test_a_class_of_one_patient_is_fitted_without_folds() -> None:
    images, labels, patients = photographs(60, 0, red)
    patients = ["one" if label else patient for label, patient in zip(labels, patients, strict=True)]
    rows = baselines(images, labels, patients, images, labels, CLASSES, weights="")
    assert rows[2].name == "colours"
    assert rows[2].auc > 0.99


def test_one_class_alone_has_but_the_constant_answer() -> None:
    images, labels, patients = photographs(12, 0, red)
    rows = baselines(images, labels * 0, patients, images, labels, CLASSES)
    assert [row.name for row in rows] == ["always NORMAL"]


def test_a_class_that_validation_lacks_counts_in_no_figure() -> None:
    labels = np.array([0, 0, 1, 1])
    chances = np.array([[0.8, 0.1, 0.1, 0], [0.3, 0.6, 0.1, 0], [0.1, 0.9, 0, 0], [0.2, 0.7, 0.1, 0]])
    assert macro_auc(labels, chances) == 1.0
    assert score_chances("x", labels, chances) == Baseline("x", 1.0, 0.75, 0.75)
    assert macro_auc(labels * 0, chances) == 0.5
    assert str(score_chances("x", labels * 0, chances)) == "x: accuracy 0.250, balanced 0.250, AUC none, of one class"


def test_at_the_end_stands_the_best_baseline_by_each_measure_and_what_is_not_above_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    network = small_network.network(seed=1)
    network.baselines = [
        Baseline("always A", 0.5, 0.5, 0.8),
        Baseline("edges", 0.6, 0.55, 0.7),
        Baseline("colours", 0.55, 0.6, 0.6),
    ]
    labels, chances = np.array([0, 0, 0, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]], np.float32)
    network.validation = Predictions(list("abcd"), list("abcd"), labels, chances)
    print_beaten(network)
    assert capsys.readouterr().out.splitlines() == [
        "this training: accuracy 0.750, balanced 0.500, AUC 1.000",
        "to beat: accuracy 0.800 (always A), balanced 0.600 (colours), AUC 0.600 (edges)",
        "warning: no better than a baseline by accuracy and balanced",
    ]
