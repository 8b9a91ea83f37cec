"""Averaged weights: their arithmetic, and that they predict while training goes on from others."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from model.network import Network
from model.radam import RAdam
from model.weight_average import WeightAverage
from tests import small_network
from tests.make_radam_reference import AVERAGING, KEPT, RATE, STEPS, gradient, start

REFERENCE = json.loads((Path(__file__).parent / "data" / "radam_reference.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_average_agrees_with_pytorch_over_500_steps(dtype: str) -> None:
    variable = keras.Variable(start(), dtype=dtype)
    optimizer = RAdam(RATE)
    optimizer.build([variable])
    average = WeightAverage(AVERAGING, [variable])
    np.testing.assert_allclose(average.value(variable), start(), atol=1e-7)

    @tf.function
    def step_with(values: tf.Tensor) -> None:
        optimizer.apply([values], [variable])

    for step in range(1, STEPS + 1):
        step_with(tf.constant(gradient("plain", step), dtype))
        average.update()
        if step == 1:
            average.restart()  # PyTorch's average begins with the values after the first step
        if step in KEPT:
            result = average.value(variable)
            np.testing.assert_allclose(result, REFERENCE["averages"][str(step)], rtol=0, atol=1e-6, err_msg=f"{step}")
    assert np.abs(result - variable.numpy()).max() > 1e-4


@pytest.fixture
def moved() -> Network:
    """A network whose weights have moved away from their averages."""
    network = small_network.network(ema=0.9)
    rng = np.random.default_rng(0)
    for variable in network.model.trainable_variables:
        variable.assign(variable.numpy() + rng.normal(0, 0.1, variable.shape))
    return network


def test_the_averages_predict(moved: Network) -> None:
    images = small_network.data(20).train_images[:]
    untouched = small_network.network()
    np.testing.assert_array_equal(moved.predict(images), untouched.predict(images))
    assert np.abs(moved.model(images.astype("float32"), training=False).numpy() - moved.predict(images)).max() > 1e-3


def test_the_averages_are_in_place_within_a_block_only(moved: Network) -> None:
    variables = moved.model.trainable_variables
    before = [variable.numpy() for variable in variables]
    with moved.averaged():
        for variable in variables:
            np.testing.assert_array_equal(variable.numpy(), moved.value(variable))
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_without_averaging_the_weights_themselves_predict() -> None:
    network = small_network.network()
    assert network.average is None
    kernel = network.model.trainable_variables[0]
    kernel.assign(kernel + 1.0)
    np.testing.assert_array_equal(network.value(kernel), kernel.numpy())
