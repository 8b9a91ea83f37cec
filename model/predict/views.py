"""Test-time augmentation: predictions averaged over the 8 symmetries of the square, which do not change the disease of an eye.

Averaging over views of a photograph (Krizhevsky et al., NIPS 2012, section 4.1; Simonyan and Zisserman, ICLR 2015, section 3.2), with
views that lose no pixels. They are views of the prepared image, as cropping, local average and round mask are symmetric.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .predictor import Predict

COUNT = 8
Progress = Callable[[int, int], None]


def symmetries(images: np.ndarray) -> Iterator[np.ndarray]:
    """The 8 views of `images`, (n, size, size, channels): turned by 0, 90, 180 and 270 degrees, each unchanged and mirrored."""
    for turns in range(4):
        turned = np.rot90(images, turns, axes=(1, 2))
        yield turned
        yield turned[:, :, ::-1]


def averaged_over(views: int, predict: Predict, progress: Progress | None = None) -> Predict:
    """`predict` if `views` is 1, `symmetric(predict)` if it is 8."""
    return predict if views == 1 else symmetric(predict, progress=progress)


def symmetric(predict: Predict, batch_size: int = 32, progress: Progress | None = None) -> Predict:
    """A function like `predict` that averages probabilities over all symmetries of an image, in 8 times the time.

    Args:
        predict: see `predictor`, or `Ensemble.predict`, for which all arrays are turned alike.
        batch_size: number of images turned at once.
        progress: called as `progress(done, n)` after each batch.
    """

    def averaged(*images: Any) -> np.ndarray:
        # Also for no images, as an empty batch has the number of classes in its shape.
        count, results = len(images[0]), []
        for start in range(0, max(count, 1), batch_size):
            results.append(_mean(predict, [each[start : start + batch_size] for each in images]))
            if progress:
                progress(min(start + batch_size, count), count)
        return np.concatenate(results)

    return averaged


def _mean(predict: Predict, batches: list[np.ndarray]) -> np.ndarray:
    views = zip(*(symmetries(batch) for batch in batches), strict=True)
    total = sum(predict(*map(np.ascontiguousarray, view)).astype(np.float64) for view in views)
    return np.asarray(total / COUNT, np.float32)
