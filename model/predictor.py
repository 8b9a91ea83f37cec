"""Probabilities from prepared images, in less time than `model.predict` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from .folding import Read, fold, folded_weights, own_value
from .hardware import multiplies_bfloat16

Predict = Callable[..., np.ndarray]


def predictor(
    model: keras.Model, batch_size: int = 32, precision: str | None = None, read: Read = own_value
) -> Predict:
    """A function from prepared images, uint8 (n, size, size, 3), or rows of them, to probabilities, float32 (n, classes).

    It reads the model's weights as they are at each call, on which they may have changed.

    Args:
        model: of `build_vgg`, see `fold`. ValueError at the first call where it is another.
        batch_size: images computed at once.
        precision: "float32" or "bfloat16" for the convolutions; unless given, bfloat16 where the machine has matrix units for it. The
            probabilities of a trained network then differ by 1e-3 to 5e-2, most where it hesitates.
        read: gives the value with which a variable of the model predicts; unless given, its own.
    """
    return _Predictor(model, batch_size, precision, read)


class _Predictor:
    """Folds at the first call, and folds the weights anew where they have changed since the last."""

    def __init__(self, model: keras.Model, batch_size: int, precision: str | None, read: Read) -> None:
        self.model, self.batch_size, self.precision, self.read = model, batch_size, precision, read
        self.weights: list[np.ndarray] = []
        self.folded: keras.Model | None = None
        self.step: Any = None
        self.frozen: Any = None

    def __call__(self, images: Any) -> np.ndarray:
        step = self._current_step()
        found = [
            step(tf.constant(images[i : i + self.batch_size])).numpy() for i in range(0, len(images), self.batch_size)
        ]
        return np.concatenate(found) if found else np.zeros((0, self.model.output_shape[-1]), np.float32)

    def _current_step(self) -> Any:
        if self.folded is None:
            self.precision = self.precision or ("bfloat16" if multiplies_bfloat16() else "float32")
            self.folded = fold(self.model, self.precision)
            self.step = _function(self.folded, self.folded.weights)
        weights = [self.read(variable) for variable in self.model.weights]
        if not _same(weights, self.weights):
            self.folded.set_weights(folded_weights(self.model, self.read))
            self.weights, self.frozen = weights, None
        elif self.precision == "bfloat16":
            # Constants spare bfloat16 a conversion of all weights at each call; float32 gains nothing by them. Tracing takes a
            # part of a second, so it is not done while weights change from call to call, as in training.
            self.frozen = self.frozen or _function(self.folded, self.folded.get_weights())
            return self.frozen
        return self.step


def _function(folded: keras.Model, weights: list[Any]) -> Any:
    """`folded` as a compiled function from uint8 images, with weights that are variables, or arrays, which become constants."""

    def forward(images: tf.Tensor) -> tf.Tensor:
        return _forward(folded.layers[1:], iter(weights), tf.cast(images, tf.float32))

    return tf.function(forward, input_signature=[tf.TensorSpec((None, *folded.input_shape[1:]), tf.uint8)])


def _forward(chain: Iterable[Any], weights: Any, x: tf.Tensor) -> tf.Tensor:
    """What the layers would compute, in operations that TensorFlow makes one of: a convolution, its bias and the ReLU after it.

    Keras adds the bias by an addition of another shape, which TensorFlow leaves as an extra pass over the pixels.
    """
    for layer in chain:
        if isinstance(layer, layers.Conv2D):
            kernel, bias = (tf.cast(next(weights), layer.compute_dtype) for _ in range(2))
            x = tf.nn.conv2d(tf.cast(x, kernel.dtype), kernel, layer.strides, layer.padding.upper())
            x = tf.nn.bias_add(x, bias)
        elif isinstance(layer, layers.Dense):
            x = tf.matmul(x, next(weights)) + next(weights)
        else:
            x = layer(x)
    return x


def _same(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return len(some) == len(others) and all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))
