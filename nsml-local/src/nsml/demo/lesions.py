"""The lesions of the four classes, from subtle to obvious, and harmless marks of healthy eyes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .brush import (
    Canvas,
    Floats,
    Points,
    absorb,
    blend,
    canvas,
    draw_blobs,
    draw_shapes,
    enlarged,
    planes,
    reduced,
    smooth_noise,
)
from .eye import BLOOD, PIGMENT, Geometry
from .vessels import Vessel, paint_vessels

EXUDATE = np.array([0.30, 0.74, 1.05], np.float32)
DRUSEN = np.array([0.32, 0.68, 0.98], np.float32)
COTTON = np.array([0.50, 0.80, 0.98], np.float32)
ATROPHY = np.array([0.34, 0.62, 0.92], np.float32)
DEEP_VESSEL = np.array([0.06, 0.18, 0.05], np.float32)


@dataclass(frozen=True)
class Plan:
    """The disease of one eye. It is drawn first, since swollen veins change the vessels."""

    class_name: str
    severity: float  # 0..1: how many lesions
    contrast: float  # 0..1: contrast of the lesions
    swelling: tuple[float, float, float, float]  # of the veins by quadrant, 0..1
    share: float  # 0..1: of the spots that this severity has, those that are drawn


def plan_lesions(rng: np.random.Generator, class_name: str, share: float) -> Plan:
    severity, contrast = 0.2 + 0.8 * rng.beta(1.2, 1.2), rng.uniform(0.6, 1.0) * share**0.25
    swelling = (0.0, 0.0, 0.0, 0.0)
    if class_name == "RVO":
        swollen = (0.4 + 0.6 * severity) * share**0.25
        central, sector = rng.random() < 0.3, rng.choice(4, p=[0.48, 0.40, 0.06, 0.06])
        a, b, c, d = (swollen if central or quadrant == sector else 0.0 for quadrant in range(4))
        swelling = (a, b, c, d)
    return Plan(class_name, severity, contrast, swelling, share)


def draw_marks(rng: np.random.Generator, geometry: Geometry, image: Floats) -> None:
    """Draws harmless marks that any eye may have, in place: hard drusen, a pigmented spot, sheen along the nerve fibres."""
    drusen, spots = canvas(), canvas()
    few, rare = rng.poisson(2.0), rng.poisson(0.4)
    draw_blobs(drusen, rng, _around(rng, geometry, geometry.fovea, 0.9, few), rng.uniform(0.9, 1.8, few), (110, 200))
    draw_blobs(spots, rng, _around(rng, geometry, geometry.centre, 1.4, rare), rng.uniform(4, 12, rare), (60, 130))
    if few:
        blend(image, 0.5 * reduced(drusen, 0.8), DRUSEN)
    if rare:
        absorb(image, reduced(spots, 2.5), PIGMENT)
    if rng.random() < 0.35:
        arcades = np.exp(-((geometry.distance(geometry.disc, 2) - 0.55) ** 2) / 0.08)
        sheen = np.clip(smooth_noise(rng, 18, 2) - 1.0, 0, 1) * arcades
        blend(image, enlarged(rng.uniform(0.1, 0.3) * sheen), COTTON)


def draw_lesions(
    rng: np.random.Generator, plan: Plan, geometry: Geometry, vessels: list[Vessel], image: Floats
) -> Canvas:
    """Draws the lesions of the class into `image`, in place. Returns their mask, uint8, 255 on a lesion, else 0."""
    layers = _Layers(rng, geometry, plan.share)
    match plan.class_name:
        case "AMD":
            _amd(layers, plan)
        case "RVO":
            _rvo(layers, plan, vessels)
        case "DMR":
            _dmr(layers, plan)
    return layers.lay(image, plan.contrast)


class _Layers:
    """One canvas for each kind of lesion, blended into the retina from the deepest layer to the top one."""

    def __init__(self, rng: np.random.Generator, geometry: Geometry, share: float) -> None:
        self.rng, self.geometry, self.size, self.share = rng, geometry, geometry.unit / 130, share
        self.atrophy, self.drusen, self.pigment, self.blood = canvas(), canvas(), canvas(), canvas()
        self.exudate, self.cotton, self.veins = canvas(), canvas(), canvas()

    def blobs(self, drawn: Canvas, points: Points, small: float, large: float, rough: float = 0.15) -> None:
        """Draws spots with radii from `small` to `large` pixels at the usual magnification, mostly small ones."""
        points = self._thinned(points)
        radii = self.size * (small + (large - small) * self.rng.random(len(points)) ** 1.6)
        draw_blobs(drawn, self.rng, points, radii, (170, 256), rough)

    def _thinned(self, points: Points) -> Points:
        """Those of the points or headings that are drawn, one at least."""
        return points[: math.ceil(self.share * len(points))]

    def flames(self, places: Points, headings: Points) -> None:
        """Draws haemorrhages in the nerve-fibre layer: bundles of three spindles along the fibres."""
        places, headings = self._thinned(places), self._thinned(headings)
        rng, count, turn = self.rng, len(places), np.linspace(0, 2 * np.pi, 12, endpoint=False)
        forward = np.stack([np.cos(headings), np.sin(headings)], axis=1)[:, None, None]
        aside = np.stack([-np.sin(headings), np.cos(headings)], axis=1)[:, None, None]
        along = 5.0 * rng.normal(0, 1, (count, 3, 1)) + rng.uniform(5, 13, (count, 3, 1)) * np.cos(turn)
        across = 2.2 * rng.normal(0, 1, (count, 3, 1)) + rng.uniform(1.0, 2.2, (count, 3, 1)) * np.sin(turn)
        spindles = places[:, None, None] + self.size * (along[..., None] * forward + across[..., None] * aside)
        draw_shapes(self.blood, spindles.reshape(-1, 12, 2), np.repeat(rng.integers(150, 256, count), 3))

    def lay(self, image: Floats, contrast: float) -> Canvas:
        """Blends all layers into `image`, in place. Returns the mask."""
        covered = reduced(self.veins)
        if self.atrophy.any():  # without pigment epithelium the large vessels of the choroid are visible
            atrophy = reduced(self.atrophy, 1.2)
            ridge = enlarged(np.exp(-((smooth_noise(self.rng, 11, 2) / 0.4) ** 2)))
            blend(image, contrast * 0.75 * atrophy, planes(ATROPHY) - ridge * planes(DEEP_VESSEL))
            covered = np.maximum(covered, atrophy)
        for drawn, softness, strength, colour in (
            (self.drusen, 1.1, 0.8, DRUSEN),
            (self.pigment, 0.9, 1.3, None),
            (self.blood, 0.7, 1.3, None),
            (self.exudate, 0.6, 0.9, EXUDATE),
            (self.cotton, 2.2, 0.8, COTTON),
        ):
            if not drawn.any():
                continue
            layer = reduced(drawn, softness)
            if colour is None:
                absorb(image, contrast * strength * layer, PIGMENT if drawn is self.pigment else BLOOD)
            else:
                blend(image, contrast * strength * layer, colour)
            covered = np.maximum(covered, layer)
        return np.where(covered > 0.3, 255, 0).astype(np.uint8)


def _amd(layers: _Layers, plan: Plan) -> None:
    """Soft drusen around the fovea, pigment changes, sometimes islands of atrophy."""
    rng, geometry, fovea = layers.rng, layers.geometry, layers.geometry.fovea
    layers.blobs(layers.drusen, _around(rng, geometry, fovea, 0.3, 14 + 60 * plan.severity), 2.2, 7.0)
    layers.blobs(
        layers.pigment, _around(rng, geometry, fovea, 0.22, 3 + 9 * plan.severity * rng.random()), 1.8, 5.0, 0.4
    )
    if rng.random() < (0.15 + 0.35 * plan.severity) * plan.share:
        islands = _around(rng, geometry, fovea, 0.12, int(rng.integers(1, 3)))
        draw_blobs(layers.atrophy, rng, islands, geometry.unit * rng.uniform(0.14, 0.32, len(islands)), (255, 256), 0.3)


def _rvo(layers: _Layers, plan: Plan, vessels: list[Vessel]) -> None:
    """Flame and blot haemorrhages along the swollen veins, with cotton-wool spots."""
    rng, unit = layers.rng, layers.geometry.unit
    swollen = [vessel for vessel in vessels if vessel.vein and plan.swelling[vessel.quadrant] > 0]
    paint_vessels(layers.veins, [vessel for vessel in swollen if vessel.start > 2.5])
    places = np.concatenate([vessel.points[1:] for vessel in swollen])
    steps = np.concatenate([np.diff(vessel.points, axis=0) for vessel in swollen])
    near = (_distances(places, layers.geometry.disc) < 1.9 * unit) & (
        _distances(places, layers.geometry.centre) < 1.5 * unit
    )
    places, steps = places[near], steps[near]
    spread_out = 1 + 0.45 * (sum(swelling > 0 for swelling in plan.swelling) - 1)

    def along_veins(count: float, spread: float) -> tuple[Points, Points]:
        chosen = rng.integers(0, len(places), int(count))
        points = places[chosen] + rng.normal(0, spread * unit, (len(chosen), 2))
        return points, np.arctan2(steps[chosen, 1], steps[chosen, 0]) + rng.normal(0, 0.25, len(chosen))

    layers.flames(*along_veins(spread_out * (18 + 65 * plan.severity), 0.10))
    layers.blobs(layers.blood, along_veins(spread_out * (5 + 22 * plan.severity), 0.14)[0], 2.2, 6.0, 0.3)
    layers.blobs(layers.cotton, along_veins(rng.poisson(4 * plan.severity), 0.12)[0], 5, 10, 0.25)


def _dmr(layers: _Layers, plan: Plan) -> None:
    """Microaneurysms, dots and blots, rings of hard exudates and cotton-wool spots over the whole field."""
    rng, geometry = layers.rng, layers.geometry
    layers.blobs(layers.blood, _over_field(rng, geometry, 20 + 80 * plan.severity), 1.2, 3.0)
    layers.blobs(layers.blood, _over_field(rng, geometry, 8 + 32 * plan.severity), 2.6, 6.0, 0.3)
    for centre in _around(rng, geometry, geometry.fovea, 0.75, 1 + rng.poisson(5 * plan.severity)):
        ring, count = geometry.unit * rng.uniform(0.08, 0.24), int(rng.integers(9, 26))
        turn = rng.uniform(0, 2 * np.pi) + rng.uniform(0.5, 1.0) * 2 * np.pi * rng.random(count)
        far = ring * rng.normal(1, 0.14, count)
        points = centre + np.stack([far * np.cos(turn), far * np.sin(turn)], axis=1)
        layers.blobs(layers.exudate, points, 1.4, 4.2, 0.3)
    layers.blobs(layers.cotton, _over_field(rng, geometry, rng.poisson(4 * plan.severity), 1.2), 5, 10, 0.25)


def _around(
    rng: np.random.Generator, geometry: Geometry, centre: tuple[float, float], spread: float, count: float
) -> Points:
    """Normally distributed points (count, 2) in pixels; `spread` is their standard deviation in units."""
    return np.array(centre) + rng.normal(0, spread * geometry.unit, (int(count), 2))


def _over_field(rng: np.random.Generator, geometry: Geometry, count: float, reach: float = 1.75) -> Points:
    """Uniformly distributed points within `reach` units of the centre, outside the optic disc."""
    turn, far = rng.uniform(0, 2 * np.pi, int(count)), geometry.unit * reach * np.sqrt(rng.random(int(count)))
    points = np.array(geometry.centre) + np.stack([far * np.cos(turn), far * np.sin(turn)], axis=1)
    return np.asarray(points[_distances(points, geometry.disc) > 0.27 * geometry.unit])


def _distances(points: Points, place: tuple[float, float]) -> Points:
    return np.asarray(np.hypot(points[:, 0] - place[0], points[:, 1] - place[1]))
