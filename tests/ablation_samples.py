"""Outcomes of runs of an ablation that nobody made, for the tests of what is made of them."""

from __future__ import annotations

import numpy as np

from dataprep.photograph import Preparation
from model.ablation.arms import Record
from model.ablation.runs import Outcome
from model.predictions import Predictions
from model.recipe import winning_recipe
from model.settings import Settings

RECORD = Record(Settings(Preparation(64), ("NORMAL", "AMD"), 16, 5, 0.5, folds=2), winning_recipe(32, 0.003, 16))


def predictions(seed: int, count: int = 40, skill: float = 1.0, patients: int = 20, start: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    raised = rng.normal(0, 1, count) + skill * (2 * labels - 1)
    second = 1 / (1 + np.exp(-raised))
    return Predictions(
        [f"{start + i}.jpg" for i in range(count)], [f"p{(start + i) % patients}" for i in range(count)], labels,
        np.stack([1 - second, second], axis=1).astype(np.float32),
    )  # fmt: skip


def outcome(validation: Predictions | None, test: Predictions | None = None, failed: str = "") -> Outcome:
    return Outcome(validation, test, 60.0, 90.0, "2026-01-02 03:04", "a machine", failed)
