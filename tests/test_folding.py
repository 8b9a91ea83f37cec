"""Batch normalisation folded into the convolutions, and the fast prediction by it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from model.efficientnet_lite import build_efficientnet_lite0
from model.predict.folding import nodes
from model.predict.predictor import Predictor
from model.vgg import build_vgg
from tests import small_network
from tests.small_network import train

SIZE = 64


def unsettled(depth: int, batch_norm: bool, seed: int = 0) -> keras.Model:
    """A network whose normalisations have moved away from where they start."""
    model = build_vgg(SIZE, width=4, depth=depth, batch_norm=batch_norm, seed=seed)
    return unsettle(model, seed)


def unsettle(model: keras.Model, seed: int) -> keras.Model:
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.3, 2, weight.shape) for weight in layer.get_weights()])
        elif isinstance(layer, layers.Conv2D) and layer.use_bias:
            layer.set_weights([layer.get_weights()[0], rng.uniform(-1, 1, layer.filters)])
    return model


def images(count: int = 7, size: int = SIZE) -> np.ndarray:
    # Lit on some sides and dark on others: what is wrong along the border shows.
    result = np.random.default_rng(1).integers(0, 256, (count, size, size, 3)).astype(np.uint8)
    result[::2] //= 8
    return result


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("depth", range(1, 7))
def test_a_folded_model_predicts_the_same_without_normalisation(depth: int, batch_norm: bool) -> None:
    model = unsettled(depth, batch_norm)
    wanted = model(images().astype("float32"), training=False).numpy()
    remaining = [node.layer for node in nodes(model)]
    assert not any(isinstance(layer, layers.BatchNormalization | layers.Dropout) for layer in remaining)
    predict = Predictor(model, batch_size=3)
    for _ in range(2):  # the second time by constants
        np.testing.assert_allclose(predict(images()), wanted, atol=1e-5)


@pytest.mark.parametrize("size", [64, 75])
def test_a_folded_depthwise_network_predicts_the_same(size: int) -> None:
    model = unsettle(build_efficientnet_lite0(size, 3, seed=1), 1)
    wanted = model(images(5, size).astype("float32"), training=False).numpy()
    assert not any(isinstance(node.layer, layers.BatchNormalization) for node in nodes(model))
    predict = Predictor(model, batch_size=3)
    for _ in range(2):
        np.testing.assert_allclose(predict(images(5, size)), wanted, atol=1e-4)
    assert wanted.std(axis=0).max() > 1e-3, "these probabilities would be the same of any network"


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("depth", range(1, 7))
def test_bfloat16_predicts_nearly_the_same_at_every_depth(depth: int, batch_norm: bool) -> None:
    model = unsettled(depth, batch_norm)
    wanted = model(images().astype("float32"), training=False).numpy()
    predict = Predictor(model, batch_size=3, precision="bfloat16")
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
    probabilities = Predictor(trained.model, precision=precision)(pixels)
    assert np.mean(probabilities.argmax(axis=1) == wanted.argmax(axis=1)) >= 0.999
    assert np.abs(probabilities - wanted).max() <= (2e-3 if precision == "float32" else 2e-2)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_weights_that_change_between_calls_are_used(precision: str) -> None:
    model, other = unsettled(3, True, 0), unsettled(3, True, 5)
    predict = Predictor(model, precision=precision)
    first = predict(images())
    assert (predict(images()) == predict(images())).all()
    model.set_weights(other.get_weights())
    np.testing.assert_allclose(predict(images()), Predictor(other, precision=precision)(images()), atol=1e-6)
    assert np.abs(predict(images()) - first).max() > 1e-3


def test_prediction_changes_nothing_of_the_model() -> None:
    model = unsettled(2, True)
    before = [variable.numpy() for variable in model.variables]
    Predictor(model)(images())
    for value, wanted in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(value.numpy(), wanted)


def test_no_images_are_no_probabilities() -> None:
    assert Predictor(unsettled(1, True))(images()[:0]).shape == (0, 4)


def test_the_default_precision_is_float32() -> None:
    model = unsettled(1, True)
    assert (Predictor(model)(images()) == Predictor(model, precision="float32")(images())).all()


def chain(*more: layers.Layer) -> keras.Model:
    x = inputs = keras.Input((8, 8, 3))
    for layer in more:
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (
            lambda: chain(layers.Conv2D(2, 3), layers.ReLU(), layers.BatchNormalization(name="late")),
            "late does not follow",
        ),
        (lambda: chain(layers.Conv2D(2, 3, activation="relu", name="c")), "c has another activation"),
        (lambda: chain(layers.BatchNormalization(name="n")), "n does not follow"),
        (
            lambda: chain(layers.Conv2D(2, 3), layers.BatchNormalization(), layers.BatchNormalization(name="n")),
            "n does not follow",
        ),
        (lambda: chain(layers.Conv2D(2, 3), layers.BatchNormalization(scale=False, name="n")), "n does not shift"),
        (lambda: chain(layers.Conv2D(2, 3), layers.BatchNormalization(axis=1, name="n")), "n does not shift"),
        (lambda: chain(layers.SeparableConv2D(2, 3, name="other")), "other is a SeparableConv2D"),
        (lambda: chain(Doubled(2, 3, name="other")), "other is a Doubled"),
        (lambda: chain(layers.GlobalAveragePooling2D(), layers.Dense(2, use_bias=False, name="d")), "d has no bias"),
        (
            lambda: chain(lambda x: x / 255, layers.Conv2D(2, 3, name="c")),
            "c has an input that is not the output of a layer",
        ),
        (
            lambda: chain(*[layers.Conv2D(3, 3, name="c")] * 2, layers.ReLU(name="r")),
            "r has an input that is not the output of a layer",
        ),
        (lambda: chain(keras.Sequential([layers.Conv2D(2, 3)], name="inner")), "inner is a Sequential"),
        (lambda: broadened(), "added adds different shapes"),
        (lambda: chain(layers.Conv2D(2, 3, dilation_rate=2, name="c")), "c has another dilation_rate"),
        (lambda: chain(layers.DepthwiseConv2D(3, depth_multiplier=2, name="d")), "d has another depth_multiplier"),
        (lambda: branched(), "n follows a convolution with other readers"),
    ],
)
def test_a_model_that_cannot_be_folded_predicts_as_it_is(model, named) -> None:
    made = unsettle(model(), 0)
    with pytest.raises(ValueError, match=f"^layer {named}"):
        nodes(made)
    predict = Predictor(made, batch_size=3)
    for _ in range(2):
        np.testing.assert_allclose(
            predict(images(5, 8)), made(images(5, 8).astype("float32"), training=False), rtol=1e-4, atol=1e-4
        )
    made.set_weights([weight * 1.5 for weight in made.get_weights()])
    np.testing.assert_allclose(
        predict(images(5, 8)), made(images(5, 8).astype("float32"), training=False), rtol=1e-4, atol=1e-4
    )


def test_convolutions_of_a_model_that_cannot_be_folded_are_computed_in_bfloat16_too() -> None:
    made = unsettle(chain(lambda x: x / 255, layers.Conv2D(8, 3), layers.GlobalAveragePooling2D(), layers.Softmax()), 0)
    exact, near = Predictor(made)(images(5, 8)), Predictor(made, precision="bfloat16")(images(5, 8))
    np.testing.assert_array_equal(exact, made.predict(images(5, 8).astype("float32"), verbose=0))
    assert 1e-6 < np.abs(near - exact).max() < 1e-2
    assert near.dtype == np.float32
    assert made.layers[1].compute_dtype == "float32"


class Doubled(layers.Conv2D):
    """A convolution that computes something else."""

    def call(self, inputs):
        return 2 * super().call(inputs)


def broadened() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(inputs)
    return keras.Model(inputs, layers.Add(name="added")([inputs, squeezed]))


def branched() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    first = layers.Conv2D(3, 3, padding="same")(inputs)
    return keras.Model(inputs, layers.Add(name="added")([layers.BatchNormalization(name="n")(first), first]))
