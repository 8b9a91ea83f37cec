"""Batch normalisation folded into the convolutions before it, for prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

Read = Callable[[Any], np.ndarray]

_CONVOLVED = (layers.Conv2D, layers.ReLU, layers.MaxPooling2D)
_OTHERS = (layers.Rescaling, layers.GlobalAveragePooling2D, layers.Dense, layers.Softmax)
# What the layers of `build_vgg` have in common, where they have it at all.
_PLAIN = {
    "activation": keras.activations.linear,
    "data_format": "channels_last",
    "dilation_rate": (1, 1),
    "groups": 1,
    "max_value": None,
    "negative_slope": 0.0,
    "threshold": 0.0,
}


def own_value(variable: Any) -> np.ndarray:
    """What a variable holds."""
    return np.asarray(variable.numpy())


def fold(model: keras.Model, precision: str = "float32") -> keras.Model:
    """A model that predicts what `model` predicts, of fewer layers and with weights of its own.

    In prediction a normalisation is a scale and a shift of each channel, which the convolution before it can bear itself (Jacob et al.,
    CVPR 2018, section 3.2). Dropout, which does nothing then, is left out. The scaling of the pixels stays a layer: within the first
    convolution it would be wrong along the border, where zeros are filled in after it.

    Args:
        model: of `build_vgg`, of any depth, with or without normalisation.
        precision: "float32" or "bfloat16", in which the convolutions and what lies between them compute; the pooled features and all
            after them are float32.

    Returns:
        A model from float32 (n, size, size, 3) in 0..255 to float32 probabilities (n, classes). Its weights are float32.

    Raises:
        ValueError: a layer that `build_vgg` does not make, or another order; the message names the layer.
    """
    inputs = keras.Input(model.input_shape[1:])
    x = inputs
    for layer, _ in _chain(model):
        config = layer.get_config()
        if isinstance(layer, _CONVOLVED):
            config["dtype"] = "mixed_bfloat16" if precision == "bfloat16" else "float32"
        else:
            config["dtype"] = "float32"
        if isinstance(layer, layers.Conv2D):
            config["use_bias"] = True
        x = type(layer).from_config(config)(x)
    folded = keras.Model(inputs, x, name="folded")
    folded.set_weights(folded_weights(model))
    return folded


def folded_weights(model: keras.Model, read: Read = own_value) -> list[np.ndarray]:
    """The weights that `fold` gives its model, float32, in the order of that model's `get_weights`. ValueError as from `fold`.

    `read` gives the value of a variable of `model`, its own unless something else is to predict.
    """
    found: list[np.ndarray] = []
    for layer, normalisation in _chain(model):
        weights = [read(variable) for variable in layer.weights]
        if isinstance(layer, layers.Conv2D):
            kernel = weights[0]
            bias = weights[1] if layer.use_bias else np.zeros((), np.float32)
            if normalisation is not None:
                scale, shift, mean, variance = (read(variable) for variable in normalisation.weights)
                scale = scale / np.sqrt(variance + np.float32(normalisation.epsilon))
                kernel, bias = kernel * scale, (bias - mean) * scale + shift
            weights = [kernel, np.broadcast_to(bias, kernel.shape[-1:])]
        found += weights
    return found


def _chain(model: keras.Model) -> list[tuple[Any, Any]]:
    """The layers that prediction needs, in order, each with the normalisation right after it, or None."""
    found: list[tuple[Any, Any]] = []
    before = model.layers[0]
    for layer in model.layers[1:]:
        if layer.input is not before.output:
            raise ValueError(f"layer {layer.name} does not follow {before.name} alone; give a model of build_vgg")
        if isinstance(layer, layers.BatchNormalization):
            if not isinstance(before, layers.Conv2D):
                raise ValueError(f"layer {layer.name} follows no convolution; give a model of build_vgg")
            if not (layer.center and layer.scale):
                raise ValueError(f"layer {layer.name} has no shift or no scale; give a model of build_vgg")
            found[-1] = before, layer
        elif isinstance(layer, (*_CONVOLVED, *_OTHERS)):
            if unlike := [name for name, value in _PLAIN.items() if getattr(layer, name, value) != value]:
                raise ValueError(f"layer {layer.name} has another {unlike[0]}; give a model of build_vgg")
            found.append((layer, None))
        elif not isinstance(layer, layers.Dropout):
            raise ValueError(f"layer {layer.name} is a {type(layer).__name__}; give a model of build_vgg")
        before = layer
    return found
