"""What the tests of the template share: drawn photographs, and the real ones where they are at hand."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import settings

Draw = Callable[..., np.ndarray]

# A busy machine is no failure, so no example has a deadline.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Looks for no garbage among the million objects that TensorFlow and the others leave at their import, nor ever after."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(scope="module")
def determinism_ends() -> Iterator[None]:
    """Operations that a test makes deterministic are so no longer than its file is run.

    Tests of other files in the same process compile with XLA, which Keras declines while they are.
    """
    yield
    from tensorflow.python.framework import config

    config.disable_op_determinism()


@pytest.fixture(scope="session")
def fundus_photographs() -> Path:
    """The folder that holds MEX_FUNDUS and ODIR_FUNDUS, named by FUNDUS_PHOTOGRAPHS or beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "fundus"
    folder = Path(os.environ.get("FUNDUS_PHOTOGRAPHS") or beside)
    if not (folder / "ODIR_FUNDUS").is_dir() or not (folder / "MEX_FUNDUS").is_dir():
        pytest.skip(f"no real photographs in {folder}; FUNDUS_PHOTOGRAPHS may name the folder that holds them")
    return folder


@pytest.fixture(scope="session")
def draw_fundus() -> Draw:
    """Draws a fundus: a lit disc with a bright optic disc and dark vessels, uint8 BGR (height, width, 3)."""

    def draw(
        height: int = 320,
        width: int = 400,
        *,
        radius: float = 0.45,
        centre: tuple[float, float] = (0.5, 0.5),
        light: float = 1.0,
        surround: int = 0,
        noise: float = 2.0,
        seed: int = 0,
    ) -> np.ndarray:
        rng = np.random.default_rng(seed)
        side = min(height, width)
        x, y, r = centre[0] * width, centre[1] * height, radius * side
        rows, columns = np.mgrid[:height, :width] + 0.5
        inside = (columns - x) ** 2 + (rows - y) ** 2 <= r**2
        light_here = 0.7 + 0.5 * (columns - x) / (2 * r)
        image = light_here[..., None] * np.array([50.0, 90.0, 170.0])
        for angle in rng.uniform(0, 2 * np.pi, 12):
            end = (int(x + r * np.cos(angle)), int(y + r * np.sin(angle)))
            cv2.line(image, (int(x + r / 2), int(y)), end, (20, 35, 90), max(1, side // 100), cv2.LINE_AA)
        cv2.circle(image, (int(x + r / 2), int(y)), max(1, int(r / 8)), (150, 220, 250), -1, cv2.LINE_AA)
        image = (image + rng.normal(0, noise, image.shape)) * light
        image[~inside] = surround
        return np.clip(image, 0, 255).astype(np.uint8)

    return draw
