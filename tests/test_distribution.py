"""Training on several devices, shown on one processor that is made to look like two."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow

from model.run.devices import import_tensorflow, is_given_gpus, strategy_for

ROOT = Path(__file__).resolve().parent.parent

PROGRAM = """
import sys
from model.run.devices import start_tensorflow
start_tensorflow(0)
import tensorflow as tf
processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)

import numpy as np
from model.checkpoint import network_files as weights
from model.run.devices import strategy_for
from tests.small_network import train
from tests import small_network

def save(name):
    if name != "best":
        weights.save(f"{sys.argv[1]}/{name}", network)

def run(network, save):
    accuracies = []
    train(network, small_network.recipe(6, 2, 0.03), small_network.data(96), save=save, save_every=5,
          report=lambda **values: accuracies.append(values["val__accuracy"]))
    return accuracies

strategy = strategy_for(2, may_take_all=True)
assert strategy.num_replicas_in_sync == 2
with strategy.scope():
    network = small_network.network(ema=0.8)
    assert run(network, save)[-1] > 0.9
    resumed = weights.load(f"{sys.argv[1]}/5")
    assert len(run(resumed, lambda name: None)) == 3
for value, wanted in zip(resumed.model.get_weights(), network.model.get_weights(), strict=True):
    np.testing.assert_allclose(value, wanted, atol=1e-5)

# One epoch on two devices and on one, without what each device draws for itself.
def epoch(strategy):
    with strategy.scope():
        network = small_network.network(dropout=0.0, seed=5)
        train(network, small_network.recipe(1, 0, 0.01), small_network.data(64), report=lambda **values: None, save=lambda name: None)
        return network.model.get_weights()

for value, wanted in zip(epoch(strategy), epoch(tf.distribute.get_strategy()), strict=True):
    np.testing.assert_allclose(value, wanted, atol=2e-5)
alone = weights.load(f"{sys.argv[1]}/8")
images = small_network.data(40).train_images
np.testing.assert_allclose(alone.predict(images), network.predict(images), atol=1e-5)
"""


@pytest.mark.slow
def test_two_devices_train_one_network_which_goes_on_and_predicts_on_one(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("gpus", [0, 1])
def test_one_device_needs_no_strategy(gpus: int) -> None:
    assert strategy_for(gpus, may_take_all=True).num_replicas_in_sync == 1


def test_more_gpus_than_available_are_refused_with_the_fix() -> None:
    with pytest.raises(ValueError, match=r"has 64 GPUs, but TensorFlow sees \d+; install tensorflow\[and-cuda\]"):
        strategy_for(64, may_take_all=True)


def test_one_of_several_gpus_is_used_where_nobody_asked_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert not is_given_gpus()
    assert strategy_for(64, may_take_all=is_given_gpus()).num_replicas_in_sync == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert is_given_gpus()


def test_tensorflow_does_not_warn_of_each_network_that_is_traced() -> None:
    import_tensorflow()
    assert not tensorflow.get_logger().isEnabledFor(logging.WARNING)
