"""How a training computes: precision and XLA, told or found by timing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from model import trial
from model.network import PRECISIONS, Network
from model.settings import Settings
from model.start import start_tensorflow
from model.training import train
from model.trial import Computing, Cost, candidates, choose, time_step
from tests import small_network


def trained(network: Network) -> Network:
    train(
        network, small_network.recipe(2, 1), small_network.data(),
        report=lambda **values: None, save=lambda name: None,
    )  # fmt: skip
    return network


@pytest.fixture
def deterministic(determinism_ends: None) -> None:
    start_tensorflow(0)


def test_on_a_processor_there_is_nothing_to_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert candidates("auto", "auto", gpu=False) == [Computing("float32", False)]
    assert choose(small_network.settings(), "auto", "auto", 8, lambda: 100) == Computing("float32", False)
    assert capsys.readouterr().out == ""


def test_a_gpu_tries_xla_and_no_precision_that_was_not_shown_to_train_as_well() -> None:
    assert candidates("auto", "auto", gpu=True) == [Computing("float32", False), Computing("float32", True)]


@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("jit", ["on", "off"])
def test_what_is_asked_for_is_all_that_comes_into_question(precision: str, jit: str, gpu: bool) -> None:
    assert candidates(precision, jit, gpu) == [Computing(precision, jit == "on")]


@pytest.mark.parametrize(("precision", "jit"), [("float64", "auto"), ("auto", "maybe")])
def test_other_words_are_refused(precision: str, jit: str) -> None:
    with pytest.raises(ValueError, match="; give auto, "):
        candidates(precision, jit, gpu=False)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Computing]]:
    """A GPU on which a step takes 13.9 ms, and with XLA 5.4 ms after a minute; what was timed on it."""
    timed = []

    def time_step(settings: Settings, computing: Computing, batch_size: int) -> Cost:
        timed.append(computing)
        return Cost(60, 0.0054) if computing.jit else Cost(7, 0.0139)

    monkeypatch.setattr(trial, "has_gpu", lambda: True)
    monkeypatch.setattr(trial, "time_step", time_step)
    yield timed


def test_what_trains_soonest_is_taken_and_told_in_one_line(
    gpu: list[Computing], capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose(small_network.settings(), "auto", "auto", 8, lambda: 20_000) == Computing("float32", True)
    assert capsys.readouterr().out == (
        "a step takes float32 without XLA 13.9 ms after 7 s, float32 with XLA 5.4 ms after 60 s: float32 with XLA is used "
        "(--precision and --jit choose otherwise)\n"
    )


def test_a_faster_step_is_not_taken_where_compiling_takes_longer_than_it_saves(
    gpu: list[Computing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_WORTH_COMPILING", 0)
    assert choose(small_network.settings(), "auto", "auto", 8, lambda: 6_000) == Computing("float32", False)
    assert choose(small_network.settings(), "auto", "auto", 8, lambda: 6_500) == Computing("float32", True)


def test_xla_is_not_tried_on_a_training_too_short_for_it(
    gpu: list[Computing], capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose(small_network.settings(), "auto", "auto", 8, lambda: 960) == Computing("float32", False)
    assert gpu == [Computing("float32", False)]
    assert "float32 without XLA is used, too short a training to compile for (" in capsys.readouterr().out


def test_timing_steps_changes_nothing_of_the_training_after_it(deterministic: None) -> None:
    plain = trained(small_network.network())
    start_tensorflow(0)
    timed = small_network.network()
    for precision in ("float32", "bfloat16"):
        assert time_step(timed.settings, Computing(precision, False), 8).step > 0
    trained(timed)
    for found, wanted in zip(
        [*timed.model.variables, *timed.optimizer.variables],
        [*plain.model.variables, *plain.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(found.numpy(), wanted.numpy())


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_each_precision_trains_with_weights_in_float32(precision: str) -> None:
    network = small_network.network(precision=precision)
    assert network.model.get_layer("block1_conv1").compute_dtype == precision
    losses: list[float] = []
    train(
        network, small_network.recipe(8, 1, 0.02), small_network.data(96),
        report=lambda **values: losses.append(values["train__loss"]), save=lambda name: None,
    )  # fmt: skip
    assert losses[-1] < losses[0]
    assert {weight.dtype for weight in network.model.trainable_weights} == {"float32"}
    assert int(network.optimizer.iterations.numpy()) > 0


def test_a_precision_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="precision is 'float64'; give one of float32, bfloat16, float16"):
        small_network.network(precision="float64")
