"""The camera: light, field of view, lids, dust, colour, blur and noise. None of it depends on the class."""

from __future__ import annotations

from math import cos, pi, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from .brush import (
    HEIGHT,
    WIDTH,
    Floats,
    blend,
    canvas,
    draw_blobs,
    draw_taper,
    enlarged,
    grid,
    planes,
    reduced,
    smooth_noise,
)
from .eye import Geometry, Traits

DUST = np.array([0.06, 0.12, 0.22], np.float32)
GHOST = np.array([0.50, 0.66, 0.80], np.float32)
VEIL = np.array([0.20, 0.34, 0.36], np.float32)
GLARE = np.array([0.35, 0.45, 0.50], np.float32)
TINT = np.array([1.0, 0.3, -0.4], np.float32)


def field_of_view(rng: np.random.Generator, traits: Traits, geometry: Geometry) -> Floats:
    """Transparency of each pixel, 0..1: a disc, or an uneven oval with the shadow of lids and lashes."""
    columns, rows = grid()
    x, y = columns - geometry.centre[0], rows - geometry.centre[1]
    if not traits.wide:
        return np.asarray(np.clip((rng.uniform(244, 272) - np.hypot(x, y)) / 1.5, 0, 1))
    across, along = rng.uniform(288, 312), rng.uniform(228, 250)
    columns, rows = grid(4)
    x, y = (columns - geometry.centre[0]) / across, (rows - geometry.centre[1]) / along
    turn = np.arctan2(y, x)
    edge = 1 + sum(rng.normal(0, 0.02 / k) * np.cos(k * turn + rng.uniform(0, 2 * pi)) for k in (2, 3, 4, 5))
    opening = np.clip(enlarged((edge - np.hypot(x, y)) * rng.uniform(30, 80)), 0, 1)
    for lower, chance in ((False, 0.3), (True, 0.5)):
        if rng.random() < chance:
            opening *= _lid(rng, geometry, lower)
    return opening


def _lid(rng: np.random.Generator, geometry: Geometry, lower: bool) -> Floats:
    bend, depth, soft = rng.uniform(0.08, 0.24) / WIDTH, rng.uniform(0.0, 0.12) * HEIGHT, rng.uniform(6, 18)
    columns, rows = grid(2)
    height = HEIGHT - rows if lower else rows
    edge = depth + bend * (columns - geometry.centre[0]) ** 2
    shadow = enlarged(1 / (1 + np.exp(np.clip((edge - height) / soft, -30, 30))))
    lashes, t = canvas(), np.linspace(0, 1, 8)
    for start in rng.uniform(0.15, 0.85, int(rng.integers(0, 12))) * WIDTH:
        reach, lean = depth + rng.uniform(15, 70), rng.normal(0, 30)
        line = np.stack([start + lean * t**2, HEIGHT - t * reach if lower else t * reach], axis=1)
        draw_taper(lashes, line, rng.uniform(1.0, 2.5), 0.6, pieces=2)
    return shadow * (1 - rng.uniform(0.3, 0.6) * reduced(lashes, 1.8))


def light_up(rng: np.random.Generator, traits: Traits, geometry: Geometry, image: Floats) -> None:
    """Adds uneven light and a veil of scattered light, in place."""
    step = 8
    columns, rows = grid(step)
    x, y = (columns - geometry.centre[0]) / 256, (rows - geometry.centre[1]) / 256
    turn, slope, fall = rng.uniform(0, 2 * pi), rng.uniform(0.05, 0.5), rng.uniform(0.1, 0.5)
    brightness = slope * (x * cos(turn) + y * sin(turn)) - fall * (x**2 + y**2) + 0.2 * smooth_noise(rng, 260, step)
    tint = 0.08 * smooth_noise(rng, 320, step)
    image *= enlarged(np.exp(traits.light * brightness + tint * planes(TINT)))
    veil = traits.haze * np.clip(0.5 + 0.5 * smooth_noise(rng, 240, step), 0, 1.6) * planes(VEIL)
    if rng.random() < 0.25:  # a crescent of glare that enters beside the pupil
        turn, start, strength = rng.uniform(0, 2 * pi), rng.uniform(0.55, 0.85), rng.uniform(0.4, 1.6)
        veil += strength * np.clip(x * cos(turn) + y * sin(turn) - start, 0, 1) * planes(GLARE)
    image += enlarged(veil)


def draw_artefacts(rng: np.random.Generator, image: Floats) -> None:
    """Adds dust on the lens (dark) and ghost reflections (bright) as out-of-focus spots, in place."""
    for colour in (DUST, GHOST):
        spots, count = canvas(), rng.poisson(1.2)
        places = rng.uniform([60, 40], [WIDTH - 60, HEIGHT - 40], (count, 2))
        draw_blobs(spots, rng, places, rng.uniform(4, 11, count), (40, 150), 0.05)
        softness = rng.uniform(1.2, 3.5)
        if count:
            blend(image, 0.5 * reduced(spots, softness), colour)


def balanced(plane: Floats, seen: NDArray[np.bool_], mean: float, deviation: float) -> Floats:
    """Scales grey levels to the given mean and standard deviation within `seen`, clipped to 0..255.

    Otherwise lesions would shift the mean colour, and a classifier could use that instead of the lesions.
    """
    sample, gain, offset = plane[::3, ::3][seen[::3, ::3]], 1.0, 0.0
    for _ in range(4):  # repeated, since clipping changes both
        levels = np.clip(sample * gain + offset, 0, 255)
        factor = deviation / (float(levels.std()) + 1e-6)
        gain, offset = gain * factor, mean + (offset - float(levels.mean())) * factor
    levels = plane * gain
    levels += offset
    return np.clip(levels, 0, 255, out=levels)


def expose(rng: np.random.Generator, traits: Traits, image: Floats, field: Floats) -> NDArray[np.uint8]:
    """Applies blur, colours, field of view and noise. Returns the finished photograph, uint8 BGR (HEIGHT, WIDTH, 3)."""
    means, deviations = traits.mean * rng.uniform(0.92, 1.08), traits.deviation * rng.uniform(0.92, 1.08)
    blur, seen = rng.uniform(0.5, 0.9) + 1.6 * traits.haze, field > 0.5
    grain = rng.standard_normal((HEIGHT, WIDTH), dtype=np.float32)
    strength = rng.uniform(0.7, 2.8) * (0.3 + 0.7 * field)
    black = rng.uniform(0, 5) + 0.5
    finished = []
    for plane, mean, deviation in zip(image, means.tolist(), deviations.tolist(), strict=True):
        levels = balanced(np.asarray(cv2.GaussianBlur(plane, (0, 0), blur)), seen, mean, deviation)
        levels *= field
        noise = enlarged(rng.standard_normal((HEIGHT // 2, WIDTH // 2), dtype=np.float32))
        noise += grain
        noise *= strength
        levels += noise
        levels += black
        finished.append(np.clip(levels, 0, 255, out=levels).astype(np.uint8))
    return np.asarray(cv2.merge(finished))
