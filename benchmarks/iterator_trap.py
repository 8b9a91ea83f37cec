"""Leaving a tf.data iterator, which waits for the autotuner's next tick where one is running."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.records import MILLISECONDS, Condition, Record
from benchmarks.rows import Plan
from benchmarks.timing import Samples, Way
from dataprep.batches import training_batches

_TUNED, _OURS = "map and prefetch with AUTOTUNE", "training_batches"
_LONG = 0.01  # seconds
_COUNT, _SIZE, _BATCH = 256, 64, 16


def benchmark(plan: Plan) -> list[Record]:
    """Milliseconds that an iterator takes to go, in turns, and how often that is more than 10 ms."""
    images = np.zeros((_COUNT, _SIZE, _SIZE, 3), np.uint8)
    labels = np.zeros(_COUNT, np.int64)
    tries = plan.rounds(20, 8)
    samples = Samples((Way(_TUNED, lambda: None), Way(_OURS, lambda: None)), {_TUNED: [], _OURS: []})
    for number in range(tries):
        # Iterators of different ages, since the ticks lie ever further apart.
        age = 0.05 * (1 + number)
        for name in (_TUNED, _OURS) if number % 2 == 0 else (_OURS, _TUNED):
            dataset = _tuned(images) if name == _TUNED else _ours(images, labels)
            samples.seconds[name].append(_time_to_leave(dataset, age))
    slow = {name: sum(s > _LONG for s in seconds) for name, seconds in samples.seconds.items()}
    return [
        samples.longer(_OURS, _TUNED, MILLISECONDS, what=f"leaving {_OURS}"),
        Condition(f"of {tries} took over 10 ms, {_TUNED}", slow[_TUNED], ""),
        Condition(f"of {tries} took over 10 ms, {_OURS}", slow[_OURS], "", "at most", 0),
    ]


def _tuned(images: np.ndarray) -> Any:
    dataset = tf.data.Dataset.from_tensor_slices(images).repeat()
    dataset = dataset.map(lambda image: tf.cast(image, tf.float32), num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(_BATCH).prefetch(tf.data.AUTOTUNE)


def _ours(images: np.ndarray, labels: np.ndarray) -> Any:
    return training_batches(images, labels, 4, batch_size=_BATCH, epochs=range(1000), strength=1.0, seed=0)


def _time_to_leave(dataset: Any, age: float) -> float:
    """Seconds that destroying an iterator takes after it was read for `age` seconds."""
    iterator = iter(dataset)
    until = time.perf_counter() + age
    while time.perf_counter() < until:
        next(iterator)
        time.sleep(0.002)
    began = time.perf_counter()
    del iterator
    return time.perf_counter() - began
