"""Running an organiser's `evaluation.py`, in a process of its own and a folder laid out as on the platform's machines."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import RunFailed
from ..store.datasets import Dataset
from ..store.files import write_bytes
from ..store.launches import VARIABLE

LIMIT = 3600  # seconds
LOG = "scorer.txt"
# An integer or decimal number, also as Python prints very small and very large ones, and what is none.
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf)\b")
# Older scripts speak of it in comments and names, and end with an error where it is given.
_TAKES_LABELS = re.compile(r"""^[^#\n]*["']--test_label_path["']""", re.MULTILINE)
_NAMES_ROOT = re.compile(r"""["']/data\b""")
_MISSING = re.compile(r"ModuleNotFoundError: No module named '(\w+)")
# What scripts print that catch every error: 0, -1, 99, 999999, -9999.
_SUSPICIOUS = re.compile(r"[-+]?(?:0|1|9{2,})(?:\.0)?")


@dataclass(frozen=True)
class Score:
    """The score, what the scorer printed before it, and warnings for the user."""

    value: float
    details: str
    warnings: tuple[str, ...]


def scorer_environment() -> dict[str, str]:
    """This process's, without what would make the scorer take itself for a session."""
    return {k: v for k, v in os.environ.items() if k != VARIABLE}


def score_with_script(dataset: Dataset, predictions: Path) -> Score:
    """Run the script with `--prediction FILE` where the labels lie at `data/<DATASET>/test/test_label`; its last number is the score.

    What it prints is kept beside `predictions` in `scorer.txt`. Where the score is one that scripts print which catch every error, it is
    run again to learn which error it caught.

    Raises:
        RunFailed: it failed, or printed no finite number.
    """
    script = dataset.evaluation
    text = script.read_text(encoding="utf-8", errors="replace")
    with tempfile.TemporaryDirectory(prefix="nsml-score-") as folder:
        data = _lay_out(dataset, Path(folder))
        strange = _other_datasets(text, Path(folder) / "data", dataset.name)
        led = str(Path(folder) / "data")
        launcher = ["-m", "nsml.scoring.organiser_script", led] if _NAMES_ROOT.search(text) else []
        asked = [str(script), "--prediction", str(predictions)]
        if _TAKES_LABELS.search(text):
            asked += ["--test_label_path", str(data / "test" / "test_label")]
        ended = _call([*launcher, *asked], dataset, folder)
        log = predictions.with_name(LOG)
        write_bytes(log, f"{ended.stdout}{ended.stderr}".encode(errors="replace"))
        value = _read_score(ended, script, log)
        warnings = [f"evaluation.py names the dataset {name}, and was given {dataset.name}" for name in strange]
        if _SUSPICIOUS.fullmatch(f"{value:g}" if abs(value) < 1e5 else f"{value:.0f}") and value != 1:
            traced = _call(["-m", "nsml.scoring.organiser_script", "--trace", led, *asked], dataset, folder)
            caught = [line for line in traced.stderr.splitlines() if line.startswith("caught ")]
            warnings.append(f"a score of exactly {value:g}: {_explained(caught, _last_line(ended.stderr))}")
    return Score(value, ended.stdout.strip(), tuple(warnings))


def _explained(caught: list[str], complaint: str) -> str:
    if caught:
        return f"evaluation.py {caught[-1]}"
    if complaint:
        return f"evaluation.py said: {complaint}"
    return "evaluation.py met no error, so look at what infer returns ('nsml submit -t')"


def _call(arguments: list[str], dataset: Dataset, folder: str) -> subprocess.CompletedProcess[str]:
    data = str(Path(folder) / "data" / dataset.name)
    environment = scorer_environment() | {"NSML_DATASET_PATH": data, "NSML_DATASET_NAME": dataset.name}
    try:
        return subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, errors="replace", timeout=LIMIT,
            env=environment, cwd=folder, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise RunFailed(
            f"the organiser's evaluation.py did not end within {LIMIT} seconds; ask the organiser"
        ) from None


def _read_score(ended: subprocess.CompletedProcess[str], script: Path, log: Path) -> float:
    complaint = _last_line(ended.stderr) or "no message"
    if missing := _MISSING.match(complaint):
        complaint += (
            f"; put {missing[1]} beside evaluation.py, where no file of a competitor is looked for, and push again"
        )
    if ended.returncode:
        lines = re.findall(rf'File "{re.escape(str(script))}", line (\d+)', ended.stderr)
        place = f" (line {lines[-1]})" if lines else ""
        raise RunFailed(
            f"the organiser's evaluation.py failed (exit status {ended.returncode}): {complaint}{place}; {log} holds the rest"
        )
    found = _NUMBER.findall(ended.stdout)
    if not found:
        raise RunFailed(f"the organiser's evaluation.py printed no number; it said: {complaint}")
    value = float(found[-1])
    if not math.isfinite(value):
        raise RunFailed(f"the organiser's evaluation.py printed {found[-1]} as the score; it said: {complaint}")
    return value


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def _lay_out(dataset: Dataset, folder: Path) -> Path:
    """`data/<DATASET>` below `folder`, with the labels, and the data as links."""
    data = folder / "data" / dataset.name
    (data / "test").mkdir(parents=True)
    os.symlink(dataset.training / "train", data / "train")
    shown = dataset.submission / "test"
    for entry in [*shown.iterdir(), *dataset.labels.parent.iterdir()]:
        os.symlink(entry, data / "test" / entry.name)
    return data


def _other_datasets(text: str, data: Path, name: str) -> list[str]:
    """Let the names of other datasets that a script has in its paths lead to this one, since it was pushed under a name of its own."""
    strange = sorted(set(re.findall(r"""\bdata/(\w[\w.-]*)/test\b""", text)) - {name})
    for other in strange:
        os.symlink(data / name, data / other)
    return strange
