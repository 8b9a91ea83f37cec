"""Features of prepared images without lesions: brightness of edges, colours, sharpness. They measure how far shortcuts go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

_BORDER = 0.06  # of the side, along each edge
_QUANTILES = (5, 25, 50, 75, 95)


def edges(image: np.ndarray) -> np.ndarray:
    """Mean and standard deviation of the four edges and four corners of an image, uint8 (size, size, 3): float64 (16,)."""
    grey = image.mean(axis=2)
    width = max(1, round(_BORDER * len(grey)))
    corner = 2 * width
    parts = [grey[:width], grey[-width:], grey[:, :width], grey[:, -width:]]
    parts += [grey[:corner, :corner], grey[:corner, -corner:], grey[-corner:, :corner], grey[-corner:, -corner:]]
    return np.array([value for part in parts for value in (part.mean(), part.std())])


def colours(image: np.ndarray) -> np.ndarray:
    """Quantiles and covariances of the colours, without the border: float64 (18,)."""
    middle = len(image) // 5
    pixels = image[middle:-middle, middle:-middle].reshape(-1, 3).astype(float)
    together = np.cov(pixels.T)[np.triu_indices(3, 1)]
    return np.concatenate([np.percentile(pixels, _QUANTILES, axis=0).ravel(), together])


def sharpness(image: np.ndarray) -> np.ndarray:
    """Logarithm of the detail lost in each of five blurring steps, in the middle of the image: float64 (5,)."""
    side = len(image) // 5
    grey = image[side:-side, side:-side].mean(axis=2)
    losses = []
    for step in range(5):
        blurred = cv2.GaussianBlur(grey, (0, 0), 0.7 * 1.6**step)
        losses.append(np.log(np.abs(grey - blurred).mean() + 1e-3))
        grey = blurred
    return np.array(losses)


SHORTCUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "edges and corners": edges,
    "colours": colours,
    "sharpness": sharpness,
}


def measure(images: Any, shortcut: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """One of SHORTCUTS for each image, uint8 (n, size, size, 3): float64 (n, features)."""
    return np.array([shortcut(images[i : i + 1][0]) for i in range(len(images))])
