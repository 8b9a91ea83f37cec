"""Outcomes of runs of an ablation that nobody made, and photographs for runs that are made, for the tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from evidence.ablation.arms import Record
from evidence.ablation.runs import Outcome
from model.recipes import winning
from model.records import Predictions
from model.settings import Settings

RECORD = Record(Settings(replace(winning(), image_size=64), ("NORMAL", "AMD"), folds=2))


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


def draw_dataset(root: Path) -> Path:
    """A dataset of two classes at `root`, each patient with two eyes, and test photographs with labels."""
    rng = np.random.default_rng(0)
    lines = []
    for number in range(16):
        for eye in "RL":
            name, code, label = (("NORMAL", "NOR", 0), ("AMD", "AMD", 1))[number % 2]
            _draw(root / "train" / "train_data" / name / f"Wide_{code}_{number}_{eye}.jpg", label, rng)
    for number in range(8):
        label = number % 2
        _draw(root / "test" / "test_data" / f"{number}.jpg", label, rng)
        lines.append(f"test_data,{number}.jpg,{label}\n")
    (root / "test" / "test_label").write_text("".join(lines), encoding="utf-8")
    return root


def _draw(path: Path, label: int, rng: np.random.Generator) -> None:
    image = np.zeros((60, 60, 3), np.uint8)
    cv2.circle(image, (30, 30), 28, (60, 90, 170), -1)
    if label:
        cv2.circle(image, tuple(int(v) for v in rng.integers(20, 40, 2)), 5, (240, 240, 240), -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
