"""Any Keras model: trained, resumed, saved, predicted with, shown in a report, and averaged with others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dataprep.catalog import read_catalog
from evidence.report.write import write_report
from model import checkpoint
from model.data import read_data
from model.ensemble import Ensemble, combine
from model.network import Network, begin_network
from model.predict.inference import infer
from model.settings import Settings
from tests import small_network
from tests.ablation_samples import draw_dataset

# Keras' save_weights, with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept:DeprecationWarning")

CLASSES = ("NORMAL", "AMD")
# Two with other activations and branches, one without normalisation.
NAMES = ("MobileNetV3Small", "MobileNet", "VGG16")


def settings(name: str, **changed: Any) -> Settings:
    return small_network.settings(network=name, classes=CLASSES, **{"image_size": 32, **changed})


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("networks") / "DRAWN") / "train" / "train_data"


@pytest.mark.slow
@pytest.mark.usefixtures("determinism_ends")
def test_three_networks_of_keras_go_from_training_to_report_and_ensemble(photographs: Path, tmp_path: Path) -> None:
    tf.config.experimental.enable_op_determinism()
    networks = []
    for name in NAMES:
        made = begin_network(settings(name, ema=0.5, epochs=2, seed=3))
        data = read_data(photographs, made.settings, tmp_path / "prepared")

        def save(epoch: Any, held: Network = made) -> None:
            if epoch == 1:
                checkpoint.save(tmp_path / held.settings.recipe.network, held)

        small_network.train_network(made, data, report=lambda **values: None, save=save, save_every=1)
        resumed = checkpoint.load(tmp_path / name)
        assert isinstance(resumed, Network)
        if name == NAMES[0]:
            small_network.train_network(resumed, data, report=lambda **values: None, save=lambda name: None)
            for found, wanted in zip(resumed.model.variables, made.model.variables, strict=True):
                np.testing.assert_array_equal(found.numpy(), wanted.numpy(), err_msg=wanted.path)
        with made.averaged():
            wanted = made.model.predict(np.asarray(data.validation_images[:], np.float32), verbose=0)
        np.testing.assert_array_equal(made.predict(data.validation_images[:]), wanted)
        networks.append(made)
    ensemble = Ensemble(networks, [1.0, 2.0, 1.0], combine([each.validation for each in networks], [1.0, 2.0, 1.0]))
    checkpoint.save(tmp_path / "together", ensemble)
    again = checkpoint.load(tmp_path / "together")
    samples = read_catalog(photographs, CLASSES).samples[:3]
    import cv2

    images = [cv2.imread(str(sample.path)) for sample in samples]
    assert infer(images, again.predict, again.preparations) == infer(images, ensemble.predict, ensemble.preparations)
    text = write_report(again, photographs, tmp_path / "out", "three").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"{name}, " in text
    assert "left out" not in text
    assert "cannot be read" not in text
