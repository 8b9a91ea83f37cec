"""Batch normalisation folded into the convolutions, and the fast prediction by it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from model import predictor as module
from model.folding import fold
from model.hardware import multiplies_bfloat16
from model.inference import predictor
from model.training import train
from model.vgg import build_vgg
from tests import small_network

SIZE = 64


def unsettled(depth: int, batch_norm: bool, seed: int = 0) -> keras.Model:
    """A network whose normalisations have moved away from where they start."""
    model = build_vgg(SIZE, width=4, depth=depth, batch_norm=batch_norm, seed=seed)
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.3, 2, weight.shape) for weight in layer.get_weights()])
        elif isinstance(layer, layers.Conv2D) and layer.use_bias:
            layer.set_weights([layer.get_weights()[0], rng.uniform(-1, 1, layer.filters)])
    return model


def images(count: int = 7, size: int = SIZE) -> np.ndarray:
    # Lit on some sides and dark on others: what is wrong along the border shows.
    found = np.random.default_rng(1).integers(0, 256, (count, size, size, 3)).astype(np.uint8)
    found[::2] //= 8
    return found


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("depth", range(1, 7))
def test_a_folded_model_predicts_the_same_without_normalisation(depth: int, batch_norm: bool) -> None:
    model = unsettled(depth, batch_norm)
    pixels = images().astype("float32")
    wanted = model(pixels, training=False).numpy()
    folded = fold(model)
    assert not any(isinstance(layer, layers.BatchNormalization | layers.Dropout) for layer in folded.layers)
    np.testing.assert_allclose(folded(pixels).numpy(), wanted, atol=1e-5)
    np.testing.assert_allclose(predictor(model, batch_size=3)(images()), wanted, atol=1e-5)


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("depth", range(1, 7))
def test_bfloat16_predicts_nearly_the_same_at_every_depth(depth: int, batch_norm: bool) -> None:
    model = unsettled(depth, batch_norm)
    wanted = model(images().astype("float32"), training=False).numpy()
    predict = predictor(model, batch_size=3, precision="bfloat16")
    first, again = predict(images()), predict(images())
    assert first.dtype == np.float32
    np.testing.assert_allclose(first.sum(axis=1), 1, rtol=1e-5)
    # These networks are not trained, and so answer to noise with large scores that are nearly alike.
    np.testing.assert_allclose(first, wanted, atol=0.1)
    np.testing.assert_allclose(again, first, atol=1e-6)


@pytest.fixture(scope="module")
def trained() -> small_network.Network:
    network = small_network.network(width=8)
    train(
        network, small_network.recipe(15, 5, 0.03), small_network.data(192),
        report=lambda **values: None, save=lambda name: None,
    )  # fmt: skip
    return network


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_trained_network_predicts_the_same_classes_in_either_precision(
    trained: small_network.Network, precision: str
) -> None:
    unseen = small_network.data(4000, seed=9)
    pixels = np.concatenate([unseen.train_images, unseen.validation_images])
    wanted = trained.model.predict(pixels, verbose=0)
    found = predictor(trained.model, precision=precision)(pixels)
    assert np.mean(found.argmax(axis=1) == wanted.argmax(axis=1)) >= 0.999
    assert np.abs(found - wanted).max() <= (2e-3 if precision == "float32" else 2e-2)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_weights_that_change_between_calls_are_used(precision: str) -> None:
    model, other = unsettled(3, True, 0), unsettled(3, True, 5)
    predict = predictor(model, precision=precision)
    first = predict(images())
    assert (predict(images()) == predict(images())).all()
    model.set_weights(other.get_weights())
    np.testing.assert_allclose(predict(images()), predictor(other, precision=precision)(images()), atol=1e-6)
    assert np.abs(predict(images()) - first).max() > 1e-3


def test_prediction_changes_nothing_of_the_model() -> None:
    model = unsettled(2, True)
    before = [variable.numpy() for variable in model.variables]
    predictor(model)(images())
    for found, wanted in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(found.numpy(), wanted)


def test_no_images_are_no_probabilities() -> None:
    assert predictor(unsettled(1, True))(images()[:0]).shape == (0, 4)


def test_unless_told_bfloat16_is_for_machines_with_units_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    model = unsettled(1, True)
    exact = predictor(model, precision="float32")(images())
    for units in (False, True):
        monkeypatch.setattr(module, "multiplies_bfloat16", lambda units=units: units)
        assert (predictor(model)(images()) == exact).all() != units


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx2 avx512_bf16 rdpid", True), ("fpu amx_bf16 amx_tile", True), ("fpu avx2 avx512f", False), (None, False)],
)
def test_the_processors_flags_tell_of_units_for_bfloat16(tmp_path, flags, expected) -> None:
    path = tmp_path / "cpuinfo"
    if flags is not None:
        path.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: amx_bf16\n", encoding="utf-8")
    assert multiplies_bfloat16(path) is expected


def chain(*more: layers.Layer) -> keras.Model:
    x = inputs = keras.Input((8, 8, 3))
    for layer in more:
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (lambda: chain(layers.Conv2D(2, 3), layers.ReLU(), layers.BatchNormalization(name="late")), "late follows no"),
        (lambda: chain(layers.Conv2D(2, 3, activation="relu", name="c")), "c has another activation"),
        (lambda: chain(layers.BatchNormalization(name="n")), "n follows no"),
        (lambda: chain(layers.Conv2D(2, 3), layers.BatchNormalization(scale=False, name="n")), "n has no"),
        (lambda: chain(layers.SeparableConv2D(2, 3, name="other")), "other is a SeparableConv2D"),
        (lambda: chain(layers.Conv2D(2, 3, dilation_rate=2, name="c")), "c has another dilation_rate"),
        (lambda: chain(layers.ReLU(max_value=6, name="r")), "r has another max_value"),
        (lambda: branched(), "added"),
    ],
)
def test_a_model_of_another_kind_is_refused_in_one_line(model, named) -> None:
    with pytest.raises(ValueError, match=f"layer {named}.*; give a model of build_vgg$") as caught:
        fold(model())
    assert "\n" not in str(caught.value)


def branched() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    first = layers.Conv2D(3, 3, padding="same")(inputs)
    return keras.Model(inputs, layers.Add(name="added")([first, layers.ReLU(name="side")(first)]))
