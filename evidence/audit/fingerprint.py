"""Perceptual hashes of retinas, which are similar for copies of a photograph, but not for photographs of different eyes.

The difference hash of ImageHash (each of 16x17 cells against its neighbour, 256 bits) of the retina prepared as in the recipe.
Without subtracting the local average, all retinas are orange discs, and different patients are as similar as recompressed copies.

Measured on real photographs (340 and 242 patients with their test sets, 304,352 pairs of different patients, flips included): the
closest pair differs in 54 bits, except two pairs with 39 and 43 bits that show one eye under two numbers; the median is 106 bits.
Copies with JPEG quality 60, at half the size, or flipped differ in at most 44 bits, except a few very dark photographs. Hence the
threshold of 48. With 64-bit hashes, pairs of different patients differ in as few as 4 bits.
"""

from __future__ import annotations

import importlib.util

import cv2
import numpy as np

from dataprep.photograph import Preparation, prepare_array

BITS = 256
NEAR = 48  # largest number of differing bits, of 256, of near duplicates
MISSING = "near duplicates and cameras in EXIF are left out without ImageHash: pip install 'imagehash>=4.3.2,<5'"

_PREPARATION = Preparation(size=128)


def available() -> bool:
    """Whether ImageHash, which requires Pillow, is installed. The recipe needs neither."""
    return importlib.util.find_spec("imagehash") is not None


def fingerprints(image: np.ndarray) -> np.ndarray:
    """Hashes of a uint8 BGR photograph (height, width, 3): bool (4, 256), unchanged, mirrored, upside down and rotated by 180 degrees."""
    import imagehash
    from PIL import Image

    grey = cv2.cvtColor(prepare_array(image, _PREPARATION), cv2.COLOR_BGR2GRAY)
    turned = (grey, grey[:, ::-1], grey[::-1], grey[::-1, ::-1])
    return np.array([imagehash.dhash(Image.fromarray(np.ascontiguousarray(view)), 16).hash.ravel() for view in turned])


def near_pairs(prints: np.ndarray, threshold: int = NEAR, rows: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """All pairs i < j, int64 (m, 2), whose hashes differ in at most `threshold` bits in any orientation, and the differing bits (m,).

    prints: bool (n, 4, 256). Differing bits are counted by matrix products, `rows` photographs at a time.
    """
    signs = prints.astype(np.float32) * 2 - 1
    pairs, bits = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.int64)]
    for start in range(0, len(signs), rows):
        upright, others = signs[start : start + rows, 0], signs[start:]
        nearest = np.full((len(upright), len(others)), -np.inf, np.float32)
        for position in range(signs.shape[1]):
            np.maximum(nearest, upright @ others[:, position].T, out=nearest)
        differing = (prints.shape[2] - nearest) / 2
        first, second = np.nonzero(np.triu(differing <= threshold, k=1))
        pairs.append(np.stack([first, second], axis=1) + start)
        bits.append(differing[first, second].astype(np.int64))
    return np.concatenate(pairs), np.concatenate(bits)
