"""Running the scorer in a process of its own: the organiser's `evaluation.py` where the dataset brings one, else the built-in one."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import NsmlError, PredictionsRefused, RunFailed
from ..store.datasets import Dataset
from ..store.launches import VARIABLE
from .fundus import CLASSES, class_count

_LIMIT = 3600
# An integer or decimal number, also as Python prints very small and very large ones, and what is none.
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf)\b")


@dataclass(frozen=True)
class Score:
    """The score, what the scorer printed before it, and warnings for the user."""

    value: float
    details: str
    warnings: tuple[str, ...]


def classes_of(dataset: Dataset) -> int:
    """Number of classes that a prediction may name."""
    return class_count(dataset.labels) if dataset.labels.exists() else len(CLASSES)


def score(dataset: Dataset, predictions: Path) -> Score:
    """Score a prediction file against the dataset's hidden labels.

    Raises:
        NsmlError: the dataset has no labels.
        PredictionsRefused: the predictions do not fit the test set.
        RunFailed: the organiser's scorer failed, which is not the competitor's fault.
    """
    if dataset.evaluation.exists():
        return _score_with(dataset, predictions)
    if not dataset.labels.exists():
        raise NsmlError(
            f"dataset {dataset.name} has no test/test_label; push it again with labels, or use 'nsml submit -t'"
        )
    command = [sys.executable, "-m", "nsml.scoring.fundus", "--prediction", str(predictions)]
    ended = subprocess.run(
        [*command, "--test_label_path", str(dataset.labels)],
        capture_output=True, text=True, timeout=_LIMIT, env=_environment(), cwd="/", check=False,
    )  # fmt: skip
    lines = ended.stderr.strip().splitlines()
    if ended.returncode == 3:
        raise PredictionsRefused(lines[-1])
    if ended.returncode:
        raise RunFailed(f"the scorer failed: {lines[-1] if lines else f'exit status {ended.returncode}'}")
    details, _, last = ended.stdout.rstrip().rpartition("\n")
    return Score(float(last), details, tuple(line.removeprefix("warning: ") for line in lines))


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != VARIABLE}


def _score_with(dataset: Dataset, predictions: Path) -> Score:
    """The organiser's script, in a folder where the labels lie as on the platform: `data/<DATASET>/test/test_label`."""
    script = dataset.evaluation
    with tempfile.TemporaryDirectory(prefix="nsml-score-") as folder:
        data = Path(folder) / "data" / dataset.name
        data.mkdir(parents=True)
        os.symlink(dataset.folder / "hidden" / "test", data / "test")
        command = [sys.executable, str(script), "--prediction", str(predictions)]
        if "test_label_path" in script.read_text(encoding="utf-8", errors="replace"):
            command += ["--test_label_path", str(data / "test" / "test_label")]
        environment = _environment() | {"NSML_DATASET_PATH": str(data), "NSML_DATASET_NAME": dataset.name}
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=_LIMIT, env=environment, cwd=folder,
                stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise RunFailed(
                f"the organiser's evaluation.py did not end within {_LIMIT} seconds; ask the organiser"
            ) from None
    complaint = (ended.stderr.strip().splitlines() or ["no message"])[-1]
    if ended.returncode:
        raise RunFailed(f"the organiser's evaluation.py failed (exit status {ended.returncode}): {complaint}")
    found = _NUMBER.findall(ended.stdout)
    if not found:
        raise RunFailed(f"the organiser's evaluation.py printed no number; it said: {complaint}")
    value = float(found[-1])
    if not math.isfinite(value):
        raise RunFailed(f"the organiser's evaluation.py printed {found[-1]} as the score; it said: {complaint}")
    warnings = []
    if value in (0.0, -1.0):
        warnings.append(
            f"a score of exactly {value:g} often means that evaluation.py caught an error; it said: {complaint}"
        )
    return Score(value, ended.stdout.strip(), tuple(warnings))


def print_result(dataset: Dataset, predictions: Path) -> None:
    """Score a prediction file and print the scorer's table and the score."""
    result = score(dataset, predictions)
    for warning in result.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(result.details)
    print(f"Score: {result.value:.10g}")
