"""Leaving a tf.data iterator, which waits for the autotuner's next tick where one is running."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.records import MILLISECONDS, Condition, Record
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from dataprep.batches import training_batches

_TUNED, _OURS = "map and prefetch with AUTOTUNE", "training_batches"
_LONG = 0.02  # seconds; a batch that is being made takes a few milliseconds to end
_COUNT, _SIZE, _BATCH = 256, 64, 16


def benchmark(plan: Plan) -> list[Record]:
    """Milliseconds that an iterator takes to go, in turns, and how often that is more than 20 ms."""
    images = np.zeros((_COUNT, _SIZE, _SIZE, 3), np.uint8)
    labels = np.zeros(_COUNT, np.int64)
    tries = plan.rounds(20, 8)
    samples = measure(
        [Way(_TUNED, _leave(partial(_tuned, images))), Way(_OURS, _leave(partial(_ours, images, labels)))],
        tries,
        least=0,
        warm=False,
    )
    slow = {name: sum(s > _LONG for s in seconds) for name, seconds in samples.seconds.items()}
    return [
        samples.longer(_OURS, _TUNED, MILLISECONDS, what=f"leaving {_OURS}"),
        Condition(f"of {tries} took over 20 ms, {_TUNED}", slow[_TUNED], ""),
        Condition(f"of {tries} took over 20 ms, {_OURS}", slow[_OURS], "", "at most", 0),
    ]


def _tuned(images: np.ndarray) -> Any:
    dataset = tf.data.Dataset.from_tensor_slices(images).repeat()
    dataset = dataset.map(lambda image: tf.cast(image, tf.float32), num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(_BATCH).prefetch(tf.data.AUTOTUNE)


def _ours(images: np.ndarray, labels: np.ndarray) -> Any:
    return training_batches(images, labels, 4, batch_size=_BATCH, batches=range(100_000), strength=1.0, seed=0)


def _leave(make: Callable[[], Any]) -> Callable[[], float]:
    """A way that tells how many seconds destroying an iterator took, which is older each time, as ticks lie ever further apart."""
    ages = itertools.count(0.05, 0.05)

    def call() -> float:
        iterator = iter(make())
        until = time.perf_counter() + next(ages)
        while time.perf_counter() < until:
            next(iterator)
            time.sleep(0.002)
        began = time.perf_counter()
        del iterator
        return time.perf_counter() - began

    return call
