"""Random rotation, zoom, shifts and flips, as one affine warp per image.

At strength 1: rotation up to ±45 degrees, zoom from 1/1.2 to 1.2 (uniform in the logarithm), shifts up to ±0.1 of width and
height, and each flip with probability 1/2. The strength scales all of these, also the probability of flips. Lesions have no
direction, so images may be flipped upside down. Larger rotations would only move disc and fovea away from the horizontal,
where all photographs have them.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

ROTATION = 45.0  # degrees
ZOOM = 1.2
SHIFT = 0.1  # of the side


def affine_parameters(
    seed: int, epoch: int, indices: Sequence[int] | np.ndarray, strength: float, size: tuple[int, int]
) -> np.ndarray:
    """Affine maps for the images `indices` in `epoch`: float64 (n, 2, 3), from output to input pixels.

    A map A gives the source (x, y) = A[:, :2] @ (x', y') + A[:, 2] of the output pixel (x', y'), with pixel centres at
    integers, as cv2.WARP_INVERSE_MAP requires. strength: 0 (identity) to 1. size: height and width in pixels. A map
    depends only on seed, epoch and index, not on batch, order or number of threads.
    """
    height, width = size
    draws = uniform(seed, epoch, indices, 6)
    angle, zoom, shift_x, shift_y = (strength * (2 * draws[:4] - 1)) * [
        [np.radians(ROTATION)],
        [np.log(ZOOM)],
        [SHIFT],
        [SHIFT],
    ]
    flip_x, flip_y = np.where(draws[4:] < strength / 2, -1.0, 1.0)
    cosine, sine = np.cos(angle) * np.exp(-zoom), np.sin(angle) * np.exp(-zoom)
    linear = np.stack(
        [np.stack([flip_x * cosine, -flip_x * sine], -1), np.stack([flip_y * sine, flip_y * cosine], -1)], -2
    )
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = np.stack([shift_x * width, shift_y * height], axis=-1)
    offset = centre + shift - linear @ centre
    return np.concatenate([linear, offset[..., None]], axis=-1)


def augment(
    images: np.ndarray, seed: int, epoch: int, indices: Sequence[int] | np.ndarray, strength: float
) -> np.ndarray:
    """Warp uint8 (n, height, width, 3) to float32 of the same shape in 0..255, bilinearly. Strength 0 changes nothing.

    indices (n,): indices of the images in the training set, for the random numbers. Pixels beyond an image get the colour of
    its corners (the median of the four), which is the colour of the prepared surround.
    """
    if strength == 0:
        return images.astype(np.float32)
    maps = affine_parameters(seed, epoch, indices, strength, images.shape[1:3])
    result = np.empty(images.shape, np.float32)
    # One image at a time stays in the processor's cache.
    pixels = np.empty(images.shape[1:], np.float32)
    size = images.shape[2], images.shape[1]
    surrounds = np.median(images[:, [0, 0, -1, -1], [0, -1, 0, -1]], axis=1)
    for warped, image, matrix, surround in zip(result, images, maps, surrounds, strict=True):
        np.copyto(pixels, image)
        cv2.warpAffine(
            pixels,
            matrix,
            size,
            dst=warped,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=surround.tolist(),
        )
    return result


def uniform(seed: int, epoch: int, indices: Sequence[int] | np.ndarray, draws: int) -> np.ndarray:
    """Uniform numbers in [0, 1), float64 (draws, n), from a hash of seed, epoch, index and draw; with more draws the first stay the same.

    Chained SplitMix64 mixing (Steele, Lea and Flood, OOPSLA 2014): creating a generator per image would take longer than its warp.
    """
    state = np.array(seed % 2**64, np.uint64)
    with np.errstate(over="ignore"):
        for part in (
            np.array(epoch % 2**64, np.uint64),
            np.asarray(indices).astype(np.uint64)[None],
            np.arange(draws, dtype=np.uint64)[:, None],
        ):
            state = _mix(state + _mix(part))
    return np.asarray((state >> np.uint64(11)) * 2.0**-53)


def _mix(value: np.ndarray) -> np.ndarray:
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)))
