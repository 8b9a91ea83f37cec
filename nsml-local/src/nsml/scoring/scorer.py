"""Running the scorer in a process of its own: the organiser's `evaluation.py` where the dataset brings one, else the built-in one."""

from __future__ import annotations

import ast
import math
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..engine.imports import imported_modules
from ..errors import NsmlError, PredictionsRefused, RunFailed
from ..store.datasets import Dataset
from ..store.launches import VARIABLE
from .metrics import METRICS, class_count
from .predictions import Kind, Wanted, read_lines
from .program import REFUSED

_LIMIT = 3600
# An integer or decimal number, also as Python prints very small and very large ones, and what is none.
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf)\b")
# Older scripts speak of it in comments and names, and end with an error where it is given.
_TAKES_LABELS = re.compile(r"""^[^#\n]*["']--test_label_path["']""", re.MULTILINE)


_NAMES_ROOT = re.compile(r"""["']/data\b""")


@dataclass(frozen=True)
class Score:
    """The score, what the scorer printed before it, and warnings for the user."""

    value: float
    details: str
    warnings: tuple[str, ...]


def wanted_answers(dataset: Dataset) -> Wanted:
    """What the dataset's built-in scorer takes."""
    metric = dataset.metric()
    kind = METRICS[metric].kind
    # The test set need not hold an image of every class.
    classes = 0 if kind is Kind.NUMBER else max(4 if metric == "fundus" else 2, len(dataset.record()["train"]))
    if not dataset.labels.exists():
        return Wanted(kind, classes)
    count = len(read_lines(dataset.labels, "the label file"))
    return Wanted(kind, max(classes, class_count(metric, dataset.labels)), count)


def score(dataset: Dataset, predictions: Path, modules: Path) -> Score:
    """Score a prediction file against the dataset's hidden labels.

    Args:
        modules: the competitor's folder, for an organiser's script that imports something of it.

    Raises:
        NsmlError: the dataset has no labels.
        PredictionsRefused: the predictions do not fit the test set.
        RunFailed: the scorer failed, which is not the competitor's fault.
    """
    if dataset.evaluation.exists():
        return _score_with(dataset, predictions, modules)
    if not dataset.labels.exists():
        raise NsmlError(
            f"dataset {dataset.name} has no test/test_label; push it again with labels, or use 'nsml submit -t'"
        )
    classes = ["--classes", str(wanted_answers(dataset).classes)]
    files = ["--prediction", str(predictions), "--test_label_path", str(dataset.labels)]
    command = [sys.executable, "-m", "nsml.scoring.program", "--metric", dataset.metric(), *files, *classes]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=_LIMIT, env=_environment(), cwd="/", check=False
    )
    lines = ended.stderr.strip().splitlines()
    if ended.returncode == REFUSED:
        raise PredictionsRefused(lines[-1])
    if ended.returncode:
        raise RunFailed(f"the scorer failed: {lines[-1] if lines else f'exit status {ended.returncode}'}")
    details, _, last = ended.stdout.rstrip().rpartition("\n")
    warnings = [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]
    return Score(float(last), details, tuple(warnings))


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != VARIABLE}


def _score_with(dataset: Dataset, predictions: Path, modules: Path) -> Score:
    """The organiser's script, in a folder where the labels lie as on the platform: `data/<DATASET>/test/test_label`."""
    script = dataset.evaluation
    with tempfile.TemporaryDirectory(prefix="nsml-score-") as folder:
        data = _lay_out(dataset, Path(folder))
        text = script.read_text(encoding="utf-8", errors="replace")
        launcher = []
        its_own = _takes_modules_from(modules, script, text)
        if its_own or _NAMES_ROOT.search(text):
            launcher = [
                "-m",
                "nsml.scoring.organiser_script",
                str(Path(folder) / "data"),
                str(modules) if its_own else "",
            ]
        command = [sys.executable, *launcher, str(script), "--prediction", str(predictions)]
        if _TAKES_LABELS.search(text):
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
        said = complaint if complaint != "no message" else " ".join(ended.stdout.split())[:200]
        warnings.append(f"a score of exactly {value:g} often means that evaluation.py caught an error; it said: {said}")
    return Score(value, ended.stdout.strip(), tuple(warnings))


def _takes_modules_from(modules: Path, script: Path, text: str) -> bool:
    """Whether a script imports something that lies in the competitor's folder and neither beside the script nor in Python."""
    try:
        imported = {module.partition("/")[0] for module, _ in imported_modules(ast.parse(text), script.name)}
    except (SyntaxError, ValueError, RecursionError):
        return False
    theirs = {path.stem for path in modules.glob("*") if path.suffix == ".py" or path.is_dir()}
    own = {path.stem for path in script.parent.iterdir()}
    return bool((imported & theirs) - own - sys.stdlib_module_names)


def _lay_out(dataset: Dataset, folder: Path) -> Path:
    """`data/<DATASET>` below `folder`, with the labels, and the data as links."""
    data = folder / "data" / dataset.name
    (data / "test").mkdir(parents=True)
    os.symlink(dataset.training / "train", data / "train")
    shown = dataset.submission / "test"
    for entry in [*shown.iterdir(), *dataset.labels.parent.iterdir()]:
        os.symlink(entry, data / "test" / entry.name)
    return data


def print_result(dataset: Dataset, predictions: Path, modules: Path) -> None:
    """Score a prediction file, see `score`, and print the scorer's table and the score."""
    result = score(dataset, predictions, modules)
    for warning in result.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if result.details:
        print(result.details)
    print(f"Score: {result.value:.10f}".rstrip("0").rstrip("."))
