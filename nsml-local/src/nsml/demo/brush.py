"""Drawing tools: pixel grids, smooth noise, canvases for antialiased shapes, and blending of colours.

Until it is finished, a photograph is three planes, float32 (3, HEIGHT, WIDTH), blue, green and red: NumPy is several times faster
on planes than on interleaved channels.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 512, 640
SCALE = 2  # a canvas is twice as large, so that a line can be half a pixel wide
SHIFT = 4  # OpenCV's fixed-point bits for coordinates

Floats = NDArray[np.float32]
Canvas = NDArray[np.uint8]
Points = NDArray[np.floating]


@lru_cache(maxsize=8)
def grid(step: int = 1) -> tuple[Floats, Floats]:
    """x and y of the pixel centres of a photograph reduced by `step`, in pixels of the full size."""
    x = (np.arange(WIDTH // step, dtype=np.float32) + 0.5) * step - 0.5
    y = (np.arange(HEIGHT // step, dtype=np.float32) + 0.5) * step - 0.5
    return x[None, :], y[:, None]


def smooth_noise(rng: np.random.Generator, grain: float, step: int = 1) -> Floats:
    """Noise on `grid(step)` with a standard deviation of about 1 and a grain of `grain` pixels."""
    small = rng.standard_normal((int(HEIGHT / grain) + 4, int(WIDTH / grain) + 4), dtype=np.float32)
    noise = cv2.resize(small, (WIDTH // step, HEIGHT // step), interpolation=cv2.INTER_CUBIC)
    return np.asarray(noise * np.float32(1.3))


def enlarged(small: Floats) -> Floats:
    """Resizes one plane or three from `grid(step)` to the full size."""
    if small.ndim == 3:
        return np.stack([enlarged(plane) for plane in small])
    return np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR))


def planes(colour: Floats) -> Floats:
    """Reshapes a colour (3,) to (3, 1, 1), to broadcast over planes."""
    return colour[:, None, None]


def canvas() -> Canvas:
    return np.zeros((HEIGHT * SCALE, WIDTH * SCALE), np.uint8)


def reduced(drawn: Canvas, softness: float = 0.0) -> Floats:
    """Resizes a canvas to the photograph's size: coverage 0..1, blurred by `softness` pixels."""
    small = cv2.resize(drawn, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    if softness > 0:
        small = cv2.GaussianBlur(small, (0, 0), softness)
    return np.asarray(small.astype(np.float32) / np.float32(255))


def fixed(points: Points) -> NDArray[np.int32]:
    """Converts pixels to the canvas' fixed-point coordinates."""
    return np.asarray(np.round((points + 0.5) * (SCALE << SHIFT)).astype(np.int32))


def draw_taper(drawn: Canvas, points: Points, start: float, end: float, pieces: int) -> None:
    """A line whose width goes from `start` to `end` pixels in `pieces` steps; below half a pixel it gets fainter instead."""
    line, cuts = fixed(points), [number * (len(points) - 1) // pieces for number in range(pieces + 1)]
    for number in reversed(range(pieces)):
        width = start + (end - start) * number / pieces
        level, thickness = int(255 * min(1.0, 0.25 + 0.75 * width)), max(1, round(width * SCALE))
        cv2.polylines(drawn, [line[cuts[number] : cuts[number + 1] + 1]], False, level, thickness, cv2.LINE_AA, SHIFT)


def draw_shapes(drawn: Canvas, outlines: Points, levels: NDArray[np.integer]) -> None:
    """Filled polygons (n, corners, 2) in pixels, each with its grey level."""
    for outline, level in zip(fixed(outlines), levels.tolist(), strict=True):
        cv2.fillPoly(drawn, [outline], level, cv2.LINE_AA, SHIFT)


def draw_blobs(
    drawn: Canvas,
    rng: np.random.Generator,
    points: Points,
    radii: NDArray[np.floating],
    levels: tuple[int, int],
    rough: float = 0.15,
) -> None:
    """Spots with uneven outlines: centres (n, 2) and radii (n,) in pixels, grey levels drawn between `levels`."""
    count, order = len(points), np.arange(2, 5)
    sizes, phases = rng.normal(0, rough, (count, 3)) / order, rng.uniform(0, 2 * np.pi, (count, 3))
    waves = sizes[..., None] * np.cos(order[:, None] * _TURN + phases[..., None])
    reach = radii[:, None] * (1 + waves.sum(axis=1))
    outlines = points[:, None, :] + np.stack([reach * np.cos(_TURN), reach * np.sin(_TURN)], axis=-1)
    draw_shapes(drawn, outlines, rng.integers(*levels, count))


_TURN = np.linspace(0, 2 * np.pi, 16, endpoint=False)


def blend(image: Floats, alpha: Floats, colour: Floats) -> None:
    """Blends a colour (3,), or three planes of colour, into `image` in place, with opacity `alpha` (0..1)."""
    covered = np.flatnonzero(alpha > 0.004)
    share = alpha.reshape(-1)[covered]
    for plane, over in zip(image.reshape(3, -1), colour.reshape(3, -1), strict=True):
        under = plane[covered]
        plane[covered] = under + share * ((over if over.size == 1 else over[covered]) - under)


def absorb(image: Floats, amount: Floats, along: Floats) -> None:
    """Darkens `image` in place by a layer of thickness `amount` with the absorption coefficients `along` (blue, green, red)."""
    covered = np.flatnonzero(amount > 0.004)
    depth = amount.reshape(-1)[covered]
    for plane, share in zip(image.reshape(3, -1), along, strict=True):
        plane[covered] *= np.exp(-share * depth)
