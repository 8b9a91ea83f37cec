"""Subtract the local average, which evens out the illumination of a fundus photograph.

From Ben Graham's winning report of Kaggle's Diabetic Retinopathy Detection (2015):
`gain * (image - GaussianBlur(image, sigma)) + offset`.
"""

from __future__ import annotations

import threading

import cv2
import numpy as np

# Fractional bits of grey levels in 16-bit averages, as the gain multiplies rounding errors.
_BITS = 6
# The image is halved while sigma stays at least this many pixels.
_LEAST_SIGMA = 2.0
# Half of the bias of the first halving, which rounds up in 8 bits: it affects textured images, not flat ones.
_ROUNDED_UP = 1 / 16

_memory = threading.local()


def subtract_local_average(
    image: np.ndarray, sigma: float, gain: float = 4.0, offset: float = 128.0, inside: np.ndarray | None = None
) -> np.ndarray:
    """gain * (image - its Gaussian average) + offset, rounded and clipped to 0..255.

    image: uint8 (height, width, 3). sigma in pixels. gain at least 0.5, offset 0..255. inside: uint8 (height, width), 255 for
    valid pixels and 0 elsewhere; the average is then a normalised convolution (Knutsson and Westin, 1993) over the valid pixels,
    so a black surround leaves no bright halo along the rim. The result where `inside` is 0 is undefined. Returns uint8 (height,
    width, 3).

    The blur works on a repeatedly halved image. This is much faster than cv2.GaussianBlur at full sigma and closer to a true
    Gaussian: the mean difference is 0.35 grey levels.
    """
    height, width = image.shape[:2]
    halvings = max(0, int(np.log2(max(sigma, 1.0) / _LEAST_SIGMA)))
    scale = 2**halvings
    # Averaging and interpolation blur as well, with a variance of 1/4 coarse pixel together.
    coarse_sigma = np.sqrt((sigma / scale) ** 2 - 0.25) if halvings else sigma
    reach = int(np.ceil(4 * coarse_sigma))
    # The coarse pixels must also cover the border, plus one for the interpolation.
    margin = (reach + 1) * scale
    right, bottom = margin + -width % scale, margin + -height % scale

    def blur(pixels: np.ndarray) -> np.ndarray:
        """The average of the padded pixels, float32, in units of 2**-_BITS."""
        # The first halving, on most pixels, in 8 bits; the others in 16.
        first = min(halvings, 1)
        pixels = halve(_padded(pixels, margin, bottom, margin, right), first)
        pixels = halve(np.left_shift(pixels, _BITS, dtype=np.uint16), halvings - first).astype(np.float32)
        return np.asarray(cv2.GaussianBlur(pixels, (2 * reach + 1, 2 * reach + 1), coarse_sigma))

    if inside is None:
        average = blur(image)
    else:
        average = blur(cv2.copyTo(image, inside))
        average *= ((255 << _BITS) / np.maximum(blur(inside), 1.0))[..., None]
    # One coarse pixel of the margin is needed for the interpolation at the border.
    average = average[reach:-reach, reach:-reach]
    if halvings:
        average = average - _ROUNDED_UP * 2**_BITS
        average = cv2.resize(average, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    average = average[scale : scale + height, scale : scale + width]
    # One pass with one rounding; OpenCV works in blocks that stay in the processor's cache.
    return np.asarray(cv2.addWeighted(image, gain, average, -gain / 2**_BITS, offset, dtype=cv2.CV_8U))


def _padded(pixels: np.ndarray, top: int, bottom: int, left: int, right: int) -> np.ndarray:
    """The pixels with a mirrored border, in a buffer of this thread that the next call reuses.

    The padded image is the largest array; allocating it for each photograph takes longer than the blur.
    """
    shape = (pixels.shape[0] + top + bottom, pixels.shape[1] + left + right, *pixels.shape[2:])
    name = f"padded{pixels.ndim}"
    padded = getattr(_memory, name, None)
    if padded is None or padded.shape != shape:
        padded = np.empty(shape, pixels.dtype)
        setattr(_memory, name, padded)
    return np.asarray(cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_REFLECT_101, dst=padded))


def halve(image: np.ndarray, times: int) -> np.ndarray:
    """Average blocks of 2 x 2 pixels, `times` times; a last odd row or column is dropped."""
    for _ in range(times):
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return image
