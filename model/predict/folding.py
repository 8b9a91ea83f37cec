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
_SUPPORTED = (
    *CONVOLUTIONS, layers.ReLU, layers.MaxPooling2D, layers.Add, layers.Rescaling, layers.GlobalAveragePooling2D, layers.Dense,
    layers.Softmax,
)  # fmt: skip
_IDLE = (layers.Dropout, layers.SpatialDropout2D)  # in prediction
# Required values of layers' attributes, if a layer has them.
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
    """A layer for prediction, the normalisation right after it, and the numbers of its input nodes; -1 is the model's input."""

    layer: Any
    normalisation: Any
    sources: list[int]


def own_value(variable: Any) -> np.ndarray:
    """The value of a variable."""
    return np.asarray(variable.numpy())


def folded_weights(graph: list[Node], read: Read) -> list[np.ndarray]:
    """The weights of a model's `nodes`, float32, in order, with each normalisation folded into the convolution before it.

    In prediction, a normalisation scales and shifts each channel, which the convolution before it can do itself (Jacob et al., CVPR 2018,
    section 3.2). The scaling of the pixels stays a layer: folded into the first convolution, it would be wrong at the border, which is
    padded with zeros after scaling. `read`: function from a variable to its value.
    """
    folded: list[np.ndarray] = []
    for node in graph:
        weights = [read(variable) for variable in node.layer.weights]
        if isinstance(node.layer, CONVOLUTIONS):
            kernel = weights[0]
            bias = weights[1] if node.layer.use_bias else np.zeros((), np.float32)
            # The kernel's channels are the last axis; of a depthwise convolution, the last but one.
            depthwise = isinstance(node.layer, layers.DepthwiseConv2D)
            if node.normalisation is not None:
                scale, shift, mean, variance = (read(variable) for variable in node.normalisation.weights)
                scale = scale / np.sqrt(variance + np.float32(node.normalisation.epsilon))
                kernel, bias = kernel * (scale[:, None] if depthwise else scale), (bias - mean) * scale + shift
            weights = [kernel, np.broadcast_to(bias, kernel.shape[-2:-1] if depthwise else kernel.shape[-1:])]
        folded += weights
    return folded


def nodes(model: keras.Model) -> list[Node]:
    """The layers for prediction, in order of computation; the last computes the probabilities. Dropout is left out.

    Raises:
        ValueError: a layer is of another kind than those of `build_vgg` and `build_efficientnet_lite0`, or a normalisation does not
            follow its own convolution. The message names the layer.
    """
    if len(model.inputs) != 1 or model.layers[0].output is not model.inputs[0]:
        raise ValueError("it does not begin with a single input")
    readers = Counter(id(tensor) for layer in model.layers[1:] for tensor in _inputs(layer))
    places = {id(model.layers[0].output): -1}
    result: list[Node] = []
    for layer in model.layers[1:]:
        # The exact type, as a subclass may compute anything.
        kind = type(layer)
        try:
            sources = [places[id(tensor)] for tensor in _inputs(layer)]
        except KeyError:  # an operation such as `x / 255`, or a layer that is used twice
            raise ValueError(f"layer {layer.name} has an input that is not the output of a layer") from None
        if kind is layers.BatchNormalization:
            before = result[sources[0]] if sources[0] >= 0 else None
            if before is None or not isinstance(before.layer, CONVOLUTIONS) or before.normalisation is not None:
                raise ValueError(f"layer {layer.name} does not follow a convolution")
            if readers[id(layer.input)] > 1:
                raise ValueError(f"layer {layer.name} follows a convolution with other readers")
            if not (layer.center and layer.scale) or layer.axis not in (-1, 3):
                raise ValueError(f"layer {layer.name} does not shift and scale channels")
            before.normalisation = layer
        elif kind in _SUPPORTED:
            if unlike := [name for name, value in _PLAIN.items() if getattr(layer, name, value) != value]:
                raise ValueError(f"layer {layer.name} has another {unlike[0]}")
            if kind is layers.Dense and not layer.use_bias:
                raise ValueError(f"layer {layer.name} has no bias")
            if kind is layers.Add and len({tensor.shape for tensor in _inputs(layer)}) > 1:
                raise ValueError(f"layer {layer.name} adds different shapes")
            result.append(Node(layer, None, sources))
        elif kind not in _IDLE:
            raise ValueError(f"layer {layer.name} is a {kind.__name__}")
        is_skipped = kind is layers.BatchNormalization or kind in _IDLE
        places[id(layer.output)] = sources[0] if is_skipped else len(result) - 1
    if len(model.outputs) != 1 or places.get(id(model.outputs[0])) != len(result) - 1:
        raise ValueError("its output is not the output of its last layer")
    return result


def _inputs(layer: Any) -> list[Any]:
    return layer.input if isinstance(layer.input, list) else [layer.input]


def all_layers(model: Any) -> Iterator[Any]:
    """The layers of a model, including those within nested models and layers."""
    # Keras has no public function that also finds the layers within a layer of one's own.
    return (layer for layer in model._flatten_layers(include_self=False) if not hasattr(layer, "layers"))
