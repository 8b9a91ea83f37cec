"""One eye without vessels and lesions: the patient's traits, the geometry, and the background of the retina."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import cos, sin

import numpy as np

from .brush import HEIGHT, WIDTH, Floats, Points, blend, enlarged, grid, planes, smooth_noise

# Absorption of blue, green and red.
BLOOD = np.array([0.85, 1.0, 0.36], np.float32)
PIGMENT = np.array([0.75, 0.75, 0.55], np.float32)

CHOROID = np.array([0.5, 0.8, 0.35], np.float32)
CRESCENT = np.array([0.30, 0.56, 0.86], np.float32)
DISC = np.array([0.36, 0.68, 0.98], np.float32)
CUP = np.array([0.58, 0.90, 1.0], np.float32)


@dataclass(frozen=True)
class Traits:
    """Properties that both eyes of a patient share, independent of the class."""

    wide: bool  # ultra-widefield oval rather than a round field of view
    ground: Floats  # reflectance of the retina, BGR, 0..1
    pigment: float  # darkness of the macula
    tessellation: float  # visibility of the vessels of the choroid
    tortuosity: float
    calibre: float  # width of the vessels, relative
    haze: float  # opacity of the media, 0..1
    light: float  # unevenness of the light
    mean: Floats  # grey levels of the finished photograph, BGR
    deviation: Floats


@dataclass(frozen=True)
class Geometry:
    """Positions in one eye, in pixels (x, y). `unit` is the distance from disc to fovea in pixels."""

    side: int  # 1 for a right eye (disc to the right), -1 for a left one
    unit: float
    centre: tuple[float, float]
    disc: tuple[float, float]
    fovea: tuple[float, float]
    tilt: float

    def to_pixels(self, points: Points) -> Points:
        """Converts points (..., 2) in units around the disc (x temporal, y down) to pixels."""
        x, y = points[..., 0], points[..., 1]
        temporal, down = x * cos(self.tilt) - y * sin(self.tilt), x * sin(self.tilt) + y * cos(self.tilt)
        return np.stack([self.disc[0] - self.side * self.unit * temporal, self.disc[1] + self.unit * down], axis=-1)

    def distance(self, point: tuple[float, float], step: int = 1) -> Floats:
        """Distance in units from each pixel of `grid(step)` to a point."""
        x, y = grid(step)
        return np.asarray(np.hypot(x - point[0], y - point[1]) / np.float32(self.unit))


def draw_traits(rng: np.random.Generator) -> Traits:
    red = rng.uniform(95, 175)
    green = red * rng.uniform(0.42, 0.66)
    mean = np.array([green * rng.uniform(0.3, 0.75), green, red], np.float32)
    return Traits(
        wide=bool(rng.random() < 0.5),
        ground=np.array([rng.uniform(0.14, 0.26), rng.uniform(0.34, 0.46), rng.uniform(0.70, 0.82)], np.float32),
        pigment=rng.uniform(0.35, 0.9),
        tessellation=rng.uniform(0.05, 0.35) if rng.random() < 0.5 else 0.03,
        tortuosity=rng.uniform(0.4, 1.3),
        calibre=rng.uniform(0.85, 1.2),
        haze=rng.uniform(0, 0.25),
        light=rng.uniform(0.6, 1.5),
        mean=mean,
        deviation=mean * rng.uniform(0.18, 0.32),
    )


def draw_geometry(rng: np.random.Generator, traits: Traits, side: int) -> Geometry:
    unit = rng.uniform(112, 132) if traits.wide else rng.uniform(140, 165)
    centre = (WIDTH / 2 + rng.uniform(-8, 8), HEIGHT / 2 + rng.uniform(-6, 6))
    disc = (centre[0] + side * unit * rng.uniform(0.5, 0.95), centre[1] + unit * rng.uniform(-0.2, 0.15))
    geometry = Geometry(side, unit, centre, disc, disc, tilt=rng.uniform(-0.12, 0.12))
    x, y = geometry.to_pixels(np.array([1.0, rng.uniform(0.04, 0.14)])).tolist()
    return replace(geometry, fovea=(x, y))


def draw_retina(rng: np.random.Generator, traits: Traits, geometry: Geometry) -> Floats:
    """Draws choroid, macula and disc. Returns reflectance in planes."""
    half = 2  # half the resolution: these structures are smooth
    texture = sum(share * smooth_noise(rng, grain, half) for share, grain in ((0.04, 60), (0.03, 14), (0.03, 5)))
    ridge = np.exp(-((smooth_noise(rng, 22, half) / 0.45) ** 2)) * (0.6 + 0.4 * np.tanh(smooth_noise(rng, 90, half)))
    from_fovea, from_disc = geometry.distance(geometry.fovea, half), geometry.distance(geometry.disc, half)
    macula = 0.42 * np.exp(-((from_fovea / 0.38) ** 2)) + 0.45 * np.exp(-((from_fovea / 0.12) ** 2))
    choroid = traits.tessellation * (ridge - 0.4) * (1 - np.exp(-((from_fovea / 0.6) ** 2)))
    absorption = (traits.pigment * macula - texture) * planes(PIGMENT) - choroid * planes(CHOROID)
    glow = 1 + np.exp(-((from_disc / 0.42) ** 2)) * rng.uniform(0.05, 0.2)
    image = enlarged(planes(traits.ground) * np.exp(-absorption) * glow)
    _draw_disc(rng, geometry, image)
    return image


def _draw_disc(rng: np.random.Generator, geometry: Geometry, image: Floats) -> None:
    reach = int(0.5 * geometry.unit)
    left, top = max(0, int(geometry.disc[0]) - reach), max(0, int(geometry.disc[1]) - reach)
    window = (slice(None), slice(top, top + 2 * reach), slice(left, left + 2 * reach))
    columns, rows = grid()
    x, y = (
        (columns[:, window[2]] - geometry.disc[0]) / geometry.unit,
        (rows[window[1]] - geometry.disc[1]) / geometry.unit,
    )
    patch = np.ascontiguousarray(image[window])

    radius, stretch, turn = rng.uniform(0.19, 0.23), rng.uniform(1.0, 1.18), rng.uniform(-0.3, 0.3)
    across, along = x * cos(turn) + y * sin(turn), (y * cos(turn) - x * sin(turn)) / stretch
    crescent = np.hypot(across + geometry.side * radius * 0.35, along)
    blend(patch, (0.5 if rng.random() < 0.35 else 0.0) * _inside(crescent, radius * 1.15, 0.02), CRESCENT)
    blend(patch, rng.uniform(0.8, 1.0) * _inside(np.hypot(across, along), radius, 0.018), DISC)
    cup = np.hypot(across + geometry.side * radius * 0.12, along)
    blend(patch, rng.uniform(0.4, 0.8) * _inside(cup, radius * rng.uniform(0.4, 0.65), 0.04), CUP)
    image[window] = patch


def _inside(distance: Floats, radius: float, softness: float) -> Floats:
    return np.asarray(1 / (1 + np.exp(np.clip((distance - radius) / softness, -30, 30))))
