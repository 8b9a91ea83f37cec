"""Predicting prepared images."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np

from benchmarks import baselines
from benchmarks.networks import DEFAULT, HALF_WIDTH, inputs, trained
from benchmarks.records import Condition, Record, rate
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from dataprep.labels import CLASSES
from evidence.machine import has_bfloat16_units
from model.network import begin_network
from model.predict.predictor import Predict, Predictor
from model.recipes import transfer
from model.settings import Settings


def benchmark(plan: Plan) -> list[Record]:
    """Images a second, and how far the probabilities of a trained network are from Keras' own."""
    target = 6.5 if has_bfloat16_units() else 1.25
    records: list[Record] = []
    for size, width in (DEFAULT, HALF_WIDTH)[: plan.rounds(2, 1)]:
        model, where = trained(plan, size, width).model, f"{size} pixels, width {width}"
        records += _of_model(plan, model, predictors(model), where, plan.rounds(1000, 300), target)
    # Its last layer is not trained, which changes no time, but what rounding does to its answers.
    model = begin_network(Settings(transfer(), CLASSES)).model
    ours: dict[str, Predict] = {"predictor": Predictor(model)}
    return records + _of_model(plan, model, ours, "EfficientNet-Lite0, 224 pixels", plan.rounds(200, 32), 1.5)


def _of_model(
    plan: Plan, model: keras.Model, predict: dict[str, Predict], where: str, count: int, target: float
) -> list[Record]:
    images = inputs(plan, model.input_shape[1], count)
    in_memory = images.astype(np.float32)
    keras_way = f"model.predict, {where}"
    ours = {f"{name}, {where}": function for name, function in predict.items()}
    ways = [
        Way(keras_way, partial(baselines.predict, model, in_memory), count),
        *(Way(name, partial(function, images), count) for name, function in ours.items()),
    ]
    samples = measure(ways, plan.rounds(5, 3), least=0)
    exact = baselines.predict(model, in_memory)
    # What the template takes by itself is what was promised.
    records: list[Record] = [
        samples.faster(name, keras_way, rate("images"), None if number else target) for number, name in enumerate(ours)
    ]
    for name, function in ours.items():
        probabilities = function(images)
        same = float((probabilities.argmax(1) == exact.argmax(1)).mean())
        largest = float(np.abs(probabilities - exact).max())
        records += [
            Condition(f"same class, {name}", 100 * same, "%", "at least", 99.9),
            Condition(f"largest difference of a probability, {name}", largest, "", "at most", 2e-3),
        ]
    return records


def predictors(model: object) -> dict[str, Predict]:
    """The template's prediction as it chooses by itself, then at each precision that it can be told."""
    told = {f"predictor in {name}": Predictor(model, precision=name) for name in ("float32", "bfloat16")}
    return {"predictor": Predictor(model), **told}
