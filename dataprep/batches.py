"""Prepared images -> batches for Keras, as a tf.data.Dataset."""

from __future__ import annotations

from collections.abc import Callable

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
    batches: range,
    strength: float,
    seed: int,
    label_smoothing: float = 0.0,
    sample_weights: np.ndarray | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> tf.data.Dataset:
    """The batches of these numbers: float32 images (b, h, w, 3) in 0..255, one-hot float32 (b, classes), float32 weights (b,).

    ceil(n / batch_size) batches (the last may be smaller) are a pass: they contain each image once. Order and augmentation depend only
    on the seed and the number of the pass, so a resumed training sees the same batches.

    Args:
        images: uint8 (n, h, w, 3), may be memory-mapped.
        labels: integers (n,) in 0..classes-1.
        batches: numbers of the batches, counted from 0 over all passes.
        strength: strength of augmentation, 0 to 1.
        label_smoothing: 0 to 1, the share of each one-hot row that is spread evenly over all classes (Szegedy et al., CVPR 2016,
            section 7).
        sample_weights: (n,), default 1.
        on_batch: called as `on_batch(number)`, from any thread, when a batch is ready; counts from 0, for the first of `batches`.
    """
    smoothed = np.eye(classes, dtype=np.float32) * np.float32(1 - label_smoothing)
    smoothed += np.float32(label_smoothing) / np.float32(classes)
    one_hot = smoothed[labels]
    weights = np.ones(len(labels), np.float32) if sample_weights is None else np.asarray(sample_weights, np.float32)
    count = -(-len(labels) // batch_size)

    def make(number: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        passed, place = divmod(batches[int(number)], count)
        # Computed for each batch: takes microseconds, and threads share no state.
        order = np.random.default_rng([seed % 2**64, passed]).permutation(len(labels))
        start = place * batch_size
        chosen = order[start : start + batch_size]
        with one_opencv_thread():
            changed = np.asarray(augment(images[chosen], seed, passed, chosen, strength), np.float32)
        if changed.shape != (len(chosen), *images.shape[1:]):
            wanted = len(chosen), *images.shape[1:]
            raise ValueError(f"augment returned an array of shape {changed.shape}; return one of shape {wanted}")
        if on_batch is not None:
            on_batch(int(number))
        return changed, one_hot[chosen], weights[chosen]

    def load(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # Declared stateless (which is true), as deterministic operations would otherwise run one batch at a time.
        arrays = tf.numpy_function(make, [number], [tf.float32] * 3, stateful=False)
        shapes = images.shape[1:], (classes,), ()
        return tuple(tf.ensure_shape(array, (None, *shape)) for array, shape in zip(arrays, shapes, strict=True))

    # Two threads, and two batches ahead.
    dataset = tf.data.Dataset.range(len(batches)).map(load, num_parallel_calls=2, deterministic=True).prefetch(2)
    options = tf.data.Options()
    # With autotuning, destroying an iterator may take seconds.
    options.autotune.enabled = False
    options.deterministic = True
    return dataset.with_options(options)
