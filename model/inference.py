"""From photographs, or prepared images, to predictions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dataprep.photograph import PhotographError, Preparation, prepare_array, prepare_blank

Predict = Callable[[Any], np.ndarray]


def predictor(model: keras.Model, batch_size: int = 32) -> Predict:
    """A function from prepared images, uint8 (n, size, size, 3), or rows of them, to probabilities, float32 (n, classes).

    It reads the model's weights as they are at each call. `model.predict` would do the same in more time, above all for few images.
    """
    shape = (None, *model.input_shape[1:])

    def forward(images: tf.Tensor) -> tf.Tensor:
        return model(tf.cast(images, tf.float32), training=False)

    step = tf.function(forward, input_signature=[tf.TensorSpec(shape, tf.uint8)])

    def predict(images: Any) -> np.ndarray:
        found = [step(images[i : i + batch_size]).numpy() for i in range(0, len(images), batch_size)]
        return np.concatenate(found) if found else np.zeros((0, model.output_shape[-1]), np.float32)

    return predict


def infer(data: Iterable[Any], predict: Predict, preparation: Preparation, batch_size: int = 32) -> list[int]:
    """Predict the class of each photograph, in order.

    Args:
        data: uint8 BGR arrays (height, width, 3). They are taken one at a time and none is kept, so a sequence that decodes each when it
            is asked for never has more than one in memory.
        predict: see `predictor`.
        preparation: as in training.
        batch_size: prepared images predicted at once.

    Returns:
        One int a photograph. What is no such array gets the prediction of a blank image, so that the count and the order hold; one
        warning on stderr says how many there were.
    """
    prepared = np.empty((batch_size, preparation.size, preparation.size, 3), np.uint8)
    predictions: list[int] = []
    unreadable: list[int] = []
    waiting = number = 0
    for number, image in enumerate(data, 1):
        try:
            prepared[waiting] = prepare_array(image, preparation)
        except PhotographError:
            prepared[waiting] = prepare_blank(preparation)
            unreadable.append(number - 1)
        waiting += 1
        if waiting == batch_size:
            predictions += classes_of(predict(prepared))
            waiting = 0
    predictions += classes_of(predict(prepared[:waiting]))
    if unreadable:
        print(_warning(unreadable, number), file=sys.stderr, flush=True)
    return predictions


def classes_of(probabilities: np.ndarray) -> list[int]:
    """The most probable class of each row, as Python ints, which every scorer takes."""
    return [int(number) for number in probabilities.argmax(axis=1)]


def _warning(unreadable: Sequence[int], total: int) -> str:
    return (
        f"warning: {len(unreadable)} of {total} photographs could not be used (the first is number {unreadable[0]}); "
        "they get the prediction of a blank image"
    )
