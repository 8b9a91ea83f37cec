"""Subtracting the local average, which evens out the light of a fundus photograph.

From Ben Graham's winning report of Kaggle's Diabetic Retinopathy Detection (2015):
`gain * (image - GaussianBlur(image, sigma)) + offset`.
"""

from __future__ import annotations

import threading

import cv2
import numpy as np

# Fractional bits of grey levels that are averaged in 16 bits: what is rounded away is multiplied by the gain.
_BITS = 6
# The image is halved while sigma stays at least this many pixels.
_LEAST_SIGMA = 2.0
# Half of what the first halving, which rounds halves up in 8 bits, adds to a textured image; to a flat one it adds nothing.
_ROUNDED_UP = 1 / 16

_memory = threading.local()


def subtract_local_average(
    image: np.ndarray, sigma: float, gain: float = 4.0, offset: float = 128.0, inside: np.ndarray | None = None
) -> np.ndarray:
    """gain * (image - its Gaussian average) + offset, rounded and clipped to 0..255.

    image: uint8 (height, width, 3). sigma in pixels. gain 0.5 and more, offset 0..255. inside: uint8 (height, width), 255
    where pixels count and 0 elsewhere; the average is then a normalised convolution (Knutsson and Westin, 1993), that is
    over the pixels that count, so a black surround leaves no bright halo along the rim. What the result is where `inside`
    is 0 is undefined. Returns uint8 (height, width, 3).

    The blur is done on a halved image, which takes a small part of the time of cv2.GaussianBlur at full sigma and comes
    nearer to a true Gaussian, from which the result is 0.35 grey levels away on average.
    """
    height, width = image.shape[:2]
    halvings = max(0, int(np.log2(max(sigma, 1.0) / _LEAST_SIGMA)))
    scale = 2**halvings
    # Averaging pixels and interpolating between the averages blurs as well, together by a variance of 1/4 coarse pixel.
    coarse_sigma = np.sqrt((sigma / scale) ** 2 - 0.25) if halvings else sigma
    reach = int(np.ceil(4 * coarse_sigma))
    # So that the coarse pixels cover the border as well, and one more for the interpolation.
    margin = (reach + 1) * scale
    right, bottom = margin + -width % scale, margin + -height % scale

    def blur(pixels: np.ndarray) -> np.ndarray:
        """The average of the padded pixels, float32, in units of 2**-_BITS."""
        # In 8 bits where the pixels are most, and in 16 from a quarter of them on.
        first = min(halvings, 1)
        pixels = halve(_padded(pixels, margin, bottom, margin, right), first)
        pixels = halve(np.left_shift(pixels, _BITS, dtype=np.uint16), halvings - first).astype(np.float32)
        return np.asarray(cv2.GaussianBlur(pixels, (2 * reach + 1, 2 * reach + 1), coarse_sigma))

    if inside is None:
        average = blur(image)
    else:
        average = blur(cv2.copyTo(image, inside))
        average *= ((255 << _BITS) / np.maximum(blur(inside), 1.0))[..., None]
    # Of the margin, one coarse pixel is needed to interpolate up to the border.
    average = average[reach:-reach, reach:-reach]
    if halvings:
        average = average - _ROUNDED_UP * 2**_BITS
        average = cv2.resize(average, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    average = average[scale : scale + height, scale : scale + width]
    # One pass, rounded once; OpenCV converts in blocks that stay in the processor's cache.
    return np.asarray(cv2.addWeighted(image, gain, average, -gain / 2**_BITS, offset, dtype=cv2.CV_8U))


def _padded(pixels: np.ndarray, top: int, bottom: int, left: int, right: int) -> np.ndarray:
    """The pixels with a mirrored border, in memory of this thread that the next call uses again.

    The padded image is the largest one, and fetching its pages anew for each photograph takes longer than the blur.
    """
    shape = (pixels.shape[0] + top + bottom, pixels.shape[1] + left + right, *pixels.shape[2:])
    name = f"padded{pixels.ndim}"
    padded = getattr(_memory, name, None)
    if padded is None or padded.shape != shape:
        padded = np.empty(shape, pixels.dtype)
        setattr(_memory, name, padded)
    return np.asarray(cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_REFLECT_101, dst=padded))


def halve(image: np.ndarray, times: int) -> np.ndarray:
    """The image with each 2 x 2 pixels averaged, `times` over; a last odd row or column is left out."""
    for _ in range(times):
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return image
