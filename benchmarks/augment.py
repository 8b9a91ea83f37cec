"""Augmenting images."""

from __future__ import annotations

from multiprocessing.pool import ThreadPool

import numpy as np
from scipy import ndimage

from benchmarks import baselines
from benchmarks.photographs import draw
from benchmarks.records import Condition, Record, rate
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from dataprep.augment import affine_parameters, augment
from dataprep.batches import training_batches
from dataprep.opencv_threads import one_opencv_thread

_SIZE, _BATCH, _THREADS = 256, 32, 2
_COUNT = 4 * _BATCH
_LEGACY, _OURS, _BATCHES = "ImageDataGenerator, 1 thread", "augment, 2 threads", "training_batches, 2 workers"


def benchmark(plan: Plan) -> list[Record]:
    """Images a second, and the difference from SciPy's affine transform."""
    drawn = np.stack([baselines.shrink(draw(seed, (640, 512)), _SIZE) for seed in range(8)])
    images = np.concatenate([drawn] * (_COUNT // len(drawn)))
    legacy = baselines.image_generator(images, _BATCH)
    labels = np.zeros(_COUNT, np.int64)

    with ThreadPool(_THREADS) as pool:

        def ours() -> None:
            def batch(start: int) -> None:
                indices = np.arange(start, start + _BATCH)
                augment(images[indices], 0, 1, indices, 1.0)

            with one_opencv_thread():
                pool.map(batch, range(0, _COUNT, _BATCH), chunksize=1)

        def batches() -> None:
            numbers = range(4 * _COUNT // _BATCH)
            for _ in training_batches(images, labels, 4, batch_size=_BATCH, batches=numbers, strength=1.0, seed=0):
                pass

        def generator() -> None:
            for _ in range(2):
                next(legacy)

        ways = [
            Way(_LEGACY, generator, 2 * _BATCH),
            Way(_OURS, ours, _COUNT),
            Way(_BATCHES, batches, 4 * _COUNT),
        ]
        samples = measure(ways, plan.rounds(11, 3), least=plan.rounds(25, 10) / 100)
    unit = rate("images")
    return [
        samples.faster(_OURS, _LEGACY, unit, 14),
        samples.faster(_BATCHES, _LEGACY, unit),
        Condition("largest difference from SciPy's affine", _difference(drawn), "grey levels", "at most", 0.01),
    ]


def _difference(images: np.ndarray) -> float:
    indices = np.arange(len(images))
    maps = affine_parameters(0, 1, indices, 1.0, (_SIZE, _SIZE))
    largest = 0.0
    for image, result, matrix in zip(images, augment(images, 0, 1, indices, 1.0), maps, strict=True):
        for channel in range(3):
            pixels = image[..., channel].astype(np.float64)
            surround = np.median(pixels[[0, 0, -1, -1], [0, -1, 0, -1]])
            # SciPy's axes are rows first.
            exact = ndimage.affine_transform(
                pixels, matrix[::-1, 1::-1], matrix[::-1, 2], order=1, mode="grid-constant", cval=surround
            )
            largest = max(largest, float(np.abs(result[..., channel] - exact).max()))
    return largest
