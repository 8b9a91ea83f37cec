"""Where the heat is, against class activation mapping by the weights, which it must equal in a network of this shape."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from evidence.report.grad_cam import enlarged, feature_map, grad_cam, without_nesting
from model.vgg import build_vgg


def images(count: int, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def class_activation_map(model: keras.Model, name: str, photographs: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Zhou et al., CVPR 2016: the activations weighted by the dense layer, over their number, cut at zero."""
    activations = keras.Model(model.input, model.get_layer(name).output)(photographs.astype(np.float32)).numpy()
    kernel = model.get_layer("scores").get_weights()[0]
    maps = np.einsum("nhwk,nk->nhw", activations, kernel[:, classes].T)
    return np.maximum(maps, 0) / (activations.shape[1] * activations.shape[2])


@pytest.mark.parametrize("size", [16, 20], ids=["even", "odd"])
def test_in_the_networks_of_this_recipe_it_is_class_activation_mapping(size: int) -> None:
    model = build_vgg(size, classes=3, width=4, depth=3, seed=1)
    classes = np.array([0, 1, 2, 2, 0])
    heats = grad_cam(model, images(5, size), classes)
    wanted = class_activation_map(model, "block3_relu2", images(5, size), classes)
    assert heats.dtype == np.float32
    assert heats.any()
    np.testing.assert_allclose(heats, wanted, rtol=1e-4, atol=1e-6)


def test_a_class_for_which_one_channel_speaks_is_seen_where_that_channel_is() -> None:
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(2, 1, use_bias=False)(inputs)
    x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(2, use_bias=False)(x)
    model = keras.Model(inputs, layers.Softmax()(x))
    # The channels pass blue and red on; blue speaks for the first class, red for the second.
    model.set_weights([np.array([[[[1, 0], [0, 0], [0, 1]]]], np.float32), np.array([[2, -1], [-1, 3]], np.float32)])
    image = np.zeros((1, 6, 6, 3), np.uint8)
    image[0, 1, 2, 0], image[0, 4, 5, 2] = 90, 60
    both = np.concatenate([image, image])
    first, second = grad_cam(model, both, np.array([0, 1]))
    assert np.argwhere(first).tolist() == [[1, 2]]
    assert np.argwhere(second).tolist() == [[4, 5]]
    assert first[1, 2] == pytest.approx(90 * 2 / 36)
    assert second[4, 5] == pytest.approx(60 * 3 / 36)


def test_many_images_are_answered_as_one_by_one() -> None:
    model = build_vgg(16, width=4, depth=2)
    classes = np.arange(40) % 4
    heats = grad_cam(model, images(40), classes)
    np.testing.assert_allclose(heats[35:36], grad_cam(model, images(40)[35:36], classes[35:36]), rtol=1e-4, atol=1e-7)
    assert grad_cam(model, images(40)[:0], classes[:0]).shape == (0, 8, 8)


def test_a_softmax_within_the_last_layer_weighs_the_channels_by_the_logarithm_of_the_probability() -> None:
    inputs = keras.Input((6, 6, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 1, activation="relu", name="c")(inputs / 255))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="scores")(x))
    heats = grad_cam(model, images(2, 6), np.array([0, 1]))
    activations = keras.Model(inputs, model.get_layer("c").output)(images(2, 6).astype(np.float32)).numpy()
    kernel, chances = model.get_layer("scores").get_weights()[0], model(images(2, 6).astype(np.float32)).numpy()
    slopes = np.stack([kernel[:, c] - kernel @ chances[c] for c in (0, 1)])  # of log p by the pooled features
    np.testing.assert_allclose(
        heats, np.maximum(np.einsum("nhwk,nk->nhw", activations, slopes) / 36, 0), rtol=1e-3, atol=1e-7
    )


def conv(name: str, filters: int = 2) -> layers.Layer:
    return layers.Conv2D(filters, 3, padding="same", name=name)


def headed(inputs: object, x: object) -> keras.Model:
    return keras.Model(inputs, layers.Softmax()(layers.Dense(2)(layers.GlobalAveragePooling2D()(x))))


def test_the_last_map_of_branches_gates_poolings_and_nested_models_is_used() -> None:
    inputs = keras.Input((8, 8, 3))
    first = layers.Activation("swish", name="first")(conv("a")(inputs))
    gate = conv("g")(layers.GlobalAveragePooling2D(keepdims=True)(first))
    gated = layers.Multiply(name="gated")([first, gate])
    assert feature_map(headed(inputs, layers.AveragePooling2D(2)(gated))) is gated
    # Two branches that end in single places: what is before them is seen by both.
    ends = [layers.Conv2D(2, 8)(conv(name)(gated)) for name in "bc"]
    assert feature_map(headed(inputs, layers.Concatenate()(ends))) is gated
    within = keras.Sequential([keras.Input((8, 8, 3)), conv("d")], name="within")(inputs)
    assert feature_map(headed(inputs, within)) is within


def test_the_map_within_nested_models_is_used() -> None:
    inner = keras.Input((8, 8, 3))
    x = conv("d")(inner) + 1.0  # operations are copied too
    base = keras.Model(inner, layers.GlobalAveragePooling2D()(layers.BatchNormalization(name="last")(x)), name="base")
    base.get_layer("last").moving_mean.assign([0.5, -0.5])
    inputs = keras.Input((8, 8, 3))
    outer = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), base], name="outer")
    model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="scores")(outer(inputs, training=False)))
    assert feature_map(model) is None
    flat = without_nesting(model)
    photographs = images(2, 8).astype(np.float32)
    np.testing.assert_allclose(flat(photographs), model(photographs), atol=1e-6)
    # The same network, written in one graph with the same weights.
    x = layers.BatchNormalization()(conv("d")(layers.Rescaling(1 / 255)(inputs)) + 1.0)
    wanted = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
    wanted.set_weights(model.get_weights())
    classes = np.array([0, 1])
    np.testing.assert_allclose(grad_cam(flat, photographs, classes), grad_cam(wanted, photographs, classes), atol=1e-6)
    assert without_nesting(wanted) is wanted


def test_a_network_without_a_feature_map_is_refused() -> None:
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, layers.Softmax()(layers.Dense(2)(layers.Flatten()(layers.Rescaling(1 / 255)(inputs)))))
    assert feature_map(model) is None
    with pytest.raises(ValueError, match="no feature map"):
        grad_cam(model, np.zeros((1, 4, 4, 3)), np.array([0]))


def test_a_heat_is_brought_to_the_size_of_the_image_about_its_place() -> None:
    heat = np.zeros((4, 4), np.float32)
    heat[1, 2] = 1
    large = enlarged(heat, 64)
    rows, columns = np.indices(large.shape) + 0.5
    assert large.shape == (64, 64)
    assert ((large * rows).sum() / large.sum(), (large * columns).sum() / large.sum()) == pytest.approx((24, 40))
