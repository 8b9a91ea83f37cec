"""Predicting prepared images."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks import baselines
from benchmarks.networks import DEFAULT, HALF_WIDTH, inputs, trained
from benchmarks.records import Condition, Record, rate
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from evidence.machine import has_bfloat16_units
from model.predict.predictor import Predict, predictor


def benchmark(plan: Plan) -> list[Record]:
    """Images a second, and how far the probabilities of a trained network are from Keras' own."""
    found: list[Record] = []
    for size, width in (DEFAULT, HALF_WIDTH)[: plan.rounds(2, 1)]:
        found += _of_network(plan, size, width)
    return found


def _of_network(plan: Plan, size: int, width: int) -> list[Record]:
    model = trained(plan, size, width).model
    count = plan.rounds(1000, 300)
    images = inputs(plan, size, count)
    in_memory = images.astype(np.float32)
    where = f"{size} pixels, width {width}"
    keras_way = f"model.predict, {where}"
    ours = {f"{name}, {where}": function for name, function in predictors(model).items()}
    ways = [
        Way(keras_way, partial(baselines.predict, model, in_memory), count),
        *(Way(name, partial(function, images), count) for name, function in ours.items()),
    ]
    samples = measure(ways, plan.rounds(5, 3), least=0)
    target = 6.5 if has_bfloat16_units() else 1.25
    exact = baselines.predict(model, in_memory)
    # What the template takes by itself is what was promised.
    found: list[Record] = [
        samples.faster(name, keras_way, rate("images"), None if number else target) for number, name in enumerate(ours)
    ]
    for name, function in ours.items():
        probabilities = function(images)
        same = float((probabilities.argmax(1) == exact.argmax(1)).mean())
        largest = float(np.abs(probabilities - exact).max())
        found += [
            Condition(f"same class, {name}", 100 * same, "%", "at least", 99.9),
            Condition(f"largest difference of a probability, {name}", largest, "", "at most", 2e-3),
        ]
    return found


def predictors(model: object) -> dict[str, Predict]:
    """The template's prediction as it chooses by itself, then at each precision that it can be told."""
    found: dict[str, Predict] = {"predictor": predictor(model)}
    make: Callable[..., Predict] = predictor
    if "precision" in inspect.signature(make).parameters:
        found |= {f"predictor in {name}": make(model, precision=name) for name in ("float32", "bfloat16")}
    return found
