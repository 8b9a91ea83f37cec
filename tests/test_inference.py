"""Predicting photographs: order, count, memory, and what is no photograph."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from dataprep.photograph import Preparation, prepare_array, prepare_blank
from model.predict.inference import infer
from model.predict.predictor import Predictor
from model.run.entry import Hooks
from tests import small_network

PREPARATION = Preparation(32, local_average=False, mask=False, crop=False)


def grey(value: int, height: int = 90, width: int = 120) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def by_brightness(images: np.ndarray) -> np.ndarray:
    """Stands in for a network: class 0 to 3 by the brightness of an image."""
    return np.eye(4)[np.clip(images.max(axis=(1, 2, 3)) // 64, 0, 3).astype(int)].astype("float32")


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_each_photograph_gets_its_class_in_order(batch_size: int) -> None:
    wanted = [3, 0, 1, 2, 2, 0, 3, 1, 1]
    predictions = infer([grey(64 * label + 20) for label in wanted], by_brightness, [PREPARATION], batch_size)
    assert predictions.argmax(axis=1).tolist() == wanted


def test_no_photographs_give_no_predictions() -> None:
    network = small_network.network()
    assert infer([], network.predict, network.preparations).shape == (0, 4)


def test_what_is_no_photograph_gets_the_prediction_of_a_blank_one_and_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    blank = by_brightness(prepare_blank(PREPARATION)[None]).argmax()
    wrong = [None, np.zeros((0, 0, 3), np.uint8), np.zeros((5, 5, 7), np.uint8), grey(200).astype("float64"), "text"]
    predictions = infer([grey(20), *wrong, grey(220)], by_brightness, [PREPARATION], batch_size=3)
    assert predictions.argmax(axis=1).tolist() == [0, *[blank] * len(wrong), 3]
    warnings = capsys.readouterr().err.splitlines()
    assert warnings == [
        "warning: 5 of 7 photographs could not be used (the first is number 1); they get the prediction of a blank image"
    ]


class Alive:
    """Full-size photographs of which it is known how many are in memory at a time."""

    def __init__(self) -> None:
        self.references: list[weakref.ref[np.ndarray]] = []
        self.most = 0

    def make(self) -> np.ndarray:
        image = grey(100)
        self.references.append(weakref.ref(image))
        self.most = max(self.most, sum(reference() is not None for reference in list(self.references)))
        return image


class Lazy(Sequence[np.ndarray]):
    """Decodes a photograph when it is indexed, the earlier ones of each four more slowly."""

    def __init__(self, count: int) -> None:
        self.count, self.alive, self.threads = count, Alive(), set[int]()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: Any) -> Any:
        self.threads.add(threading.get_ident())
        time.sleep(0.002 * (3 - index % 4))
        image = self.alive.make()
        image[:] = 64 * (index % 4) + 20
        return image


def test_a_sequence_is_decoded_by_two_threads_and_keeps_its_order() -> None:
    photographs = Lazy(41)
    predictions = infer(photographs, by_brightness, [PREPARATION], batch_size=16)
    assert predictions.argmax(axis=1).tolist() == [index % 4 for index in range(41)]
    assert len(photographs.threads) == 2
    assert photographs.alive.most <= 3


def test_other_iterables_are_iterated_by_the_caller_and_few_photographs_stay_in_memory() -> None:
    alive, threads = Alive(), set()

    def photographs() -> Iterator[np.ndarray]:
        for _ in range(40):
            threads.add(threading.get_ident())
            yield alive.make()

    assert len(infer(photographs(), by_brightness, [PREPARATION], batch_size=16)) == 40
    assert threads == {threading.get_ident()}
    assert alive.most <= 4


def test_a_sequence_is_not_decoded_far_ahead_of_the_predictions() -> None:
    photographs = Lazy(60)
    made: list[int] = []

    def predict(images: np.ndarray) -> np.ndarray:
        time.sleep(0.05)
        made.append(len(photographs.alive.references))
        return by_brightness(images)

    infer(photographs, predict, [PREPARATION], batch_size=4)
    assert all(count <= 4 * (number + 2) for number, count in enumerate(made, 1))


@pytest.mark.parametrize("kind", [list, Lazy])
def test_an_error_of_the_data_is_raised_as_it_is(kind: type) -> None:
    class Broken(Lazy):
        def __getitem__(self, index: Any) -> Any:
            if index == 5:
                raise OSError("the disk is gone")
            return super().__getitem__(index)

    broken = Broken(20)
    data: Any = broken if kind is Lazy else (broken[index] for index in range(20))
    with pytest.raises(OSError, match=r"^the disk is gone$"):
        infer(data, by_brightness, [PREPARATION], batch_size=4)


def test_an_array_of_photographs_is_predicted_as_a_list_of_them() -> None:
    photographs = np.stack([grey(64 * label + 20) for label in (2, 0, 3)])
    assert infer(photographs, by_brightness, [PREPARATION]).argmax(axis=1).tolist() == [2, 0, 3]


def test_the_predictor_gives_what_the_model_gives() -> None:
    network = small_network.network()
    images = small_network.data(20).train_images[:]
    wanted = network.model(images.astype("float32"), training=False).numpy()
    np.testing.assert_allclose(Predictor(network.model, batch_size=6)(images), wanted, atol=1e-6)


def test_a_photograph_is_prepared_as_in_training() -> None:
    network = small_network.network()
    photograph = np.random.default_rng(0).integers(0, 255, (200, 240, 3), np.uint8)
    prepared = prepare_array(photograph, network.settings.preparation)
    np.testing.assert_array_equal(
        infer([photograph], network.predict, network.preparations), network.predict(prepared[None])
    )


def test_a_dataset_gets_label_numbers_or_where_it_is_scored_by_them_a_probability_for_each_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hooks = Hooks()
    hooks.held = network = small_network.network(classes=("NORMAL", "RVO"), numbers=(0, 2))
    photographs = [np.random.default_rng(seed).integers(0, 255, (40, 40, 3), np.uint8) for seed in range(3)]
    wanted = infer(photographs, network.predict, network.preparations)
    answers = hooks.infer(photographs)
    assert answers == [(0, 2)[place] for place in wanted.argmax(axis=1)]
    assert all(type(answer) is int for answer in answers)
    monkeypatch.setenv("NSML_METRIC", "auroc")
    assert hooks.infer(photographs) == [[float(a), 0.0, float(b)] for a, b in wanted]
