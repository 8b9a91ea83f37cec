"""Subtracting the local average."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from benchmarks import baselines, exact
from benchmarks.photographs import draw
from benchmarks.records import MILLISECONDS, Condition, Record
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from dataprep.local_average import subtract_local_average
from dataprep.opencv_threads import one_opencv_thread

_TARGETS = {512: 15, 1024: 30}


def benchmark(plan: Plan) -> list[Record]:
    """Milliseconds an image on one thread, and the difference from a Gaussian in float64."""
    records: list[Record] = []
    for size, target in _TARGETS.items():
        image = baselines.shrink(draw(0, (1300, 1024))[:, 138:1162], size)
        formula, ours = f"GaussianBlur formula at {size}", f"subtract_local_average at {size}"
        inside = np.zeros(image.shape[:2], np.uint8)
        cv2.circle(inside, (size // 2, size // 2), size // 2, 255, -1)
        masked = f"the same within a mask at {size}"
        ways = [
            Way(formula, partial(baselines.subtract_local_average, image)),
            Way(ours, partial(subtract_local_average, image, size / 30)),
            Way(masked, partial(subtract_local_average, image, size / 30, inside=inside)),
        ]
        with one_opencv_thread():
            samples = measure(ways, plan.rounds(15, 3), least=plan.rounds(2, 1) / 10)
        difference = np.abs(subtract_local_average(image, size / 30) - exact.subtract_local_average(image, size / 30))
        records += [
            samples.faster(ours, formula, MILLISECONDS, target),
            samples.faster(masked, formula, MILLISECONDS),
            Condition(
                f"mean difference from float64 at {size}", float(difference.mean()), "grey levels", "at most", 1.0
            ),
            Condition(
                f"99.9th percentile of it at {size}",
                float(np.percentile(difference, 99.9)),
                "grey levels",
                "at most",
                6.0,
            ),
        ]
    return records
