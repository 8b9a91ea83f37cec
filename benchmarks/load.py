"""Reading and preparing photographs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

import cv2
import numpy as np

from benchmarks import baselines
from benchmarks.photographs import photographs
from benchmarks.records import Record, rate
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from dataprep.cache import prepared_images
from dataprep.opencv_threads import one_opencv_thread
from dataprep.photograph import Preparation, prepare_file

_SIZE = 512
_THREADS = 2
_WHOLE, _REDUCED = "imread, INTER_AREA, GaussianBlur", "IMREAD_REDUCED_COLOR_4 alone"
_OURS, _KEPT = "prepare_file", "prepared_images, which keeps them"


def benchmark(plan: Plan) -> list[Record]:
    """Photographs a second, each way on two threads with OpenCV's own threads at one."""
    paths = photographs(plan.folder, plan.rounds(32, 8))
    preparation = Preparation(_SIZE)
    cache = plan.folder / "load"

    def keep() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        prepared_images(paths, preparation, cache, workers=_THREADS)

    with ThreadPool(_THREADS) as pool:

        def each(work: Callable[[Path], np.ndarray]) -> Callable[[], None]:
            def call() -> None:
                with one_opencv_thread():
                    for _ in pool.imap(work, paths):
                        pass

            return call

        ways = [
            Way(_WHOLE, each(partial(baselines.load_and_subtract, size=_SIZE)), len(paths)),
            Way(_REDUCED, each(_reduced), len(paths)),
            Way(_OURS, each(partial(prepare_file, preparation=preparation)), len(paths)),
            Way(_KEPT, keep, len(paths)),
        ]
        samples = measure(ways, plan.rounds(9, 3), least=0)
    images = rate("images")
    return [
        samples.faster(_OURS, _WHOLE, images, 4.5),
        samples.faster(_KEPT, _WHOLE, images),
        samples.longer(_OURS, _REDUCED, images, 1.25),
    ]


def _reduced(path: Path) -> np.ndarray:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_4))
