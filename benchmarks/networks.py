"""Networks to predict with, trained briefly on synthetic photographs, once a run."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.rows import Plan
from dataprep.augment import augment
from dataprep.cache import prepared_images
from dataprep.catalog import read_catalog
from dataprep.labels import CLASSES
from dataprep.photograph import Preparation
from model.checkpoint import network_files as weights
from model.data import Data
from model.network import Network, new_network
from model.recipes import winning
from model.settings import Settings
from model.training import train

DEFAULT = (96, 16)  # image size in pixels and width of the network, as recipe `winning` has them
HALF_WIDTH = (128, 32)


def settings(size: int, width: int) -> Settings:
    """Settings of an untrained network."""
    return Settings(replace(winning(), image_size=size, width=width), CLASSES)


def demo(plan: Plan) -> Path:
    """The folder of a dataset of synthetic photographs, drawn if it is missing."""
    from nsml.demo import draw_dataset

    folder = plan.folder / "networks"
    if not folder.exists():
        draw_dataset(folder, train=plan.rounds(600, 120), test=plan.rounds(200, 20))
    return folder


@cache
def prepared(plan: Plan, size: int, dataset: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The training photographs of a dataset, prepared: uint8 (n, size, size, 3) and their labels, int (n,).

    dataset: its folder; unless given, that of `demo`.
    """
    samples = read_catalog((dataset or demo(plan)) / "train" / "train_data", CLASSES).samples
    images = prepared_images([sample.path for sample in samples], Preparation(size), plan.folder / "networks-prepared")
    return images, np.array([sample.label for sample in samples])


def trained(plan: Plan, size: int, width: int, dataset: Path | None = None) -> Network:
    """A network that tells the classes of a dataset (see `prepared`) better than chance; kept in the run's folder."""
    folder = checkpoint(plan, size, width, dataset)
    if not folder.exists():
        images, labels = prepared(plan, size, dataset)
        part = len(labels) // 8
        order = np.random.default_rng(0).permutation(len(labels))
        data = Data(images[order[part:]], labels[order[part:]], images[order[:part]], labels[order[:part]])
        network = new_network(settings(size, width))
        network.settings.recipe = replace(network.settings.recipe, epochs=plan.rounds(12, 4))
        with contextlib.redirect_stdout(io.StringIO()):
            train(network, data, report=lambda **values: None, save=lambda name: None)
        weights.save(folder, network)
    return weights.load(folder)


def checkpoint(plan: Plan, size: int, width: int, dataset: Path | None = None) -> Path:
    """The folder where `trained` keeps a network."""
    return plan.folder / f"network-{(dataset or demo(plan)).name}-{size}-{width}"


def inputs(plan: Plan, size: int, count: int) -> np.ndarray:
    """`count` different prepared images, uint8 (count, size, size, 3): the synthetic ones, slightly shifted."""
    images, _ = prepared(plan, size)
    chosen = np.arange(count) % len(images)
    moved = augment(images[chosen], 1, 0, np.arange(count), 0.3)
    return np.asarray(moved.round(), np.uint8)
