"""Training on a few small images, and the numbers that are reported of it."""

from __future__ import annotations

import dataclasses
import re
import time
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, multilabel_confusion_matrix, recall_score
from sklearn.utils.class_weight import compute_class_weight

from dataprep import batches
from dataprep.augment import augment
from model.data import Rows
from model.metrics import METRICS, score
from model.recipes import Recipe
from model.training import InputWait, TrainingError, class_weights, cosine
from tests import small_network
from tests.small_network import train


class Record:
    """What a training reports and saves."""

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self.saved: list[Any] = []
        self.seconds = 0.0

    def report(self, **values: Any) -> None:
        self.reports.append(values)

    def save(self, name: Any) -> None:
        self.saved.append(name)


def run(recipe: Recipe, save_every: int = 2, images: int = 48, **changed: object) -> Record:
    record = Record()
    train(
        small_network.network(**changed), recipe, small_network.data(images),
        report=record.report, save=record.save, save_every=save_every,
    )  # fmt: skip
    return record


def test_it_learns_what_can_be_learned(capsys: pytest.CaptureFixture[str]) -> None:
    record = run(small_network.recipe(9, 3, learning_rate=0.03), images=96)
    last = record.reports[-1]
    assert last["val__accuracy"] > 0.9
    assert last["val__loss"] < record.reports[0]["val__loss"]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12
    assert lines[0].startswith("epoch  1/12 strong  loss ")
    assert lines[-1].startswith("epoch 12/12 gentle  loss ")
    assert lines[-1].endswith("0:00 left")


def test_each_epoch_is_reported_checkpoints_are_saved_when_due_and_the_step_is_traced_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traced: list[int] = []
    step = keras.Model.train_step
    monkeypatch.setattr(keras.Model, "train_step", lambda model, data: traced.append(1) or step(model, data))
    record = run(small_network.recipe(3, 2), save_every=2)
    assert len(traced) == 1
    assert [values["step"] for values in record.reports] == [1, 2, 3, 4, 5]
    for values in record.reports:
        assert values["summary"] is True
        assert {"train__loss", "train__accuracy", "val__loss", "val__accuracy", "val__score"} < values.keys()
        assert values.pop("phase") == ("strong" if values["step"] <= 3 else "gentle")
        assert all(np.isfinite(value) for value in values.values())
    assert [name for name in record.saved if name != "best"] == [2, 3, 4, 5]


def test_the_best_epoch_is_the_one_with_the_lowest_loss_of_the_current_phase() -> None:
    record = run(small_network.recipe(3, 3))
    losses = [values["val__loss"] for values in record.reports]
    falls = [loss < min(losses[number // 3 * 3 : number], default=np.inf) for number, loss in enumerate(losses)]
    assert falls[0] and falls[3]
    assert record.saved.count("best") == sum(falls)


def test_the_share_of_an_epoch_spent_waiting_for_input_is_printed(capsys, monkeypatch) -> None:
    def prepared(*arguments: Any) -> np.ndarray:
        time.sleep(0.3)  # many times what a step takes
        return augment(*arguments)

    monkeypatch.setattr(batches, "augment", prepared)
    run(small_network.recipe(3, 1))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    # Not the first epoch, which has the compilation in it, nor the last, a phase whose first wait is not counted.
    assert all(30 <= int(re.search(r" input (\d+)%", line)[1]) <= 100 for line in lines[1:3])


def test_waiting_is_from_when_a_step_could_begin_until_its_batch_is_ready(monkeypatch) -> None:
    now = 0.0
    monkeypatch.setattr("model.training.time.monotonic", lambda: now)
    waiting = InputWait()
    for number, (ready, asked) in enumerate([(1.0, 0.0), (2.0, 5.0), (9.0, 6.5)]):
        now = ready
        waiting.made(number)
        now = asked
        waiting.asked()
        waiting.ended(number)
    # Not the second of the first step, which is compiled in it.
    assert waiting.take() == 0.0 + 2.5
    assert waiting.take() == 0.0


def test_the_lowest_loss_of_an_earlier_run_has_to_be_beaten() -> None:
    record = run(small_network.recipe(1, 2), epoch=2, phase="gentle", best_loss=0.0)
    assert [values["step"] for values in record.reports] == [3]
    assert record.saved == [3]


def test_the_metric_of_the_dataset_chooses_the_best_epoch_and_of_equal_ones_the_loss(
    capsys: pytest.CaptureFixture[str],
) -> None:
    network, record = small_network.network(), Record()
    recipe = small_network.recipe(1, 4)
    train(network, recipe, small_network.data(48), report=record.report, save=record.save, metric="kappa")
    ranks = [(values["val__kappa"], -values["val__loss"]) for values in record.reports[1:]]
    assert record.saved.count("best") == 1 + sum(rank == max(ranks[: n + 1]) for n, rank in enumerate(ranks))
    best = ranks.index(max(ranks))
    settings = network.settings
    assert (settings.best_by, settings.best_epoch, settings.best_value) == ("kappa", best + 2, ranks[best][0])
    assert f"kappa {ranks[0][0]:.3f}" in capsys.readouterr().out.splitlines()[1]


@pytest.mark.parametrize("metric", ["kappa", "balanced_accuracy", "f1", "auroc"])
@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.lists(st.integers(1, 9), min_size=3, max_size=3)), min_size=2),
    st.sampled_from([(0, 1, 2), (0, 2, 3)]),
)
def test_the_metrics_are_those_of_the_platform(
    metric: str, rows: list[tuple[int, list[int]]], numbers: tuple[int, int, int]
) -> None:
    from nsml.scoring.metrics import METRICS as SCORERS

    labels = np.array([label for label, _ in rows])
    probabilities = np.array([row for _, row in rows], float)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assume(len(set(labels.tolist())) > 1)
    numbered = np.array(numbers)
    answers = numbered[probabilities.argmax(axis=1)].tolist()
    truth = numbered[labels].tolist()
    if metric == "auroc":  # whose rows have a column for each label number
        answers = [
            [dict(zip(numbers, row, strict=True)).get(n, 0.0) for n in range(4)] for row in probabilities.tolist()
        ]
    expected = SCORERS[metric].compute(truth, answers).score
    assert METRICS[metric](numbered, labels, probabilities) == pytest.approx(expected)


def test_a_loss_that_is_no_number_stops_with_one_line_and_saves_nothing() -> None:
    record = Record()
    network = small_network.network()
    network.model.trainable_variables[0].assign(network.model.trainable_variables[0] * float("nan"))
    with pytest.raises(
        TrainingError, match=r"^the loss is (nan|inf) in epoch 1; give a smaller --learning_rate than 1$"
    ):
        train(
            network, small_network.recipe(2, 1, 1.0), small_network.data(),
            report=record.report, save=record.save,
        )  # fmt: skip
    assert not record.saved
    assert not record.reports


def test_each_checkpoint_can_hold_the_validation_predictions_of_its_own_epoch() -> None:
    network = small_network.network()
    data = small_network.data()
    names = [f"{number}.jpg" for number in range(len(data.validation_labels))]
    named = dataclasses.replace(data, validation_samples=names, validation_patients=names[::-1])
    reported: list[float] = []
    saved: dict[Any, tuple[int, float]] = {}

    def report(**values: Any) -> None:
        reported.append(values["val__accuracy"])

    def save(name: Any) -> None:
        assert network.validation is not None
        assert (network.validation.samples, network.validation.patients) == (names, names[::-1])
        right = network.validation.probabilities.argmax(axis=1) == network.validation.labels
        saved[name] = (network.settings.epoch, right.mean())

    train(network, small_network.recipe(3, 2), named, report=report, save=save, save_every=1)
    assert saved.keys() == {1, 2, 3, 4, 5, "best"}
    assert all(accuracy == pytest.approx(reported[epoch - 1]) for epoch, accuracy in saved.values())


def test_a_training_whose_photographs_have_no_names_keeps_no_predictions() -> None:
    network = small_network.network()
    train(
        network, small_network.recipe(1, 1), small_network.data(),
        report=lambda **values: None, save=lambda name: None,
    )  # fmt: skip
    assert network.validation is None


def test_a_cosine_falls_over_the_first_tenth_and_falls_to_nothing() -> None:
    shares = [cosine(step / 1000) for step in range(1000)]
    assert shares[:100] == sorted(shares[:100])
    assert shares[100:] == sorted(shares[100:], reverse=True)
    assert 0 < shares[0] < 0.02
    assert shares[100] == 1
    assert shares[550] == pytest.approx(0.5)
    assert shares[-1] < 1e-4


def test_a_decayed_rate_ends_near_nothing_and_a_prediction_of_one_class_is_warned_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    network = small_network.network(decay="cosine", optimizer="adamw", weight_decay=0.01, learning_rate=1e-7)
    dense = network.model.layers[-2]
    dense.bias.assign([9.0, 0.0, 0.0, 0.0])
    train(
        network, small_network.recipe(3, 1, 1e-7), small_network.data(),
        report=lambda **values: None, save=lambda name: None,
    )  # fmt: skip
    assert 0 < float(network.optimizer.learning_rate) < 1e-8
    assert "warning: epoch 1 predicts NORMAL for every validation photograph\n" in capsys.readouterr().out


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.floats(0, 1))
def test_class_weights_go_from_none_to_all_classes_alike(labels: list[int], power: float) -> None:
    counts = np.bincount(labels)
    weights = class_weights(np.array(labels), power)
    assert weights[np.array(labels)].mean() == pytest.approx(1, rel=1e-5)
    present = counts[counts > 0]
    ratios = weights[counts > 0] / weights[counts > 0][0]
    np.testing.assert_allclose(ratios, (present[0] / present) ** power, rtol=1e-5)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_full_class_weights_are_those_of_scikit_learn(labels: list[int]) -> None:
    weights = class_weights(np.array(labels), 1.0)
    present = np.unique(labels)
    np.testing.assert_allclose(weights[present], compute_class_weight("balanced", classes=present, y=labels), rtol=1e-6)
    assert weights[np.array(labels)].mean() == pytest.approx(1)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_the_score_is_made_of_the_figures_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels, predictions = np.array(pairs).T
    present = np.unique(labels)
    result = score(labels, predictions)
    assert result.accuracy == pytest.approx(accuracy_score(labels, predictions))
    assert result.sensitivity == pytest.approx(recall_score(labels, predictions, labels=present, average="macro"))
    tables = multilabel_confusion_matrix(labels, predictions, labels=present)
    defined = [t[0, 0] / (t[0, 0] + t[0, 1]) for t in tables if t[0].sum()]
    assert result.specificity == pytest.approx(np.mean(defined) if defined else 0.0)
    assert result.value == pytest.approx(
        round(result.accuracy, 4) * 100 + round(result.sensitivity, 4) / 100 + round(result.specificity, 4) / 1e6,
        abs=1e-10,
    )


def test_the_score_of_a_known_example() -> None:
    # accuracy 3/4; sensitivity (1/2 + 1 + 1)/3, specificity (1 + 2/3 + 1)/3, the fourth class being absent
    assert score(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])).value == 75.0083338889


@pytest.mark.parametrize(("labels", "predictions"), [([], []), ([1], [1, 2])])
def test_the_score_of_nothing_is_refused(labels: list[int], predictions: list[int]) -> None:
    with pytest.raises(ValueError, match="give one of each for each image"):
        score(np.array(labels), np.array(predictions))


def test_rows_are_those_of_the_array() -> None:
    images = np.arange(5 * 2 * 2 * 3).reshape(5, 2, 2, 3)
    rows = Rows(images, np.array([4, 0, 2]))
    assert len(rows) == 3
    assert rows.shape == (3, 2, 2, 3)
    np.testing.assert_array_equal(rows[1:], images[[0, 2]])
    np.testing.assert_array_equal(rows[np.array([2, 0])], images[[2, 4]])


def in_time(
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    validation: float = 10,
    step: float = 0,
    count: int = 48,
    done: int = 0,
    **changed: Any,
) -> Record:
    """Train after `done` epochs with `seconds` until the deadline, while nothing but validation and steps take time."""
    clock = [0.0]

    def now() -> float:
        clock[0] += 1e-6
        return clock[0]

    monkeypatch.setattr("model.training.time.monotonic", now)
    network, record = small_network.network(**changed), Record()
    network.settings.epoch, network.settings.phase = done, "gentle" if done else ""
    predict = network.predict

    def slowly(images: Any) -> np.ndarray:
        clock[0] += validation
        return predict(images)

    def step_ended(self: Any, number: int) -> None:
        clock[0] += step

    network.predict = slowly
    monkeypatch.setattr("model.training.InputWait.ended", step_ended)
    train(
        network, small_network.recipe(6, 2, **changed), small_network.data(count), report=record.report, save=record.save,
        deadline=seconds,
    )  # fmt: skip
    record.seconds = clock[0]
    return record


@pytest.mark.parametrize(("seconds", "epochs"), [(400, 39), (120, 11), (30, 2), (1, 2)])
def test_a_training_fills_its_time_and_leaves_no_phase_out(monkeypatch, seconds: float, epochs: int) -> None:
    record = in_time(monkeypatch, seconds)
    phases = [values["phase"] for values in record.reports]
    assert len(phases) == epochs
    assert phases.count("gentle") == max(round(epochs / 4), 1)
    assert phases == sorted(phases, reverse=True)
    assert record.saved[-1] in (epochs, "best")


def test_a_training_that_has_ended_goes_on_for_the_hours_that_are_asked_for(monkeypatch, capsys) -> None:
    record = in_time(monkeypatch, 120, done=8)
    assert [(values["step"], values["phase"]) for values in record.reports] == [(n, "gentle") for n in range(9, 20)]
    assert capsys.readouterr().out.startswith("already trained for 8 epochs; --hours goes on from there\n")


def test_a_pass_that_takes_most_of_the_time_is_divided_into_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    record = in_time(
        monkeypatch, 1500, validation=20, step=10, count=120, batch_size=1
    )  # 90 steps a pass, which takes 920 s
    assert [values["phase"] for values in record.reports] == ["strong"] * 4 + ["gentle"]
    assert 0.95 * 1500 < record.seconds < 1500


def test_time_is_left_for_the_validation_over_views(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(in_time(monkeypatch, 400, views=8).reports) == 21  # of the last checkpoint, and of `best`
