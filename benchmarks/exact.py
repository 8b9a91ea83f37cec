"""What `dataprep` computes in little time, computed without regard to time: whole files, exact averages, float64."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from dataprep.photograph import Preparation, cut_square, inside_retina
from dataprep.retina import find_retina


def subtract_local_average(
    image: np.ndarray, sigma: float, gain: float = 4.0, offset: float = 128.0, inside: np.ndarray | None = None
) -> np.ndarray:
    """gain * (image - its Gaussian average) + offset, clipped to 0..255 and not rounded: float64 (height, width, 3).

    Takes what `dataprep.local_average.subtract_local_average` takes.
    """
    pixels = image.astype(np.float64)
    counted = np.ones(image.shape[:2]) if inside is None else inside / 255.0
    average = _gaussian(pixels * counted[..., None], (sigma, sigma, 0))
    average /= np.maximum(_gaussian(counted, (sigma, sigma)), 1e-3)[..., None]
    return np.asarray(np.clip(gain * (pixels - average) + offset, 0, 255))


def _gaussian(pixels: np.ndarray, sigma: tuple[float, ...]) -> np.ndarray:
    return np.asarray(ndimage.gaussian_filter(pixels, sigma, mode="mirror", truncate=5))


def prepare(path: Path, preparation: Preparation, shift: int = 0) -> np.ndarray:
    """The photograph in a file, prepared with crop and mask, at no reduced scale: uint8 BGR (size, size, 3).

    shift: pixels of the photograph by which the square is cut further to the right and below.
    """
    image = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR))
    retina = find_retina(image)
    left, top, right, bottom = retina.box
    side = round(retina.side)
    x, y = round((left + right - side) / 2) + shift, round((top + bottom - side) / 2) + shift
    square = cv2.resize(cut_square(image, x, y, side), (preparation.size,) * 2, interpolation=cv2.INTER_AREA)
    scale = preparation.size / side
    inside = inside_retina(retina, (x, y), scale, preparation.size)
    if preparation.local_average:
        square = subtract_local_average(square, retina.side * scale / 30, inside=inside).round()
    background = 128 if preparation.local_average else 0
    return np.asarray(np.where(inside[..., None] > 0, square, background), np.uint8)
