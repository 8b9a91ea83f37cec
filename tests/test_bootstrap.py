"""The bootstrap over patients and its metrics, against scikit-learn and SciPy with one row of weights at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from evidence.bootstrap import draw_patients, estimate
from model.metrics import accuracy, aucs, mean_of_classes, recalls


def macro(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return mean_of_classes(aucs(labels, probabilities, weights))


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(2, 4), ties=st.booleans())
def test_the_macro_auc_is_that_of_scikit_learn_for_every_row_of_weights(seed: int, classes: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 20)])
    probabilities = rng.dirichlet(np.ones(classes), len(labels))
    if ties:
        probabilities = np.round(probabilities, 1)
    weights = rng.integers(0, 4, (3, len(labels))).astype(float)
    weights[:, :classes] += 1
    expected = [
        np.mean([roc_auc_score(labels == c, probabilities[:, c], sample_weight=row) for c in range(classes)])
        for row in weights
    ]
    np.testing.assert_allclose(macro(labels, probabilities, weights), expected, atol=1e-12)


def test_the_area_of_two_classes_is_the_mann_whitney_statistic() -> None:
    rng = np.random.default_rng(3)
    labels, score = rng.integers(0, 2, 60), rng.random(60)
    probabilities = np.stack([1 - score, score], axis=1)
    ones, rest = score[labels == 1], score[labels == 0]
    expected = mannwhitneyu(ones, rest).statistic / (len(ones) * len(rest))
    assert macro(labels, probabilities, np.ones((1, 60)))[0] == pytest.approx(expected)


def test_a_class_without_weight_is_not_counted() -> None:
    labels = np.array([0, 0, 1, 1, 2])
    probabilities = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.7, 0.2, 0.1], [0.3, 0.3, 0.4]])
    with_two = macro(labels, probabilities, np.array([[1.0, 1, 1, 1, 0]]))
    expected = np.mean([roc_auc_score(labels[:4] == c, probabilities[:4, c]) for c in (0, 1)])
    assert with_two[0] == pytest.approx(expected)


@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(2, 4))
def test_accuracy_and_recalls_are_those_of_scikit_learn(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 20)])
    probabilities = rng.dirichlet(np.ones(classes), len(labels))
    weights = rng.integers(1, 4, (3, len(labels))).astype(float)
    predicted = probabilities.argmax(axis=1)
    for row, result, of_classes in zip(
        weights, accuracy(labels, probabilities, weights), recalls(labels, probabilities, weights), strict=True
    ):
        assert result == pytest.approx(accuracy_score(labels, predicted, sample_weight=row))
        assert of_classes == pytest.approx(recall_score(labels, predicted, average=None, sample_weight=row))


def test_a_draw_of_patients_takes_both_eyes_or_none() -> None:
    weights = draw_patients(["a", "b", "a", "c"])
    np.testing.assert_array_equal(weights[0], np.ones(4))
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, [0, 1, 3]].sum(axis=1), np.full(1001, 3))


def test_draws_without_a_value_are_left_out_of_the_interval() -> None:
    result = estimate(np.array([0.5, np.nan, 0.25, 0.75]))
    assert (result.value, result.low, result.high) == pytest.approx((0.5, 0.2625, 0.7375))
    assert np.isnan(estimate(np.array([0.5, np.nan])).low)
