"""A network and data small enough to train in a second, for the tests of the model."""

from __future__ import annotations

import numpy as np

from dataprep.photograph import Preparation
from model.network import Network, new_network
from model.recipe import Phase, Recipe
from model.settings import Settings
from model.training import Data

SIZE = 16
CLASSES = ("NORMAL", "AMD", "RVO", "DMR")


def settings(**changed: object) -> Settings:
    values: dict[str, object] = {
        "preparation": Preparation(SIZE), "classes": CLASSES, "width": 4, "depth": 2, "dropout": 0.3, "l2": 1e-4, "seed": 3,
    }  # fmt: skip
    return Settings(**{**values, **changed})  # type: ignore[arg-type]


def network(**changed: object) -> Network:
    return new_network(settings(**changed))


def data(count: int = 48, seed: int = 0) -> Data:
    """Noise with a blot whose colour is the class' own; a quarter validates."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(CLASSES)
    images = rng.integers(100, 156, (count, SIZE, SIZE, 3), np.uint8)
    for image, label in zip(images, labels, strict=True):
        y, x = rng.integers(2, SIZE - 8, 2)
        image[y : y + 6, x : x + 6] = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)][label]
    part = count * 3 // 4
    return Data(images[:part], labels[:part], images[part:], labels[part:])


def recipe(first: int = 3, second: int = 1, learning_rate: float = 0.01) -> Recipe:
    return Recipe(
        (Phase("strong", first, learning_rate, 0.1, 1.0), Phase("gentle", second, learning_rate / 10, 0.02, 0.1)),
        batch_size=8,
    )
