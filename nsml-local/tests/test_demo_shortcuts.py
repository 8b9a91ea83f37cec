"""The default dataset has to be learned from its lesions: neither colour nor shape tells the class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nsml.demo import CLASSES, draw_dataset

Images = list[NDArray[np.uint8]]
Sides = tuple[tuple[Images, list[int]], tuple[Images, list[int]]]


def read(samples: list[tuple[Path, int]]) -> tuple[Images, list[int]]:
    """Photographs at half their size, which is faster and leaves colours and shapes as they are, and their labels."""
    return [np.asarray(cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2), np.uint8) for path, _ in samples], [
        label for _, label in samples
    ]


def accuracy(sides: Sides, measure: Callable[[NDArray[np.uint8]], list[float]]) -> float:
    """Test accuracy of a logistic regression on what `measure` says of each photograph."""
    (train, train_labels), (test, test_labels) = sides
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    probe.fit(np.array([measure(image) for image in train]), train_labels)
    return float(probe.score(np.array([measure(image) for image in test]), test_labels))


def colours(image: NDArray[np.uint8]) -> list[float]:
    return [*image.mean(axis=(0, 1)), *image.std(axis=(0, 1))]


def colours_of_the_retina(image: NDArray[np.uint8]) -> list[float]:
    retina = image[cv2.erode((image.max(axis=2) > 25).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0]
    return [*retina.mean(axis=0), *retina.std(axis=0)]


def shape(image: NDArray[np.uint8]) -> list[float]:
    retina = image.max(axis=2) > 25
    rows, columns = np.flatnonzero(retina.any(axis=1)), np.flatnonzero(retina.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    border = [image[:8].mean(), image[-8:].mean(), image[:, :8].mean(), image[:, -8:].mean()]
    return [retina.mean(), height, width, width / height, *border]


@pytest.mark.slow
def test_neither_colours_nor_size_nor_border_tell_the_class(tmp_path: Path) -> None:
    draw_dataset(tmp_path / "set", train=240, test=120)
    train = [(path, CLASSES.index(path.parent.name)) for path in sorted((tmp_path / "set").glob("train/*/*/*.jpg"))]
    rows = [line.split(",") for line in (tmp_path / "set" / "test" / "test_label").read_text().splitlines()]
    test = [(tmp_path / "set" / "test" / row[0] / row[1], int(row[2])) for row in rows]
    assert (len(train), len(test)) == (240, 120)
    sides = read(train), read(test)
    for measure in (colours, colours_of_the_retina, shape):
        assert accuracy(sides, measure) < 0.45, measure.__name__
