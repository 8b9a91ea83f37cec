"""Batches for Keras."""

import re

import keras
import numpy as np
import pytest

import dataprep.batches
from dataprep.augment import augment
from dataprep.batches import training_batches
from model.console import one_line

N = 23
LABELS = np.arange(N) % 4
# The first pixel tells which image it is.
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 8, 8, 3)).astype(np.uint8)
IMAGES[:, 0, 0, 0] = np.arange(N)


def batches(passes: range, strength: float = 0.0, seed: int = 3, **more) -> list[tuple[np.ndarray, ...]]:
    numbers = range(5 * passes.start, 5 * passes.stop)
    dataset = training_batches(IMAGES, LABELS, 4, batch_size=5, batches=numbers, strength=strength, seed=seed, **more)
    return [tuple(part.numpy() for part in batch) for batch in dataset]


def same(some, others) -> bool:
    return all((a == b).all() for x, y in zip(some, others, strict=True) for a, b in zip(x, y, strict=True))


def test_a_pass_holds_each_image_once_with_its_label_and_weight() -> None:
    weights = np.linspace(0.5, 2, N)
    epochs = batches(range(3), sample_weights=weights)
    assert [len(batch[0]) for batch in epochs] == [5, 5, 5, 5, 3] * 3
    orders = []
    for epoch in range(3):
        images, one_hot, weight = (
            np.concatenate(part) for part in zip(*epochs[5 * epoch : 5 * epoch + 5], strict=True)
        )
        assert images.dtype == one_hot.dtype == weight.dtype == np.float32
        order = images[:, 0, 0, 0].astype(int)
        orders.append(order.tolist())
        assert sorted(order) == list(range(N))
        assert (images == IMAGES[order]).all()
        assert (one_hot == np.eye(4)[LABELS[order]]).all()
        assert weight == pytest.approx(weights[order])
    assert orders[0] != orders[1] != orders[2]


def test_weights_are_one_unless_given() -> None:
    assert all((batch[2] == 1).all() for batch in batches(range(1)))


@pytest.mark.parametrize(("smoothing", "classes"), [(0.1, 4), (0.02, 7), (1.0, 4)])
def test_smoothed_labels_are_those_of_keras(smoothing: float, classes: int) -> None:
    dataset = training_batches(
        IMAGES, LABELS, classes, batch_size=N, batches=range(1), strength=0.0, seed=3, label_smoothing=smoothing
    )
    ((images, targets, _),) = [tuple(part.numpy() for part in batch) for batch in dataset]
    one_hot = np.eye(classes, dtype=np.float32)[LABELS[images[:, 0, 0, 0].astype(int)]]
    answered = np.random.default_rng(0).dirichlet(np.ones(classes), N).astype(np.float32)
    wanted = keras.losses.categorical_crossentropy(one_hot, answered, label_smoothing=smoothing)
    np.testing.assert_allclose(keras.losses.categorical_crossentropy(targets, answered), wanted, rtol=1e-6)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)


def test_the_same_seed_gives_the_same_batches() -> None:
    first = batches(range(2), strength=1.0)
    assert same(first, batches(range(2), strength=1.0))
    assert not same(first, batches(range(2), strength=1.0, seed=4))


def test_each_batch_calls_on_batch_with_its_number() -> None:
    made: list[int] = []
    assert len(batches(range(3, 5), on_batch=made.append)) == 10
    assert sorted(made) == list(range(10))


def test_going_on_from_a_pass_gives_what_it_would_have_been() -> None:
    assert same(batches(range(2, 4), strength=1.0), batches(range(4), strength=1.0)[10:])


def test_augmentation_is_that_of_the_image_and_the_pass() -> None:
    plain, augmented = batches(range(4, 6)), batches(range(4, 6), strength=0.7)
    for number, (before, after) in enumerate(zip(plain, augmented, strict=True)):
        order = before[0][:, 0, 0, 0].astype(int)
        assert (after[0] == augment(IMAGES[order], 3, 4 + number // 5, order, 0.7)).all()
        assert after[0].min() >= 0 and after[0].max() <= 255


def test_memory_mapped_images_are_read_as_they_are(tmp_path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    dataset = training_batches(mapped, LABELS, 4, batch_size=5, batches=range(5), strength=0.0, seed=3)
    assert same([tuple(part.numpy() for part in batch) for batch in dataset], batches(range(1)))


def test_the_shapes_are_known_and_the_autotuner_is_off() -> None:
    dataset = training_batches(IMAGES, LABELS, 4, batch_size=5, batches=range(10), strength=1.0, seed=0)
    assert [tuple(spec.shape) for spec in dataset.element_spec] == [(None, 8, 8, 3), (None, 4), (None,)]
    assert int(dataset.cardinality()) == 10
    assert dataset.options().autotune.enabled is False
    assert dataset.options().deterministic is True


@pytest.mark.parametrize(
    ("mine", "line"),
    [
        (
            lambda images, *rest: images[0, 0, 0, 7],
            rf"IndexError: index 7 is out of bounds .* \({__file__}, line \d+\)",
        ),
        (
            lambda images, *rest: images[:, ::2],
            r"ValueError: augment returned an array of shape \(5, 4, 8, 3\); return",
        ),
    ],
)
def test_a_fault_in_ones_own_augmentation_is_named_with_its_place(mine, line, monkeypatch) -> None:
    monkeypatch.setattr(dataprep.batches, "augment", mine)
    with pytest.raises(Exception, match="Error in user-defined function") as raised:
        batches(range(1))
    assert re.match(line, one_line(raised.value))


def test_ones_own_augmentation_may_return_another_type_of_number(monkeypatch) -> None:
    plain = batches(range(1))
    monkeypatch.setattr(dataprep.batches, "augment", lambda images, *rest: images.astype(np.float64))
    assert same(batches(range(1)), plain)
