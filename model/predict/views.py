"""Test-time augmentation: predictions averaged over the 8 symmetries of the square, which do not change the disease of an eye.

Averaging over views of a photograph (Krizhevsky et al., NIPS 2012, section 4.1; Simonyan and Zisserman, ICLR 2015, section 3.2), with
views that lose no pixels. They are views of the prepared image, as cropping, local average and round mask are symmetric.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .predictor import Predict

Progress = Callable[[int, int], None]

_BATCH = 32  # images turned at once


def symmetries(images: np.ndarray) -> Iterator[np.ndarray]:
    """The 8 views of `images`, (n, size, size, channels): turned by 0, 90, 180 and 270 degrees, each unchanged and mirrored."""
    for turns in range(4):
        turned = np.rot90(images, turns, axes=(1, 2))
        yield turned
        yield turned[:, :, ::-1]


def averaged_over(views: int, predict: Predict, progress: Progress | None = None) -> Predict:
    """`predict` if `views` is 1; if it is 8, a function like it that averages over the symmetries of each image, in 8 times the time.

    For an ensemble's `predict`, the arrays of all preparations are turned alike. `progress(done, n)` is called after each batch.
    """

    def averaged(*images: Any) -> np.ndarray:
        count, results = len(images[0]), []
        # Also for no images, as an empty batch has the number of classes in its shape.
        for start in range(0, max(count, 1), _BATCH):
            turned = zip(*(symmetries(each[start : start + _BATCH]) for each in images), strict=True)
            total = sum(predict(*map(np.ascontiguousarray, view)).astype(np.float64) for view in turned)
            results.append(np.asarray(total / views, np.float32))
            if progress:
                progress(min(start + _BATCH, count), count)
        return np.concatenate(results)

    return predict if views == 1 else averaged
