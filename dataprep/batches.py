"""Prepared images -> batches for Keras, as tf.data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from dataprep.augment import augment
from dataprep.opencv_threads import one_opencv_thread


def training_batches(
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    batch_size: int,
    epochs: range,
    strength: float,
    seed: int,
    label_smoothing: float = 0.0,
    sample_weights: np.ndarray | None = None,
    workers: int = 2,
    made: Callable[[int], None] | None = None,
) -> tf.data.Dataset:
    """The batches of `epochs`, one epoch after the other: float32 images (b, h, w, 3) in 0..255, one-hot float32 (b, classes),
    float32 weights (b,).

    images: uint8 (n, h, w, 3), possibly memory-mapped; labels: integers (n,) in 0..classes-1; sample_weights: (n,), ones
    unless given; strength of augmentation: 0 to 1; label_smoothing, in 0..1, is what each one-hot row hands out to all classes in equal
    parts (Szegedy et al., CVPR 2016, section 7). An epoch has ceil(n / batch_size) batches, the last of which may be
    smaller, and holds each image once, in an order and with an augmentation that depend on seed and epoch alone: a
    training that goes on from epoch 3 sees what it would have seen. `workers` batches are made at a time, and two wait.
    `made(number)` is called, by any of these threads, when a batch is ready, counted from 0 over all `epochs`.
    """
    labels, one_hot = _one_hot(images, labels, classes, label_smoothing)
    weights = np.ones(len(labels), np.float32) if sample_weights is None else np.asarray(sample_weights, np.float32)
    if weights.shape != labels.shape:
        raise ValueError(f"sample_weights has shape {weights.shape}, and there are {len(labels)} images")
    _check(batch_size=batch_size, workers=workers)
    if not 0 <= strength <= 1:
        raise ValueError(f"augmentation strength {strength}: give 0 to 1")
    count = -(-len(labels) // batch_size)

    def make(number: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        epoch = epochs[int(number) // count]
        start = int(number) % count * batch_size
        # Drawn again for each batch: microseconds, and nothing to keep between threads.
        order = np.random.default_rng([seed % 2**64, epoch]).permutation(len(labels))
        chosen = order[start : start + batch_size]
        with one_opencv_thread():
            batch = augment(images[chosen], seed, epoch, chosen, strength), one_hot[chosen], weights[chosen]
        if made is not None:
            made(int(number))
        return batch

    return _dataset(make, len(epochs) * count, [images.shape[1:], (classes,), ()], workers)


def _one_hot(images: np.ndarray, labels: np.ndarray, classes: int, smoothing: float) -> tuple[np.ndarray, np.ndarray]:
    labels = np.asarray(labels)
    if labels.shape != (len(images),):
        raise ValueError(f"labels has shape {labels.shape}, and there are {len(images)} images")
    if len(labels) == 0:
        raise ValueError("there are no images to make batches of")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels go from {labels.min()} to {labels.max()}, and there are {classes} classes")
    if not 0 <= smoothing <= 1:
        raise ValueError(f"label smoothing {smoothing}: give 0 to 1")
    rows = np.eye(classes, dtype=np.float32) * np.float32(1 - smoothing) + np.float32(smoothing) / np.float32(classes)
    return labels, rows[labels]


def _check(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} {count}: give 1 or more")


def _dataset(make: Any, count: int, shapes: list[tuple[int, ...]], workers: int) -> tf.data.Dataset:
    """`make(number)` of 0..count-1 in order, each a tuple of float32 arrays of (batch, *shape)."""

    def load(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # Stateless, which it is: else deterministic operations would make one batch at a time, whatever `workers` says.
        arrays = tf.numpy_function(make, [number], [tf.float32] * len(shapes), stateful=False)
        return tuple(tf.ensure_shape(array, (None, *shape)) for array, shape in zip(arrays, shapes, strict=True))

    dataset = tf.data.Dataset.range(count).map(load, num_parallel_calls=workers, deterministic=True).prefetch(2)
    options = tf.data.Options()
    # A destroyed iterator may wait seconds for the autotuner's next tick.
    options.autotune.enabled = False
    options.deterministic = True
    return dataset.with_options(options)
