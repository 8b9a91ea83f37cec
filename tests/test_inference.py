"""Predicting photographs: order, count, memory, and what is no photograph."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from dataprep.photograph import Preparation, prepare_array, prepare_blank
from model.inference import classes_of, infer, predictor
from tests import small_network

PREPARATION = Preparation(32, local_average=False, mask=False, crop=False)


def grey(value: int, height: int = 90, width: int = 120) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def by_brightness(images: np.ndarray) -> np.ndarray:
    """Stands in for a network: class 0 to 3 by the brightness of an image."""
    return np.eye(4)[np.clip(images.max(axis=(1, 2, 3)) // 64, 0, 3).astype(int)].astype("float32")


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_each_photograph_gets_its_class_in_order_as_a_python_int(batch_size: int) -> None:
    wanted = [3, 0, 1, 2, 2, 0, 3, 1, 1]
    found = infer([grey(64 * label + 20) for label in wanted], by_brightness, PREPARATION, batch_size)
    assert found == wanted
    assert all(type(label) is int for label in found)


def test_no_photographs_give_no_predictions() -> None:
    network = small_network.network()
    assert infer([], network.predict, network.settings.preparation) == []


def test_what_is_no_photograph_gets_the_prediction_of_a_blank_one_and_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    blank = classes_of(by_brightness(prepare_blank(PREPARATION)[None]))[0]
    wrong = [None, np.zeros((0, 0, 3), np.uint8), np.zeros((5, 5, 7), np.uint8), grey(200).astype("float64"), "text"]
    found = infer([grey(20), *wrong, grey(220)], by_brightness, PREPARATION, batch_size=3)
    assert found == [0, *[blank] * len(wrong), 3]
    warnings = capsys.readouterr().err.splitlines()
    assert warnings == [
        "warning: 5 of 7 photographs could not be used (the first is number 1); they get the prediction of a blank image"
    ]


def test_photographs_are_taken_one_at_a_time() -> None:
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0

    def photographs() -> Iterator[np.ndarray]:
        nonlocal most
        for _ in range(40):
            image = grey(100)
            alive.append(weakref.ref(image))
            most = max(most, sum(reference() is not None for reference in alive))
            yield image
            del image

    assert len(infer(photographs(), by_brightness, PREPARATION, batch_size=16)) == 40
    assert most <= 2


def test_the_predictor_gives_what_the_model_gives() -> None:
    network = small_network.network()
    images = small_network.data(20).train_images[:]
    wanted = network.model(images.astype("float32"), training=False).numpy()
    np.testing.assert_allclose(predictor(network.model, batch_size=6)(images), wanted, atol=1e-6)


def test_a_photograph_is_prepared_as_in_training() -> None:
    network = small_network.network()
    photograph = np.random.default_rng(0).integers(0, 255, (200, 240, 3), np.uint8)
    prepared = prepare_array(photograph, network.settings.preparation)
    assert infer([photograph], network.predict, network.settings.preparation) == classes_of(
        network.predict(prepared[None])
    )
