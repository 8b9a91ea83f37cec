"""ROC, precision and recall for many weights at once, against scikit-learn with one weight a call."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_curve

from evidence.report.figures import GRID, Figures, work_out
from evidence.report.ranking import Ranking
from model.records import Predictions

CLASSES = ("NORMAL", "AMD", "RVO", "DMR")


def cases(seed: int, count: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores with ties, and weights that leave some out."""
    rng = np.random.default_rng(seed)
    positive = np.arange(count) % 3 == 0
    scores = np.round(rng.normal(0, 1, count) + positive, 1)
    return positive, scores, rng.integers(0, 3, (5, count)).astype(float)


@given(st.integers(0, 10_000))
def test_the_average_precision_is_that_of_scikit_learn(seed: int) -> None:
    positive, scores, weights = cases(seed)
    ranking = Ranking(positive, scores, weights)
    for row, precision in zip(weights, ranking.average_precision(), strict=True):
        assert precision == pytest.approx(average_precision_score(positive, scores, sample_weight=row))


@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.9, 0.95, 1.0]))
def test_the_sensitivity_is_the_highest_that_the_specificity_allows(seed: int, specificity: float) -> None:
    positive, scores, weights = cases(seed)
    result = Ranking(positive, scores, weights).sensitivity_at(specificity)
    for row, sensitivity in zip(weights, result, strict=True):
        fall_out, recall, _ = roc_curve(positive, scores, sample_weight=row, drop_intermediate=False)
        assert sensitivity == pytest.approx(recall[fall_out <= 1 - specificity + 1e-9].max())


def test_a_row_without_positives_or_negatives_is_no_figure() -> None:
    positive, scores = np.array([True, True, False]), np.array([0.1, 0.5, 0.3])
    ranking = Ranking(positive, scores, np.array([[1.0, 1, 0], [0, 0, 1], [1, 1, 1]]))
    assert np.isnan(ranking.sensitivity_at(0.9)).tolist() == [True, True, False]


def figures(labels: list[int], classes: tuple[str, ...] = CLASSES, seed: int = 0) -> Figures:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(len(classes)), len(labels)) + 2 * np.eye(len(classes))[labels]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    patients = [str(number // 2) for number in range(len(labels))]
    result = Predictions(["x"] * len(labels), patients, np.array(labels), probabilities.astype(np.float32))
    return work_out(result, classes, 1.5)


def test_every_interval_holds_its_figure_and_narrows_with_more_patients() -> None:
    few, many = figures([0, 1, 2, 3] * 8), figures([0, 1, 2, 3] * 128)
    for name, figure in few.overall.items():
        assert figure.low <= figure.value <= figure.high
        assert many.overall[name].high - many.overall[name].low < figure.high - figure.low or figure.high == figure.low
    for one in few.classes:
        assert (one.roc.low <= one.roc.high).all()
        assert one.roc.low.shape == GRID.shape


def test_a_class_without_photographs_is_left_out_of_the_curves_and_counted_as_none() -> None:
    result = figures([0, 1, 3] * 10)
    assert [one.name for one in result.classes] == ["NORMAL", "AMD", "DMR"]
    assert result.counts[2] == (0, 0)
    assert result.recalls[2] is None
    assert result.confusion.sum(axis=1).tolist() == [10, 10, 0, 10]


def test_two_classes_and_one_alone_are_enough() -> None:
    assert [one.name for one in figures([0, 1] * 10, ("NORMAL", "AMD")).classes] == ["NORMAL", "AMD"]
    alone = figures([1] * 6)
    assert alone.classes == ()
    assert "macro AUC" not in alone.overall
