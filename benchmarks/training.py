"""Training epochs."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np

from benchmarks import baselines
from benchmarks.networks import DEFAULT, HALF_WIDTH, inputs, settings
from benchmarks.records import Condition, Record, rate
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from dataprep.batches import training_batches
from model.network import new_network

_BATCH = 16
_SKIPPED = 2  # batches, while the pipeline fills


def benchmark(plan: Plan) -> list[Record]:
    """Images a second with augmentation against arrays in memory, and the share of an epoch that waits for input."""
    records: list[Record] = []
    for size, width in (DEFAULT, HALF_WIDTH)[: plan.rounds(2, 1)]:
        records += _of_network(plan, size, width)
    return records


def _of_network(plan: Plan, size: int, width: int) -> list[Record]:
    count = plan.rounds(40, 7) * _BATCH
    images = inputs(plan, size, count)
    labels = np.arange(count) % 4
    network = new_network(settings(size, width))
    model = network.model
    network.optimizer.learning_rate = 1e-4
    model.compile(network.optimizer, keras.losses.CategoricalCrossentropy(label_smoothing=0.1), metrics=["accuracy"])
    in_memory = images.astype(np.float32), np.eye(4, dtype=np.float32)[labels]

    def batches() -> Any:
        # More than are read, so that the pipeline works to the end as it does in a longer training.
        return training_batches(
            images, labels, 4, batch_size=_BATCH, batches=range(3 * count // _BATCH), strength=1.0, seed=0
        )

    def with_arrays() -> float:
        clock = _Clock()
        baselines.fit_arrays(model, *in_memory, _BATCH, 1, [clock])
        return clock.seconds()

    def with_augmentation() -> float:
        clock = _Clock()
        model.fit(batches(), steps_per_epoch=count // _BATCH, shuffle=False, verbose=0, callbacks=[clock])
        return clock.seconds()

    arrays, ours = f"fit on arrays, {size} pixels, width {width}", f"with augmentation, {size} pixels, width {width}"
    ways = [Way(arrays, with_arrays, _BATCH), Way(ours, with_augmentation, _BATCH)]
    samples = measure(ways, plan.rounds(7, 3), least=0)
    waiting = _waiting(model, batches(), count // _BATCH)
    return [
        samples.faster(ours, arrays, rate("images"), 0.97),
        Condition(f"waiting for input, {size} pixels, width {width}", 100 * waiting, "% of an epoch", "at most", 3),
    ]


class _Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Times the batches after the first few. Starting and leaving the pipeline, which may block, are not counted."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.ends.append(time.perf_counter())

    def seconds(self) -> float:
        """Seconds a batch."""
        counted = self.ends[_SKIPPED:]
        return (counted[-1] - counted[0]) / (len(counted) - 1)


def _waiting(model: Any, batches: Any, steps: int) -> float:
    """The share of the time in which the model waits for the next batch, after the first few."""
    iterator = iter(batches)
    for _ in range(_SKIPPED):
        model.train_on_batch(*next(iterator))
    waited, began = 0.0, time.perf_counter()
    for _ in range(steps):
        asked = time.perf_counter()
        batch = next(iterator)
        waited += time.perf_counter() - asked
        model.train_on_batch(*batch)
    return waited / (time.perf_counter() - began)
