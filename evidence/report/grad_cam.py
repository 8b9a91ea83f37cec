"""Where a network looks for a class: Grad-CAM (Selvaraju et al., ICCV 2017, equations 1 and 2)."""

from __future__ import annotations

from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers

_AT_ONCE = 32


def grad_cam(model: keras.Model, images: Any, classes: np.ndarray) -> np.ndarray:
    """The heat of a class in each image: which places of the last convolution speak for it, after its ReLU.

    Each channel is weighted by the mean gradient of the class' score, before the softmax, over its places; the weighted sum is cut at
    zero. In a network that ends in an average and one dense layer, as `build_vgg` makes, that is class activation mapping (Zhou et al.,
    CVPR 2016).

    Args:
        model: of `build_vgg`: its last convolution is followed by a ReLU, its softmax is a layer of its own, the last.
        images: prepared, uint8 or float (n, size, size, 3).
        classes: int (n,), the class asked about in each.

    Returns:
        float32 (n, height, width) of that ReLU's grid, not negative; all zero if nothing speaks for the class. It is coarse:
        `enlarged` brings it to the image's size.

    Raises:
        ValueError: a model of another shape.
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


def _parts(model: keras.Model) -> keras.Model:
    """The same network with two outputs: the activations of the last convolution, and the scores before the softmax."""
    convolutions = [number for number, layer in enumerate(model.layers) if isinstance(layer, layers.Conv2D)]
    if not convolutions or not isinstance(model.layers[-1], layers.Softmax):
        raise ValueError("the network has no convolution, or does not end in a softmax; give a model of build_vgg")
    after = (layer for layer in model.layers[convolutions[-1] :] if isinstance(layer, layers.ReLU))
    activated = next(after, model.layers[convolutions[-1]])
    return keras.Model(model.input, [activated.output, model.layers[-1].input])


def _heat(parts: keras.Model, images: Any, classes: np.ndarray) -> np.ndarray:
    with tf.GradientTape() as tape:
        activations, scores = parts(tf.cast(images, tf.float32), training=False)
        of_class = tf.gather(scores, tf.constant(classes, tf.int32), batch_dims=1)
    # A photograph's score depends on its own activations only, so the gradient of all scores together holds each one's.
    gradients = tf.cast(tape.gradient(of_class, activations), tf.float32)
    weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    return np.asarray(tf.nn.relu(tf.reduce_sum(weights * tf.cast(activations, tf.float32), axis=-1)).numpy())
