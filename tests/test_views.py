"""Averaging predictions over the symmetries of the square."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from model.network import Network
from model.predict import views
from model.predict.inference import infer
from model.predict.views import averaged_over, symmetries
from tests import small_network

TURNS = (None, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)


def by_opencv(image: np.ndarray) -> list[np.ndarray]:
    """The eight views of one image."""
    turned = [image if turn is None else cv2.rotate(image, turn) for turn in TURNS]
    return [*turned, *(cv2.flip(each, 1) for each in turned)]


@pytest.fixture(scope="module")
def network() -> Network:
    return small_network.network()


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return small_network.data(20).train_images[:7]


def test_the_views_are_the_eight_symmetries_of_the_square(images: np.ndarray) -> None:
    shown = {np.ascontiguousarray(view[0]).tobytes() for view in symmetries(images)}
    assert shown == {np.ascontiguousarray(view).tobytes() for view in by_opencv(images[0])}
    assert len(shown) == 8


def test_probabilities_are_the_mean_of_those_of_the_views(network: Network, images: np.ndarray) -> None:
    wanted = [
        network.model(np.stack(by_opencv(image)).astype("float32"), training=False).numpy().mean(axis=0)
        for image in images
    ]
    probabilities = averaged_over(8, network.predict)(images)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, wanted, atol=1e-6)
    assert np.abs(probabilities - network.predict(images)).max() > 1e-4


def test_a_turned_photograph_gets_the_same_probabilities(network: Network, images: np.ndarray) -> None:
    predict = averaged_over(8, network.predict)
    np.testing.assert_allclose(predict(np.stack(by_opencv(images[0]))), predict(images[:1]).repeat(8, 0), atol=1e-6)


def test_a_photograph_gets_the_same_probabilities_in_every_batch(
    network: Network, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = averaged_over(8, network.predict)(images)
    shown: list[tuple[int, int]] = []
    monkeypatch.setattr(views, "_BATCH", 3)
    by_three = averaged_over(8, network.predict, lambda done, total: shown.append((done, total)))
    np.testing.assert_allclose(by_three(images), together, atol=1e-6)
    assert shown == [(min(done, len(images)), len(images)) for done in range(3, len(images) + 3, 3)]
    alone = np.concatenate([averaged_over(8, network.predict)(image[None]) for image in images])
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_no_photographs_give_no_predictions(network: Network) -> None:
    assert infer([], averaged_over(8, network.predict), network.preparations).shape == (0, 4)
