"""Probabilities from prepared images, faster than `model.predict`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from .folding import Node, Read, all_layers, folded_weights, nodes, own_value

Predict = Callable[..., np.ndarray]

_CONVOLVE = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)


class Predictor:
    """A function from prepared images, uint8 (n, size, size, 3), as an array or `Rows`, to probabilities, float32 (n, classes).

    Each call uses the model's current weights: they are folded again whenever they have changed. Batch normalisation is folded
    into convolutions, see `model.predict.folding`; models with other layers than supported there are computed unchanged.

    Args:
        model: a model with one input and one output.
        batch_size: number of images computed at once.
        precision: "float32", or "bfloat16" for the convolutions, for machines with bfloat16 matrix units: probabilities of a trained
            network then differ by 1e-3 to 5e-2, most for uncertain predictions. Independent of the training's precision.
        read: function from a variable of the model to its value for prediction; default: its own value.
    """

    def __init__(
        self, model: keras.Model, batch_size: int = 32, precision: str = "float32", read: Read = own_value
    ) -> None:
        self.model, self.batch_size, self.precision, self.read = model, batch_size, precision, read
        self.weights: list[np.ndarray] = []
        self.nodes: list[Node] | None = None
        self.variables: list[tf.Variable] = []
        self.step: Any = None
        self.frozen: Any = None

    def __call__(self, images: Any) -> np.ndarray:
        step = self._current_step()
        batches = [
            step(tf.constant(images[i : i + self.batch_size])).numpy() for i in range(0, len(images), self.batch_size)
        ]
        return np.concatenate(batches) if batches else np.zeros((0, self.model.output_shape[-1]), np.float32)

    def _current_step(self) -> Any:
        weights = [self.read(variable) for variable in self.model.weights]
        if self.step is None:
            try:
                self.nodes = nodes(self.model)
            except ValueError:
                self.nodes = None
            self.variables = [tf.Variable(value) for value in self._values(weights)]
            self.step = self._function(self.variables)
        elif not all(map(np.array_equal, weights, self.weights)):
            for variable, value in zip(self.variables, self._values(weights), strict=True):
                variable.assign(value)
            self.frozen = None
        elif self.nodes is not None:
            # Constants save a pass over all weights at each call. Tracing takes a fraction of a second, so not while weights change
            # from call to call, as in training.
            self.frozen = self.frozen or self._function([variable.numpy() for variable in self.variables])
        self.weights = weights
        return self.frozen or self.step

    def _values(self, weights: list[np.ndarray]) -> list[np.ndarray]:
        return weights if self.nodes is None else folded_weights(self.nodes, self.read)

    def _function(self, weights: list[Any]) -> Any:
        """The model as a compiled function from uint8 images. `weights`: variables, or arrays, which become constants."""

        def forward(images: tf.Tensor) -> tf.Tensor:
            pixels = tf.cast(images, tf.float32)
            if self.nodes is not None:
                return _forward(self.nodes, iter(weights), pixels, self.precision)
            return self._as_it_is(pixels, weights)

        return tf.function(forward, input_signature=[tf.TensorSpec((None, *self.model.input_shape[1:]), tf.uint8)])

    def _as_it_is(self, pixels: tf.Tensor, weights: list[Any]) -> Any:
        """The output of the unchanged model. The precision of its layers is changed while TensorFlow traces them."""
        policies = [(layer, layer.dtype_policy) for layer in all_layers(self.model)]
        try:
            for layer, policy in policies:
                convolves = isinstance(layer, _CONVOLVE) and self.precision != "float32"
                if convolves or policy.compute_dtype != policy.variable_dtype:
                    layer.dtype_policy = f"mixed_{self.precision}" if convolves else policy.variable_dtype
            values = {id(variable): value for variable, value in zip(self.model.weights, weights, strict=True)}
            trained, others = (
                [values.get(id(variable), variable) for variable in variables]
                for variables in (self.model.trainable_variables, self.model.non_trainable_variables)
            )
            return self.model.stateless_call(trained, others, pixels, training=False)[0]
        finally:
            for layer, policy in policies:
                layer.dtype_policy = policy


def _forward(graph: list[Node], weights: Any, images: tf.Tensor, precision: str) -> tf.Tensor:
    """The output of the layers, by operations that TensorFlow fuses: a convolution, its bias and the ReLU after it.

    Keras adds the bias by a broadcast addition, which TensorFlow does not fuse.
    """
    outputs = {-1: images}
    for number, node in enumerate(graph):
        layer, x = node.layer, outputs[node.sources[0]]
        if isinstance(layer, layers.DepthwiseConv2D):
            kernel, bias = (tf.cast(next(weights), precision) for _ in range(2))
            x = tf.nn.depthwise_conv2d(tf.cast(x, precision), kernel, (1, *layer.strides, 1), layer.padding.upper())
            x = tf.nn.bias_add(x, bias)
        elif isinstance(layer, layers.Conv2D):
            kernel, bias = (tf.cast(next(weights), precision) for _ in range(2))
            x = tf.nn.conv2d(tf.cast(x, precision), kernel, layer.strides, layer.padding.upper())
            x = tf.nn.bias_add(x, bias)
        elif isinstance(layer, layers.ReLU):
            x = {None: tf.nn.relu, 6: tf.nn.relu6}.get(layer.max_value, layer)(x)
        elif isinstance(layer, layers.MaxPooling2D):
            x = tf.nn.max_pool2d(x, layer.pool_size, layer.strides, layer.padding.upper())
        elif isinstance(layer, layers.Add):
            x = tf.add_n([outputs[source] for source in node.sources])
        elif isinstance(layer, layers.Dense):
            x = tf.matmul(tf.cast(x, tf.float32), next(weights)) + next(weights)
        else:
            x = layer(tf.cast(x, tf.float32))
        outputs[number] = x
    return outputs[number]
