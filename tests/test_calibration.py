"""Temperature scaling and what measures calibration, against SciPy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from evidence.report import calibration
from evidence.report.calibration import fit_temperature, scaled, scaled_by_others


def answers(seed: int, temperature: float, count: int = 300, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are calibrated once their scores are divided by `temperature`, and labels drawn from those."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 1.5, (count, classes))
    labels = np.array([rng.choice(classes, p=row) for row in softmax(scores, axis=1)])
    return softmax(scores * temperature, axis=1).astype(np.float32), labels


@given(st.integers(0, 10_000), st.floats(0.3, 4), st.integers(2, 5))
def test_the_temperature_is_the_one_of_maximum_likelihood(seed: int, temperature: float, classes: int) -> None:
    probabilities, labels = answers(seed, temperature, 80, classes)
    scores = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))

    def loss(log_temperature: float) -> float:
        return -log_softmax(scores / np.exp(log_temperature), axis=1)[np.arange(len(labels)), labels].mean()

    fitted = fit_temperature(probabilities, labels)
    reference = minimize_scalar(loss, bounds=np.log([0.05, 20]), method="bounded", options={"xatol": 1e-9})
    assert loss(np.log(fitted)) <= reference.fun + 1e-9
    assert fitted == pytest.approx(np.exp(reference.x), rel=1e-3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_network_that_is_too_sure_by_a_factor_gets_it_as_its_temperature(temperature: float) -> None:
    probabilities, labels = answers(1, temperature, 20_000)
    assert fit_temperature(probabilities, labels) == pytest.approx(temperature, rel=0.05)


@given(st.integers(0, 10_000), st.floats(0.05, 20))
def test_scaling_is_the_softmax_of_the_divided_scores_and_keeps_the_order(seed: int, temperature: float) -> None:
    probabilities, _ = answers(seed, 1.0, 20)
    outputs = scaled(probabilities, temperature)
    wanted = softmax(np.log(probabilities.astype(np.float64)) / temperature, axis=1)
    np.testing.assert_allclose(outputs, wanted, atol=1e-6)
    np.testing.assert_array_equal(np.argsort(probabilities, axis=1)[:, -1], np.argsort(outputs, axis=1)[:, -1])


def test_a_temperature_of_one_changes_no_bit() -> None:
    probabilities, _ = answers(0, 1.0, 20)
    assert scaled(probabilities, 1.0).tobytes() == probabilities.tobytes()


def test_where_all_is_right_or_all_is_wrong_the_temperature_stays_within_its_bounds() -> None:
    sure = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    assert fit_temperature(sure, np.array([0, 1])) == 0.05
    assert fit_temperature(sure, np.array([1, 0])) == 20


def test_where_no_temperature_is_better_it_is_one() -> None:
    assert fit_temperature(np.full((3, 4), 0.25, np.float32), np.array([0, 1, 2])) == 1
    assert fit_temperature(np.zeros((0, 4), np.float32), np.zeros(0, int)) == 1


def test_a_probability_of_zero_for_the_truth_is_no_infinity() -> None:
    probabilities = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    labels = np.array([0, 1, 1])
    assert 0.05 < fit_temperature(probabilities, labels) <= 20
    assert np.isfinite(calibration.log_loss(probabilities, labels))


def test_nobody_is_scaled_by_a_temperature_that_was_fitted_to_them() -> None:
    probabilities, labels = answers(3, 3.0, 100)
    patients = [str(number // 2) for number in range(100)]
    outputs = scaled_by_others(probabilities, labels, patients)
    changed = labels.copy()
    changed[:2] = (probabilities[:2].argmax(axis=1) + 1) % 4
    again = scaled_by_others(probabilities, changed, patients)
    np.testing.assert_array_equal(outputs[:2], again[:2])
    assert not np.array_equal(outputs, again)


@given(st.integers(0, 10_000))
def test_the_bins_are_those_of_scikit_learn_and_the_error_is_their_mean_gap(seed: int) -> None:
    probabilities, labels = answers(seed, 2.0, 120)
    result = calibration.reliability(probabilities, labels)
    right = probabilities.argmax(axis=1) == labels
    confidence = probabilities.max(axis=1)
    share, mean = calibration_curve(right, confidence, n_bins=10)
    there = result.count > 0
    np.testing.assert_allclose(result.accuracy[there], share)
    np.testing.assert_allclose(result.confidence[there], mean, rtol=1e-6)
    gaps = [abs(share - mean) * count for share, mean, count in zip(share, mean, result.count[there], strict=True)]
    assert result.expected_error == pytest.approx(sum(gaps) / 120, rel=1e-5)


@given(st.integers(0, 10_000))
def test_the_brier_score_and_the_log_loss_are_those_of_scikit_learn(seed: int) -> None:
    probabilities, labels = answers(seed, 1.5, 40)
    by_class = [brier_score_loss(labels == label, probabilities[:, label]) for label in range(4)]
    assert calibration.brier(probabilities, labels) == pytest.approx(sum(by_class), rel=1e-5)
    whole = probabilities.astype(np.float64)
    wanted = sklearn_log_loss(labels, whole / whole.sum(axis=1, keepdims=True), labels=range(4))
    assert calibration.log_loss(probabilities, labels) == pytest.approx(wanted, abs=1e-5)
