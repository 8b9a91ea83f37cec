"""The network's shape, its start, and what it refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from model.vgg import build_vgg


def photographs(count: int = 3, size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, size, size, 3)).astype("float32")


def test_it_gives_a_probability_for_each_class() -> None:
    built = build_vgg(32, classes=5, width=4, depth=3)(photographs()).numpy()
    assert built.shape == (3, 5)
    assert built.dtype == np.float32
    np.testing.assert_allclose(built.sum(axis=1), 1, rtol=1e-6)


def test_it_has_the_convolutions_of_configuration_a_of_the_paper() -> None:
    model = build_vgg(64, width=64, depth=5)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [64, 128, 256, 256, 512, 512, 512, 512]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}


def test_its_probabilities_stay_float32_under_mixed_precision() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_vgg(32, width=4, depth=3)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("block1_conv1").compute_dtype == "bfloat16"
    assert model(photographs()).dtype == "float32"


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first, again, other = (build_vgg(32, width=4, depth=2, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_its_weights_start_with_the_deviation_of_he_and_others() -> None:
    model = build_vgg(32, width=32, depth=3)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.name != "block1_conv1":
            kernel = layer.get_weights()[0]
            assert kernel.std() == pytest.approx(np.sqrt(2 / np.prod(kernel.shape[:3])), rel=0.05)


def test_dropout_acts_in_training_only() -> None:
    model = build_vgg(32, width=4, depth=2, dropout=0.5)
    assert np.array_equal(model(photographs(), training=False), model(photographs(), training=False))
    assert not np.array_equal(model(photographs(), training=True), model(photographs(), training=True))


def test_without_batch_norm_the_convolutions_have_biases() -> None:
    model = build_vgg(32, width=4, depth=2, batch_norm=False)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)
    assert model.get_layer("block1_conv1").use_bias


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^image_size is 16; .*give at least 32"):
        build_vgg(16, depth=5)
