"""The floor: the example network of the competition, written from its description.

Whole photographs are shrunk to squares by INTER_AREA. Five convolutions with large kernels and two dense layers are trained by stochastic
gradient descent, without augmentation, for ten epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dataprep.header import PhotographError
from dataprep.pixels import read_file

if TYPE_CHECKING:
    import keras

    from model.predict.predictor import Predict


@dataclass(frozen=True)
class SampleCnn:
    """Settings of its training, with the example's values."""

    epochs: int = 10
    batch_size: int = 8
    learning_rate: float = 1e-4
    momentum: float = 0.9


def build_sample_cnn(size: int, classes: int) -> keras.Model:
    """From float32 (n, size, size, 3) in 0..1 to probabilities (n, classes). The third convolution has no normalisation."""
    import keras
    from keras import layers

    x = inputs = keras.Input((size, size, 3))
    for number, (channels, kernel) in enumerate([(16, 5), (32, 5), (64, 5), (128, 6), (256, 5)], 1):
        x = layers.Conv2D(channels, kernel, padding="same")(x)
        if number != 3:
            x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        if number in (2, 3, 4):
            x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(100, activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def train_sample_cnn(
    sample: SampleCnn,
    paths: Sequence[Path],
    labels: np.ndarray,
    size: int,
    classes: int,
    seed: int,
    report: Callable[[str], None],
) -> Predict:
    """Train on the photographs at `paths`, labels int (n,), and return a function from paths to probabilities, float32 (n, classes).

    report: gets one line for each epoch.
    """
    import keras

    keras.utils.set_random_seed(seed)
    model = build_sample_cnn(size, classes)
    model.compile(
        keras.optimizers.SGD(sample.learning_rate, momentum=sample.momentum, nesterov=True),
        keras.losses.CategoricalCrossentropy(),
        # An object, not the name: for a name, Keras creates the variables in the first step, and TensorFlow traces it again.
        metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
    )

    def report_epoch(epoch: int, logs: dict[str, float]) -> None:
        report(f"epoch {epoch + 1}/{sample.epochs} sample  loss {logs['loss']:.3f} acc {logs['accuracy']:.3f}")

    model.fit(
        load_photographs(paths, size),
        np.eye(classes, dtype=np.float32)[labels],
        batch_size=sample.batch_size,
        epochs=sample.epochs,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=report_epoch)],
    )

    def predict(others: Sequence[Path]) -> np.ndarray:
        images = load_photographs(others, size)
        # Not `model.predict`: it is traced for each network and each size of the last batch, and TensorFlow warns about it.
        pieces = [
            np.asarray(model(images[start : start + sample.batch_size], training=False), np.float32)
            for start in range(0, len(images), sample.batch_size)
        ]
        return np.concatenate(pieces)

    return predict


def load_photographs(paths: Sequence[Path], size: int) -> np.ndarray:
    """Photographs decoded whole and shrunk, float32 BGR (n, size, size, 3) in 0..1. One that cannot be decoded is black."""
    images, unreadable = np.zeros((len(paths), size, size, 3), np.float32), []
    for image, path in zip(images, paths, strict=True):
        try:
            pixels = read_file(path)
        except PhotographError as error:
            unreadable.append(str(error))
            continue
        image[...] = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    if unreadable:
        print(
            f"warning: {len(unreadable)} of {len(paths)} photographs are black, the first: {unreadable[0]}", flush=True
        )
    return images / 255
