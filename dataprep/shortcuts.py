"""What prepared images show without a lesion: light along the edges, colours, sharpness. A classifier of these is a shortcut's measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

_BORDER = 0.06  # of the side, along each edge
_QUANTILES = (5, 25, 50, 75, 95)


def edges(image: np.ndarray) -> np.ndarray:
    """The light along the four edges and in the four corners of uint8 (size, size, 3): float64 (16,), mean and spread of each."""
    grey = image.mean(axis=2)
    width = max(1, round(_BORDER * len(grey)))
    corner = 2 * width
    parts = [grey[:width], grey[-width:], grey[:, :width], grey[:, -width:]]
    parts += [grey[:corner, :corner], grey[:corner, -corner:], grey[-corner:, :corner], grey[-corner:, -corner:]]
    return np.array([value for part in parts for value in (part.mean(), part.std())])


def colours(image: np.ndarray) -> np.ndarray:
    """Quantiles of each colour, without the border, and how far the colours go together: float64 (18,)."""
    middle = len(image) // 5
    pixels = image[middle:-middle, middle:-middle].reshape(-1, 3).astype(float)
    together = np.cov(pixels.T)[np.triu_indices(3, 1)]
    return np.concatenate([np.percentile(pixels, _QUANTILES, axis=0).ravel(), together])


def sharpness(image: np.ndarray) -> np.ndarray:
    """The logarithm of what is lost at five steps of blurring, of the middle, which is texture of every size: float64 (5,)."""
    side = len(image) // 5
    grey = image[side:-side, side:-side].mean(axis=2)
    found = []
    for step in range(5):
        blurred = cv2.GaussianBlur(grey, (0, 0), 0.7 * 1.6**step)
        found.append(np.log(np.abs(grey - blurred).mean() + 1e-3))
        grey = blurred
    return np.array(found)


SHORTCUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "edges and corners": edges,
    "colours": colours,
    "sharpness": sharpness,
}


def measure(images: Any, shortcut: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """One of these of each of some images, uint8 (n, size, size, 3): float64 (n, features)."""
    return np.array([shortcut(images[i : i + 1][0]) for i in range(len(images))])
