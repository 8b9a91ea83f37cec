"""The class of a synthetic photograph is visible only in its lesions, not in colour or shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nsml.demo import CLASSES, draw_dataset

Image = NDArray[np.uint8]


def accuracy(images: list[Image], labels: list[int], measure: Callable[[Image], list[float]]) -> float:
    """Cross-validated accuracy of a logistic regression on the features that `measure` computes from each photograph."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return float(cross_val_score(probe, np.array([measure(image) for image in images]), labels, cv=folds).mean())


def colours(image: Image) -> list[float]:
    return [*image.mean(axis=(0, 1)), *image.std(axis=(0, 1))]


def colours_of_the_retina(image: Image) -> list[float]:
    retina = image[cv2.erode((image.max(axis=2) > 25).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0]
    return [*retina.mean(axis=0), *retina.std(axis=0)]


def shape(image: Image) -> list[float]:
    retina = image.max(axis=2) > 25
    rows, columns = np.flatnonzero(retina.any(axis=1)), np.flatnonzero(retina.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    border = [image[:8].mean(), image[-8:].mean(), image[:, :8].mean(), image[:, -8:].mean()]
    return [retina.mean(), height, width, width / height, *border]


@pytest.mark.slow
def test_colours_size_and_border_do_not_reveal_the_class(tmp_path: Path) -> None:
    draw_dataset(tmp_path / "set", train=196, test=4)
    paths = sorted((tmp_path / "set").glob("train/train_data/*/*.jpg"))
    # At half size: faster, with the same colours and shapes.
    images = [np.asarray(cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2), np.uint8) for path in paths]
    labels = [CLASSES.index(path.parent.name) for path in paths]
    assert len(paths) == 196
    for measure in (colours, colours_of_the_retina, shape):
        assert accuracy(images, labels, measure) < 0.45, measure.__name__
