"""A network and data small enough to train in a second, for the tests of the model."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from model.data import Data
from model.network import Network, new_network
from model.recipes import Phase, Recipe
from model.settings import Settings
from model.training import train as train_network

SIZE = 16
CLASSES = ("NORMAL", "AMD", "RVO", "DMR")
_FIELDS = {field.name for field in fields(Recipe)}


def recipe(first: int = 3, second: int = 1, learning_rate: float = 0.01, **changed: Any) -> Recipe:
    """Two phases of so many epochs."""
    phases = (Phase("strong", 0.5, 1.0, 0.1, 1.0), Phase("gentle", second / (first + second), 0.1, 0.02, 0.1))
    values: dict[str, Any] = {"image_size": SIZE, "width": 4, "depth": 2, "batch_size": 8, "baselines": False}
    values |= {"epochs": first + second, **changed}
    return Recipe("small", phases, learning_rate=learning_rate, **values)


def settings(**changed: Any) -> Settings:
    """Values of the recipe or of the settings, by their names."""
    of_recipe = {name: value for name, value in changed.items() if name in _FIELDS}
    others = {name: value for name, value in changed.items() if name not in _FIELDS}
    return Settings(**{"recipe": recipe(**of_recipe), "classes": CLASSES, "seed": 3, **others})


def network(**changed: Any) -> Network:
    return new_network(settings(**changed))


def train(network: Network, recipe: Recipe, data: Data, **hooks: Any) -> None:
    """Train by the phases, epochs, batches and learning rate of `recipe`."""
    names = ("phases", "epochs", "batch_size", "learning_rate")
    network.settings.recipe = replace(network.settings.recipe, **{name: getattr(recipe, name) for name in names})
    train_network(network, data, **hooks)


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
