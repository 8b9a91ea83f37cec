"""Predicting one image."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks import baselines
from benchmarks.networks import DEFAULT, inputs, trained
from benchmarks.photographs import draw
from benchmarks.records import MILLISECONDS, Record
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from model.predict.inference import infer
from model.predict.predictor import Predictor

_KERAS, _OURS = "model.predict on one prepared image", "predictor on it"
_SMALL, _LARGE = "infer on a 640x512 photograph", "infer on a 3900x3072 photograph"
_COMPETITION = "3900x3072: INTER_AREA, GaussianBlur, model.predict"


def benchmark(plan: Plan) -> list[Record]:
    """Milliseconds an image, of a prepared one and of photographs as `infer` is fed them."""
    size, width = DEFAULT
    network = trained(plan, size, width)
    prepared = inputs(plan, size, 1)
    in_memory = prepared.astype(np.float32)
    small, large = draw(0, (640, 512)), draw(0)
    predict = Predictor(network.model)
    ways = [
        Way(_KERAS, partial(baselines.predict, network.model, in_memory)),
        Way(_OURS, partial(predict, prepared)),
        Way(_SMALL, partial(infer, [small], predict, network.preparations)),
        Way(_LARGE, partial(infer, [large], predict, network.preparations)),
        Way(_COMPETITION, partial(baselines.infer, [large], network.model, size)),
    ]
    samples = measure(ways, plan.rounds(15, 3), least=plan.rounds(20, 5) / 100)
    return [
        samples.faster(_OURS, _KERAS, MILLISECONDS, 4),
        samples.faster(_SMALL, _KERAS, MILLISECONDS, 4),
        samples.faster(_LARGE, _KERAS, MILLISECONDS),
        samples.faster(_LARGE, _COMPETITION, MILLISECONDS),
    ]
