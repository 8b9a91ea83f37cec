"""Made-up photographs of the competition's size and weight, drawn once a run."""

from __future__ import annotations

import os
from functools import cache
from multiprocessing.pool import ThreadPool
from pathlib import Path

import cv2
import numpy as np

SIZE = (3900, 3072)  # width and height in pixels
_QUALITY = 90  # percent; OpenCV's default subsampling is 4:2:0
_NOISE = 3.4  # grey levels of noise, which bring a file to about 1.3 MB
_TILE = 512
_CLASSES = ("NORMAL", "AMD", "RVO", "DMR")


def draw(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A fundus photograph of `size` (width, height) pixels: uint8 BGR (height, width, 3), the same for the same seed."""
    from nsml.demo import draw_photograph

    small = draw_photograph(_CLASSES[seed % len(_CLASSES)], seed=seed, patient=seed).image
    if size == (small.shape[1], small.shape[0]):
        return np.asarray(small)
    image = cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
    lit = (cv2.blur(small, (3, 3)).max(axis=2) > 16).astype(np.uint8)
    lit = cv2.resize(lit, size, interpolation=cv2.INTER_NEAREST)
    rows, columns = -(-size[1] // _TILE), -(-size[0] // _TILE)
    grain = np.tile(_grain(), (rows, columns, 1))[: size[1], : size[0]]
    return np.asarray(cv2.add(image, grain, dst=image, mask=lit, dtype=cv2.CV_8U))


@cache
def _grain() -> np.ndarray:
    """A camera's noise, a few pixels wide, int8 (_TILE, _TILE, 3): a tile is enough, as nothing here looks for repetitions."""
    noise = np.random.default_rng(0).normal(0, 1, (_TILE, _TILE, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 1.0)
    return np.asarray((noise * (_NOISE / noise.std())).round().astype(np.int8))


def photographs(folder: Path, count: int, distinct: int = 16, size: tuple[int, int] = SIZE) -> list[Path]:
    """`count` JPEG files below `folder`, `distinct` different ones and the rest links to them; drawn where they are missing."""
    drawn = folder / f"photographs-{size[0]}x{size[1]}"
    drawn.mkdir(parents=True, exist_ok=True)
    paths = [drawn / f"{number:05}.jpg" for number in range(count)]

    def write(number: int) -> None:
        cv2.imwrite(str(paths[number]), draw(number, size), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])

    with ThreadPool(2) as pool:
        pool.map(write, [number for number, path in enumerate(paths[:distinct]) if not path.exists()])
    for number in range(distinct, count):
        if not paths[number].exists():
            os.link(paths[number % distinct], paths[number])
    return paths
