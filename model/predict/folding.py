"""Batch normalisation folded into the convolutions before it, for prediction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

Read = Callable[[Any], np.ndarray]

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)

_CONVOLVED = (layers.Conv2D, layers.DepthwiseConv2D, layers.ReLU, layers.MaxPooling2D, layers.Add)
_OTHERS = (layers.Rescaling, layers.GlobalAveragePooling2D, layers.Dense, layers.Softmax)
_IDLE = (layers.Dropout, layers.SpatialDropout2D)  # in prediction
# What the layers of our networks have in common, where they have it at all.
_PLAIN = {
    "activation": keras.activations.linear,
    "data_format": "channels_last",
    "depth_multiplier": 1,
    "dilation_rate": (1, 1),
    "groups": 1,
    "negative_slope": 0.0,
    "threshold": 0.0,
}


@dataclass
class Node:
    """A layer that prediction needs, the normalisation right after it, and the places of the nodes that feed it; -1 is the input."""

    layer: Any
    normalisation: Any
    sources: list[int]


def own_value(variable: Any) -> np.ndarray:
    """What a variable holds."""
    return np.asarray(variable.numpy())


def folded_weights(model: keras.Model, read: Read = own_value) -> list[np.ndarray]:
    """The weights of the `nodes`, float32, in their order, each normalisation within the convolution before it.

    In prediction a normalisation is a scale and a shift of each channel, which the convolution before it can bear itself (Jacob et al.,
    CVPR 2018, section 3.2). The scaling of the pixels stays a layer: within the first convolution it would be wrong along the border,
    where zeros are filled in after it. `read` gives the value of a variable of `model`, its own unless something else is to predict.
    ValueError as from `nodes`.
    """
    found: list[np.ndarray] = []
    for node in nodes(model):
        weights = [read(variable) for variable in node.layer.weights]
        if isinstance(node.layer, CONVOLUTIONS):
            kernel = weights[0]
            bias = weights[1] if node.layer.use_bias else np.zeros((), np.float32)
            depthwise = isinstance(
                node.layer, layers.DepthwiseConv2D
            )  # its channels are the last axis but one, the last is 1
            if node.normalisation is not None:
                scale, shift, mean, variance = (read(variable) for variable in node.normalisation.weights)
                scale = scale / np.sqrt(variance + np.float32(node.normalisation.epsilon))
                kernel, bias = kernel * (scale[:, None] if depthwise else scale), (bias - mean) * scale + shift
            weights = [kernel, np.broadcast_to(bias, kernel.shape[-2:-1] if depthwise else kernel.shape[-1:])]
        found += weights
    return found


def nodes(model: keras.Model) -> list[Node]:
    """The layers that prediction needs, in the order in which they compute; the last gives the probabilities.

    Dropout, which does nothing then, is left out. ValueError, which names the layer, where one is of another kind than those of
    `build_vgg` and `build_efficientnet_lite0`, or a normalisation has no convolution of its own before it.
    """
    if len(model.inputs) != 1 or model.layers[0].output is not model.inputs[0]:
        raise ValueError("it does not begin with its one input")
    readers = Counter(id(tensor) for layer in model.layers[1:] for tensor in _inputs(layer))
    places = {id(model.layers[0].output): -1}
    found: list[Node] = []
    for layer in model.layers[1:]:
        # A subclass may compute anything, so the kinds are exact.
        kind = type(layer)
        try:
            sources = [places[id(tensor)] for tensor in _inputs(layer)]
        except KeyError:  # an operation such as `x / 255`, or a layer that is used twice
            raise ValueError(f"layer {layer.name} reads what no layer gives") from None
        if kind is layers.BatchNormalization:
            before = found[sources[0]] if sources[0] >= 0 else None
            if before is None or not isinstance(before.layer, CONVOLUTIONS) or before.normalisation is not None:
                raise ValueError(f"layer {layer.name} follows no convolution")
            if readers[id(layer.input)] > 1:
                raise ValueError(f"layer {layer.name} follows a convolution that others read too")
            if not (layer.center and layer.scale) or layer.axis not in (-1, 3):
                raise ValueError(f"layer {layer.name} has no shift or no scale of its channels")
            before.normalisation = layer
        elif kind in (*_CONVOLVED, *_OTHERS):
            if unlike := [name for name, value in _PLAIN.items() if getattr(layer, name, value) != value]:
                raise ValueError(f"layer {layer.name} has another {unlike[0]}")
            if kind is layers.Dense and not layer.use_bias:
                raise ValueError(f"layer {layer.name} has no bias")
            if kind is layers.Add and len({tensor.shape for tensor in _inputs(layer)}) > 1:
                raise ValueError(f"layer {layer.name} adds different shapes")
            found.append(Node(layer, None, sources))
        elif kind not in _IDLE:
            raise ValueError(f"layer {layer.name} is a {kind.__name__}")
        kept = kind is layers.BatchNormalization or kind in _IDLE
        places[id(layer.output)] = sources[0] if kept else len(found) - 1
    if len(model.outputs) != 1 or places.get(id(model.outputs[0])) != len(found) - 1:
        raise ValueError("its probabilities are not what its last layer gives")
    return found


def _inputs(layer: Any) -> list[Any]:
    return layer.input if isinstance(layer.input, list) else [layer.input]


def all_layers(model: Any) -> Iterator[Any]:
    """The layers of a model, and those of the models within it."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from all_layers(layer)
        else:
            yield layer
