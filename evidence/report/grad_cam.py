"""Heat maps of a class: Grad-CAM (Selvaraju et al., ICCV 2017, equations 1 and 2)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers

_AT_ONCE = 32
# Layers whose output is not a new feature map: a coarser copy, or a copy with dropout.
_PASSING = (layers.MaxPooling2D, layers.AveragePooling2D, layers.Dropout)


def grad_cam(model: keras.Model, images: Any, classes: np.ndarray) -> np.ndarray:
    """The heat of a class in each image: the places of the last feature map that support the class.

    Each channel is weighted by the mean gradient of the class' score over its places; negative sums are set to zero. The score is the
    input of the softmax if that is a separate layer, else the logarithm of the probability. For a network that ends with an average and
    one dense layer, such as `build_vgg`, this is class activation mapping (Zhou et al., CVPR 2016).

    Args:
        model: a functional model from images to probabilities.
        images: prepared images, uint8 or float (n, size, size, 3).
        classes: class for each image, int (n,).

    Returns:
        Heats on the grid of the feature map, float32 (n, height, width), not negative; all zero if nothing supports the class. `enlarged`
        interpolates a heat to the size of the image.

    Raises:
        ValueError: the model has no feature map.
    """
    parts = _parts(model)
    heats = [
        _heat(parts, images[start : start + _AT_ONCE], classes[start : start + _AT_ONCE])
        for start in range(0, len(images), _AT_ONCE)
    ]
    return np.concatenate(heats) if heats else np.zeros((0, *parts.outputs[0].shape[1:3]), np.float32)


def enlarged(heat: np.ndarray, size: int) -> np.ndarray:
    """A heat of one image, float32 (height, width), interpolated to (size, size)."""
    return np.asarray(cv2.resize(heat, (size, size), interpolation=cv2.INTER_LINEAR))


def feature_map(model: keras.Model) -> Any:
    """The tensor of the last feature map of a functional model, (n, height, width, channels) with more than one place, or None.

    Tensors before the first weights, such as scaled pixels, and outputs of pooling do not count. A map through which all paths go is
    preferred to a later map of a single branch.
    """
    readers = Counter(id(tensor) for operation in model.operations for tensor in _inputs(operation))
    last = whole = None
    weights = False
    waiting: dict[int, int] = {}  # number of remaining readers of each tensor
    for operation in model.operations:
        for tensor in _inputs(operation):
            waiting[id(tensor)] = waiting.get(id(tensor), 0) - 1
        tensor = operation.output
        waiting = {key: count for key, count in waiting.items() if count} | {id(tensor): readers[id(tensor)]}
        weights = weights or bool(getattr(operation, "weights", None))
        shape = getattr(tensor, "shape", ())
        if weights and len(shape) == 4 and shape[1:3] != (1, 1) and not isinstance(operation, _PASSING):
            last, whole = tensor, tensor if len(waiting) == 1 else whole
    return last if whole is None else whole


def without_nesting(model: keras.Model) -> keras.Model:
    """A copy of a functional model with the layers of nested models in its own graph, where `feature_map` finds them.

    The model itself if nothing is nested, or a layer cannot be copied: one without `get_config`.
    """
    if not any(map(_nests, model.layers)):
        return model
    copies: dict[int, tuple[Any, Any]] = {}

    def copied(operation: Any) -> Any:
        if _nests(operation):
            return operation
        if id(operation) not in copies:
            copies[id(operation)] = operation, type(operation).from_config(operation.get_config())
        return copies[id(operation)][1]

    def called(operation: Any, *args: Any, **kwargs: Any) -> Any:
        return run(operation, args[0]) if _nests(operation) else operation(*args, **kwargs)

    def run(graph: Any, inputs: Any) -> Any:
        # keras.models.clone_model, which does the same for one graph, cannot start at a tensor within another.
        if isinstance(graph, keras.Sequential):  # has no graph of its own
            graph = keras.Model(graph.inputs[0], graph.outputs[0])
        return graph._run_through_graph(inputs, copied, call_fn=called)

    inputs = keras.Input(model.input_shape[1:])
    try:
        flat = keras.Model(inputs, run(model, inputs))
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return model
    for operation, copy in copies.values():
        if isinstance(operation, layers.Layer):
            copy.set_weights(operation.get_weights())
    return flat


def _nests(layer: Any) -> bool:
    return bool(hasattr(layer, "layers") and getattr(layer, "inputs", None))


def _inputs(operation: Any) -> list[Any]:
    return [] if isinstance(operation, layers.InputLayer) else keras.tree.flatten(operation.input)


def _parts(model: keras.Model) -> keras.Model:
    """The same network with two outputs: its last feature map, and the scores (log probabilities without a separate softmax)."""
    last_map, last = feature_map(model), model.layers[-1]
    if last_map is None:
        raise ValueError("the network has no feature map of more than one place")
    separate = isinstance(last, layers.Softmax) and last.output is model.output
    return keras.Model(model.input, [last_map, last.input if separate else keras.ops.log(model.output + 1e-7)])


def _heat(parts: keras.Model, images: Any, classes: np.ndarray) -> np.ndarray:
    with tf.GradientTape() as tape:
        activations, scores = parts(tf.cast(images, tf.float32), training=False)
        of_class = tf.gather(scores, tf.constant(classes, tf.int32), batch_dims=1)
    # A photograph's score depends on its own activations only, so one gradient of all scores gives the gradient of each.
    gradients = tf.cast(tape.gradient(of_class, activations, unconnected_gradients="zero"), tf.float32)
    weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    return np.asarray(tf.nn.relu(tf.reduce_sum(weights * tf.cast(activations, tf.float32), axis=-1)).numpy())
