"""Arteries and veins: four arcades that leave the optic disc, curve around the macula and branch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .brush import Canvas, Floats, Points, absorb, blend, canvas, draw_taper, reduced
from .eye import BLOOD, Geometry, Traits

# Courses in units around the disc (x temporal), upper half; the lower half is mirrored.
TEMPORAL = np.array([[0.02, -0.02], [0.08, -0.34], [0.42, -0.68], [0.98, -0.84], [1.6, -0.76], [2.3, -0.55]])
NASAL = np.array([[-0.02, -0.02], [-0.22, -0.26], [-0.62, -0.58], [-1.05, -0.95], [-1.5, -1.4], [-1.9, -1.8]])
QUADRANTS = ((TEMPORAL, 1), (TEMPORAL, -1), (NASAL, 1), (NASAL, -1))
FOVEA = np.array([1.0, 0.08])

REFLEX = np.array([0.45, 0.6, 0.95], np.float32)


@dataclass(frozen=True)
class Vessel:
    points: Points  # pixels (n, 2)
    start: float  # width in pixels at the first and at the last point
    end: float
    vein: bool
    quadrant: int


@dataclass(frozen=True)
class _Generation:
    """Vessels of the same order of branching, in units."""

    paths: Points  # (vessels, points, 2)
    lengths: NDArray[np.integer]  # number of valid points of each path
    widths: NDArray[np.floating]  # at the start
    trunks: NDArray[np.integer]  # index of the trunk of each vessel: four arteries, then four veins


def grow_vessels(
    rng: np.random.Generator, traits: Traits, geometry: Geometry, swelling: tuple[float, float, float, float]
) -> list[Vessel]:
    """Draws the vessels of one eye at random.

    `swelling` (0..1, by quadrant) widens the veins and makes them tortuous. It uses no random numbers, so the tree stays the same.
    """
    vessels: list[Vessel] = []
    swollen = np.array([0.0] * 4 + list(swelling))
    generation = _trunks(rng, traits)
    for order in range(3):
        if order > 0:
            generation = _branches(rng, generation, order)
        widths = generation.widths * (1 + 0.6 * swollen[generation.trunks]) * geometry.unit
        wind = traits.tortuosity * (1 + 2.2 * swollen[generation.trunks])
        pixels = geometry.to_pixels(_add_windings(rng, generation.paths, wind))
        for points, length, width, trunk in zip(pixels, generation.lengths, widths, generation.trunks, strict=True):
            if length > 4:
                vessels.append(
                    Vessel(points[:length], float(width), 0.4 * float(width), bool(trunk > 3), int(trunk) % 4)
                )
    return vessels


def _trunks(rng: np.random.Generator, traits: Traits) -> _Generation:
    courses = np.stack([course * [1, sign] for course, sign in QUADRANTS] * 2)
    vein = np.arange(8) > 3
    stretch = np.stack([rng.uniform(0.9, 1.1, 8), rng.uniform(0.9, 1.12, 8) + np.where(vein, 0.05, -0.05)], axis=1)
    knots = courses * stretch[:, None] + rng.normal(0, 0.05, courses.shape)
    widths = traits.calibre * np.where(vein, 0.046, 0.035) * np.tile([1.0, 1.0, 0.75, 0.75], 2)
    return _Generation(_spline(knots, 56), np.full(8, 56), widths, np.arange(8))


def _spline(knots: Points, count: int) -> Points:
    """Catmull-Rom interpolation: `count` points through each row of knots (n, k, 2)."""
    before, after = 2 * knots[:, :1] - knots[:, 1:2], 2 * knots[:, -1:] - knots[:, -2:-1]
    padded = np.concatenate([before, knots, after], axis=1)
    where = np.linspace(0, knots.shape[1] - 1, count)
    index = np.minimum(where.astype(int), knots.shape[1] - 2)
    t = (where - index)[:, None]
    a, b, c, d = (padded[:, index + k] for k in range(4))
    cubic = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    return np.asarray(0.5 * cubic)


def _branches(rng: np.random.Generator, parents: _Generation, order: int) -> _Generation:
    """Branches of the parents, which leave at an angle and bend back towards the parent's direction."""
    steps = np.diff(parents.paths, axis=1)
    present = np.arange(steps.shape[1]) < parents.lengths[:, None] - 1
    reach = (np.hypot(steps[..., 0], steps[..., 1]) * present).sum(axis=1)
    counts = np.minimum(8, rng.poisson(reach * (2.4 if order == 1 else 2.2)))
    parent = np.repeat(np.arange(len(counts)), counts)
    fraction = rng.uniform(0.1 if order == 1 else 0.2, 0.95, len(parent))
    at = (fraction * np.maximum(0, parents.lengths[parent] - 2)).astype(int)
    step, side = steps[parent, at], rng.choice([-1.0, 1.0], len(parent))

    points = 18
    heading = np.arctan2(step[:, 1], step[:, 0]) + side * rng.uniform(0.45, 0.95, len(parent))
    bend = -side * rng.uniform(0.2, 0.8, len(parent))
    wander = np.cumsum(rng.normal(0, 0.08, (len(parent), points)), axis=1)
    headings = heading[:, None] + bend[:, None] * np.linspace(0, 1, points) + wander
    stride = rng.uniform(0.35, 1.0, (len(parent), 1, 1)) * (1.0 if order == 1 else 0.6) / points
    walk = np.cumsum(stride * np.stack([np.cos(headings), np.sin(headings)], axis=-1), axis=1)
    paths = parents.paths[parent, at][:, None] + np.concatenate([np.zeros((len(parent), 1, 2)), walk], axis=1)

    near = np.hypot(paths[..., 0] - FOVEA[0], paths[..., 1] - FOVEA[1]) < 0.2  # no vessel crosses the avascular zone
    lengths = np.where(near.any(axis=1), near.argmax(axis=1), points + 1)
    widths = parents.widths[parent] * (1 - 0.55 * fraction) * rng.uniform(0.38, 0.68, len(parent))
    return _Generation(paths, lengths, widths, parents.trunks[parent])


def _add_windings(rng: np.random.Generator, paths: Points, amount: NDArray[np.floating]) -> Points:
    """Adds windings across the direction of the paths, with an amplitude that grows from zero."""
    direction = np.diff(paths, axis=1, append=2 * paths[:, -1:] - paths[:, -2:-1])
    length = np.hypot(direction[..., 0], direction[..., 1]) + 1e-9
    along = np.cumsum(length, axis=1) - length[:, :1]
    turn, phase = 2 * np.pi * along / rng.uniform(0.16, 0.30, (len(paths), 1)), rng.uniform(0, 6.3, (len(paths), 1))
    swing = np.sin(turn + phase) + 0.6 * np.sin(turn / 2.7 + 2 * phase)
    swing *= 0.011 * amount[:, None] * np.minimum(1, along / 0.15) / length
    return paths + np.stack([-direction[..., 1] * swing, direction[..., 0] * swing], axis=-1)


def paint_vessels(drawn: Canvas, vessels: list[Vessel], share: float = 1.0) -> None:
    """Draws tapering lines; `share` scales their width. Thin vessels come first, so that thick ones cover them."""
    for vessel in sorted(vessels, key=lambda one: one.start):
        pieces = 5 if len(vessel.points) > 30 else 2
        draw_taper(drawn, vessel.points, share * vessel.start, share * vessel.end, pieces)


def lay_vessels(image: Floats, vessels: list[Vessel], strength: float) -> None:
    """Darkens the retina along the vessels, in place. Arteries are lighter, with a reflex along the middle."""
    arteries, veins = [v for v in vessels if not v.vein], [v for v in vessels if v.vein]
    for group, absorption in ((veins, 1.0), (arteries, 0.7)):
        drawn = canvas()
        paint_vessels(drawn, group)
        absorb(image, strength * absorption * reduced(drawn, 0.6), BLOOD)
    reflex = canvas()
    paint_vessels(reflex, [v for v in arteries if v.start > 2], 0.3)
    blend(image, 0.25 * reduced(reflex, 0.5), REFLEX)
