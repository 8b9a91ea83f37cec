"""One photograph, from the seed to the pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import camera, eye, lesions, vessels


class Photograph(NamedTuple):
    image: NDArray[np.uint8]  # BGR (512, 640, 3)
    lesions: NDArray[np.uint8]  # (512, 640), 255 on a lesion, else 0
    quality: int  # JPEG quality in percent


def draw(class_name: str, seed: int, patient: int, side: str, fewest: float = 1.0) -> Photograph:
    """See `nsml.demo.draw_photograph`."""

    def stream(purpose: int, *key: int) -> np.random.Generator:
        # One generator per purpose, so that the lesions do not change the random numbers of the eye.
        return np.random.default_rng([seed, patient, purpose, *key])

    number = "LR".index(side)
    traits = eye.draw_traits(stream(0))
    geometry = eye.draw_geometry(stream(1, number), traits, 1 if side == "R" else -1)
    of_lesions, of_camera = stream(2, number), stream(3, number)
    plan = lesions.plan_lesions(of_lesions, class_name, share=fewest ** stream(7, number).random())

    image = eye.draw_retina(stream(4, number), traits, geometry)
    tree = vessels.grow_vessels(stream(5, number), traits, geometry, plan.swelling)
    lesions.draw_marks(stream(6, number), geometry, image)
    vessels.lay_vessels(image, tree, strength=float(of_camera.uniform(0.55, 1.0)))
    mask = lesions.draw_lesions(of_lesions, plan, geometry, tree, image)

    field = camera.field_of_view(of_camera, traits, geometry)
    camera.light_up(of_camera, traits, geometry, image)
    camera.draw_artefacts(of_camera, image)
    photograph = camera.expose(of_camera, traits, image, field)
    mask[field < 0.5] = 0
    return Photograph(photograph, mask, int(of_camera.integers(72, 96)))
