"""The description of the machine beside a timing or a score."""

import pytest
import tensorflow as tf

from evidence import machine


def test_the_gpu_that_was_computed_on_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["one", "two"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"device_name": f"GPU {gpu}"})
    assert machine.describe()["gpu"] == "GPU one, GPU two"


def test_without_a_gpu_none_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert machine.gpus() == [] and "gpu" not in machine.describe()
