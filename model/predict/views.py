"""Averaging at inference over the 8 symmetries of the square: an eye seen in a mirror, or turned, has the disease that it has.

The usual averaging over views of a photograph (Krizhevsky et al., NIPS 2012, section 4.1; Simonyan and Zisserman, ICLR 2015, section
3.2), with views that keep every pixel. They act on prepared images: cropping, local average and round mask treat all directions alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .predictor import Predict

COUNT = 8


def symmetries(images: np.ndarray) -> Iterator[np.ndarray]:
    """`images`, (n, size, size, channels), turned by 0, 90, 180 and 270 degrees, each time as they are and then mirrored: 8 arrays."""
    for turns in range(4):
        turned = np.rot90(images, turns, axes=(1, 2))
        yield turned
        yield turned[:, :, ::-1]


def averaged_over(views: int, predict: Predict) -> Predict:
    """`predict`, or `symmetric(predict)` where `views` is 8."""
    return predict if views == 1 else symmetric(predict)


def symmetric(predict: Predict, batch_size: int = 32) -> Predict:
    """A function like `predict`, whose probabilities are the mean of those of all symmetries of an image; it takes 8 times as long.

    Args:
        predict: see `predictor`, or `Ensemble.predict`, all of whose arrays are turned alike.
        batch_size: how many images are turned at once.
    """

    def averaged(*images: Any) -> np.ndarray:
        # An empty batch too, which tells the number of classes.
        starts = range(0, max(len(images[0]), 1), batch_size)
        return np.concatenate([_mean(predict, [each[i : i + batch_size] for each in images]) for i in starts])

    return averaged


def _mean(predict: Predict, batches: list[np.ndarray]) -> np.ndarray:
    views = zip(*(symmetries(batch) for batch in batches), strict=True)
    total = sum(predict(*map(np.ascontiguousarray, view)).astype(np.float64) for view in views)
    return np.asarray(total / COUNT, np.float32)
