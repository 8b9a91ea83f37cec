"""Any Keras model: trained, resumed, saved, predicted with, shown in a report, and averaged with others."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from keras import layers

from dataprep.catalog import read_catalog
from evidence.report.write import write_report
from model import checkpoint, network
from model.console import one_line
from model.data import read_data
from model.efficientnet_lite import build_efficientnet_lite0
from model.ensemble import Ensemble, combine
from model.keras_networks import build_keras_network
from model.network import begin_network, check_network, new_network
from model.predict.inference import infer
from model.pretrained_weights import PretrainedWeightsError, load_lite0
from model.recipes import Recipe, changed, quick, transfer, winning
from model.run.devices import start_tensorflow
from model.run.entry import UsageError, new_settings
from model.settings import Settings
from model.training import norm_momentum
from tests import small_network
from tests.ablation_samples import draw_dataset

# Keras' save_weights, with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept:DeprecationWarning")

CLASSES = ("NORMAL", "AMD")
# Without normalisation; with depthwise convolutions, gates and other activations.
NAMES = ("VGG16", "MobileNetV3Small")


def settings(name: str, **changed: Any) -> Settings:
    return small_network.settings(network=name, classes=CLASSES, **{"image_size": 32, **changed})


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return draw_dataset(tmp_path / "DRAWN") / "train" / "train_data"


@pytest.mark.slow
@pytest.mark.usefixtures("determinism_ends")
def test_networks_of_keras_go_from_training_to_report_and_ensemble(photographs: Path, tmp_path: Path) -> None:
    start_tensorflow(0)
    trained = []
    for name in NAMES:
        made = begin_network(settings(name, ema=0.5, epochs=2))
        data = read_data(photographs, made.settings, tmp_path / "prepared")

        def save(epoch: Any, made: Any = made) -> None:
            if epoch == 1 and not trained:
                checkpoint.save(tmp_path / "first", made)

        small_network.train_network(made, data, report=lambda **values: None, save=save, save_every=1)
        with made.averaged():
            wanted = made.model.predict(np.asarray(data.validation_images[:], np.float32), verbose=0)
        np.testing.assert_array_equal(made.predict(data.validation_images[:]), wanted)
        trained.append(made)
    resumed = checkpoint.load(tmp_path / "first")
    assert isinstance(resumed, network.Network)
    small_network.train_network(resumed, data, report=lambda **values: None, save=lambda name: None)
    for value, goal in zip(resumed.model.variables, trained[0].model.variables, strict=True):
        np.testing.assert_array_equal(value.numpy(), goal.numpy(), err_msg=goal.path)

    weights = [1.0, 2.0]
    together = Ensemble(trained, weights, combine([each.validation for each in trained], weights))
    checkpoint.save(tmp_path / "together", together)
    again = checkpoint.load(tmp_path / "together")
    assert isinstance(again, Ensemble)
    images = [cv2.imread(str(sample.path)) for sample in read_catalog(photographs, CLASSES).samples[:3]]
    wanted = infer(images, together.predict, together.preparations)
    np.testing.assert_array_equal(infer(images, again.predict, again.preparations), wanted)
    text = write_report(again, photographs, tmp_path / "out", "two").read_text(encoding="utf-8")
    assert all(name in text for name in NAMES)
    assert "left out" not in text and "cannot be read" not in text


def own(monkeypatch: pytest.MonkeyPatch, more: Callable[[], list[layers.Layer]]) -> None:
    """Let the recipe's network `own` be a sequential model that ends in these layers."""

    def build(settings: Settings) -> keras.Model:
        size = settings.recipe.image_size
        return keras.Sequential([keras.Input((size, size, 3)), layers.Rescaling(1 / 255), *more()])

    monkeypatch.setattr(network, "build_model", build)


def test_a_network_of_ones_own_without_a_feature_map_has_a_report_without_heat(
    monkeypatch: pytest.MonkeyPatch, photographs: Path, tmp_path: Path
) -> None:
    def more() -> list[layers.Layer]:
        inner = keras.Sequential([layers.Dense(8), layers.BatchNormalization()], name="inner")
        return [layers.Flatten(), inner, layers.Dropout(0.5), layers.Dense(2, activation="softmax")]

    own(monkeypatch, more)
    check_network(settings("own"))
    made = begin_network(settings("own", ema=0.9, epochs=1, image_size=16))
    data = read_data(photographs, made.settings, tmp_path / "prepared")
    small_network.train_network(made, data, report=lambda **values: None, save=lambda name: None)
    assert made.model.get_layer("inner").layers[-1].momentum == 0.9
    checkpoint.save(tmp_path / "best", made)
    again = checkpoint.load(tmp_path / "best")
    assert isinstance(again, network.Network)
    np.testing.assert_array_equal(again.predict(data.validation_images[:]), made.predict(data.validation_images[:]))
    text = write_report(again, photographs, tmp_path / "out", "own").read_text(encoding="utf-8")
    assert "Network own has no feature map of more than one place, so its heat is left out." in text
    assert "Each row: the photograph; the prepared image.</p>" in text


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (3, r"network own is from \(None, 32, 32, 3\) to \(None, 3\); give"),
        (2, r"network own returns \[.*\], which are not probabilities; end"),
    ],
)
def test_a_network_that_gives_no_probabilities_is_refused_before_photographs_are_read(
    monkeypatch: pytest.MonkeyPatch, last: int, message: str
) -> None:
    own(monkeypatch, lambda: [layers.GlobalAveragePooling2D(), layers.Dense(last)])
    with pytest.raises(ValueError, match=message):
        check_network(settings("own"))


def test_a_network_of_ones_own_is_not_said_to_begin_with_imagenets_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    for weights in ("drawn", "imagenet", "random"):
        assert check_network(settings("efficientnet_lite0", weights=weights)) == weights
    own(monkeypatch, lambda: [layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax")])
    assert check_network(settings("own", weights="imagenet")) == "random"


def test_a_team_s_build_model_is_asked_for_imagenets_weights_where_the_recipes_are_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def build(settings: Settings) -> keras.Model:
        return build_keras_network("MobileNetV3Small", 32, 2, 0.0, 1, asked.append(settings.recipe.weights) or "random")

    asked: list[str] = []
    monkeypatch.setattr(network, "build_model", build)
    assert check_network(settings("efficientnet_lite0", weights="drawn")) == "random"
    assert asked == ["imagenet"]


def begun(**values: Any) -> Settings:
    """The settings of a new training with these fields of `quick` at 32 pixels."""
    recipe = changed(quick(), {"image_size": 32, **values})
    args = Namespace(wanted=recipe, changes=values, seed=0, fold=0, folds=0, patient_pattern="", pretrained=None)
    return new_settings(args, Namespace(classes=CLASSES, numbers=(0, 1)))  # type: ignore[arg-type]


def test_a_training_records_the_weights_that_a_team_s_network_begins_with(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nsml.DATASET_NAME", "EYES")
    assert begun().recipe.weights == "drawn" and capsys.readouterr().out == ""

    def build(settings: Settings) -> keras.Model:
        base = build_efficientnet_lite0(32, 2)
        model = keras.Model(base.inputs, layers.Rescaling(1.0)(base.output), name="mine")
        load_lite0(model)
        return model

    monkeypatch.setattr(network, "build_model", build)
    assert begun().recipe.weights == "imagenet"
    assert capsys.readouterr().out == "plan: weights imagenet: your own network\n"
    with pytest.raises(UsageError, match="your own network cannot begin with"):
        begun(weights="drawn")
    own(monkeypatch, lambda: [layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax")])
    assert begun().recipe.weights == "random"


def test_fields_that_the_network_does_not_read_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nsml.DATASET_NAME", "EYES")
    begun(width=64, depth=2)
    assert capsys.readouterr().out == "warning: network efficientnet_lite0 does not read width, depth; vgg does\n"
    begun(network="vgg", depth=2)
    assert capsys.readouterr().out == ""


def test_a_training_on_the_demo_says_that_its_weights_know_such_photographs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nsml.DATASET_NAME", "FUNDUS_DEMO")
    begun(weights="imagenet")
    assert capsys.readouterr().out == ""
    begun()
    assert "--set weights=imagenet for a fair score" in capsys.readouterr().out


class Block(layers.Layer):
    """A layer of layers, as a team writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = layers.Conv2D(4, 3)
        self.normalisation = layers.BatchNormalization()

    def build(self, shape: Any) -> None:
        self.convolution.build(shape)
        self.normalisation.build(self.convolution.compute_output_shape(shape))

    def call(self, images: Any, training: bool = False) -> Any:
        return self.normalisation(self.convolution(images / 255), training=training)


class Subclass(keras.Model):
    """A network as PyTorch's users write it."""

    def __init__(self) -> None:
        super().__init__()
        self.block, self.average = Block(), layers.GlobalAveragePooling2D()
        self.scores = layers.Dense(2, activation="softmax")

    def call(self, images: Any, training: bool = False) -> Any:
        return self.scores(self.average(self.block(images, training=training)))


def test_a_subclass_of_model_is_trained_saved_and_shown_without_heat(
    monkeypatch: pytest.MonkeyPatch, photographs: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(network, "build_model", lambda settings: Subclass())
    check_network(settings("own"))
    made = begin_network(settings("own", epochs=1))
    data = read_data(photographs, made.settings, tmp_path / "prepared")
    small_network.train_network(made, data, report=lambda **values: None, save=lambda name: None)
    assert made.model.layers[-1].block.normalisation.momentum == norm_momentum(1, 0) == 0.8
    checkpoint.save(tmp_path / "best", made)
    again = checkpoint.load(tmp_path / "best")
    assert isinstance(again, network.Network)
    images = data.validation_images[:]
    np.testing.assert_array_equal(again.predict(images), made.predict(images))
    np.testing.assert_allclose(again.predict(images), made.model(images.astype(np.float32)), atol=1e-6)
    text = write_report(again, photographs, tmp_path / "out", "own").read_text(encoding="utf-8")
    assert "so its heat is left out." in text


def test_a_subclass_that_cannot_be_called_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(keras.Model):
        pass

    monkeypatch.setattr(network, "build_model", lambda settings: Mine())
    with pytest.raises(
        ValueError, match=r"^network vgg cannot be called with images of 32 pixels .*correct its `call`"
    ):
        check_network(settings("vgg"))


def test_a_file_of_weights_is_where_a_network_and_its_averages_begin(tmp_path: Path) -> None:
    first, path = small_network.network(seed=1), str(tmp_path / "a.weights.h5")
    first.model.save_weights(path)
    other = begin_network(small_network.settings(seed=2, weights=path, ema=0.9))
    images = small_network.data().train_images
    np.testing.assert_array_equal(other.predict(images), first.predict(images))
    with pytest.raises(PretrainedWeightsError, match=r"a\.weights\.h5 does not have the weights of this network"):
        check_network(small_network.settings(weights=path, width=5))


@pytest.mark.parametrize(
    ("steps", "ema", "momentum"),
    [(1, 0, 0.8), (1000, 0, 0.8), (4000, 0, 0.95), (10**6, 0, 0.99), (200, 0.98, 0.98), (10**6, 0.98, 0.99)],
)
def test_normalisation_averages_over_half_a_percent_of_the_steps_or_as_long_as_the_weights(
    steps: int, ema: float, momentum: float
) -> None:
    assert norm_momentum(steps, ema) == pytest.approx(momentum)


def test_a_fault_that_keras_finds_in_ones_own_network_is_one_line_of_plain_text() -> None:
    with pytest.raises(ValueError, match="Exception encountered when calling") as raised:
        layers.Rescaling(1 / 255)(input)
    assert one_line(raised.value).isprintable()


@pytest.mark.parametrize(("recipe", "values"), [(transfer, {"weight_decay": 0}), (winning, {"optimizer": "adamw"})])
def test_adamw_can_decay_nothing(recipe: Callable[[], Recipe], values: dict[str, Any]) -> None:
    small = {"image_size": 32, "weights": "random"}
    assert not new_network(Settings(changed(recipe(), values | small), ("A", "B"))).optimizer.weight_decay
