"""Run an organiser's `evaluation.py` in a separate process, in a folder laid out as on the platform's machines."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..engine.family import below_a_keeper
from ..engine.program import Program, kill_program
from ..errors import RunFailed
from ..store.datasets import Dataset
from ..store.files import folder_beside, write_bytes, write_text
from ..store.home import Home
from ..store.launches import VARIABLE
from ..store.leftovers import SCORING
from .predictions import lines_of_part, read_lines, read_part
from .rules import rules_of

LIMIT = 3600  # seconds
MOST_OUTPUT = 1 << 20  # bytes, of each of stdout and stderr
LOG = "scorer.txt"
# In place of what is left out, with the rest of a word or number that is cut.
_CUT = re.compile(r"\(the first [\d,]+ bytes are left out\)\n\S*")
_LONGEST_COMPLAINT = 1000  # characters
# An integer or decimal number, with or without an exponent, nan or inf.
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf)\b")
# The option in a string, not in a comment: older scripts mention it but do not accept it.
_TAKES_LABELS = re.compile(r"""^[^#\n]*["']--test_label_path["']""", re.MULTILINE)
_NAMES_ROOT = re.compile(r"""["']/data\b""")
_MISSING = re.compile(r"ModuleNotFoundError: No module named '(\w+)")
# Scores of scripts that catch every error: 0, -1, 99, 999999, -9999.
_SUSPICIOUS = re.compile(r"[-+]?(?:0|1|9{2,})(?:\.0)?")


@dataclass(frozen=True)
class Score:
    """The score, the scorer's output, and warnings for the user.

    constant: the best score of the same answer for every photograph, from a built-in scorer only.
    """

    value: float
    details: str
    warnings: tuple[str, ...]
    constant: float | None = None


def scorer_environment() -> dict[str, str]:
    """The environment of this process without the variable that marks a session."""
    return {k: v for k, v in os.environ.items() if k != VARIABLE}


def score_with_script(dataset: Dataset, predictions: Path, *, private: bool = False) -> Score:
    """Run the script with `--prediction FILE` and the labels at `data/<DATASET>/test/test_label`; its last number is the score.

    Its output is stored in `scorer.txt` beside `predictions`. If the score looks like that of a script that catches every error, the
    script is run again to report the error that it caught. Where the rules make a part of the labels public, the script gets those
    labels and their predictions only, or with `private` the others.

    Raises:
        NsmlError: the predictions cannot be divided.
        RunFailed: the script failed, or printed no finite number.
    """
    script = dataset.evaluation
    text = script.read_text(encoding="utf-8", errors="replace")
    # The folder, in which the script may write labels too, lies in the home, where isolated programs do not see it. The link to it is
    # without a dot, see `plain_path`.
    prefix = f"{SCORING}{os.getpid()}-"
    with folder_beside(_home_of(dataset).path) as folder, tempfile.TemporaryDirectory(prefix=prefix) as links:
        shown = Path(links) / "data"
        (folder / "data").mkdir()
        os.symlink(folder / "data", shown)
        data = _lay_out(dataset, shown)
        log = predictions.with_name(LOG)
        if dataset.public.is_file():
            predictions = _take_part(dataset, predictions, folder, data, private)
        others = _link_other_datasets(text, shown, dataset.name)
        root = str(shown)
        launcher = ["-m", "nsml.scoring.organiser_script", root] if _NAMES_ROOT.search(text) else []
        command = [str(script), "--prediction", str(predictions)]
        if _TAKES_LABELS.search(text):
            command += ["--test_label_path", str(data / "test" / "test_label")]
        ended = _call([*launcher, *command], dataset, folder, data)
        write_bytes(log, f"{ended.stdout}{ended.stderr}".encode(errors="replace"))
        value = _read_score(ended, script, log)
        warnings = [f"evaluation.py names the dataset {name}; {dataset.name} is used instead" for name in others]
        if _SUSPICIOUS.fullmatch(f"{value:g}" if abs(value) < 1e5 else f"{value:.0f}") and value != 1:
            traced = _call(["-m", "nsml.scoring.organiser_script", "--trace", root, *command], dataset, folder, data)
            caught = [line for line in traced.stderr.splitlines() if line.startswith("caught ")]
            if caught or value or not rules_of(dataset).lower_is_better:  # where 0 is the best
                warnings.append(f"a score of exactly {value:g}: {_explanation(caught, _last_line(ended.stderr))}")
    return Score(value, ended.stdout.strip(), tuple(warnings))


def _explanation(caught: list[str], complaint: str) -> str:
    if caught:
        return f"evaluation.py {caught[-1]}"
    if complaint:
        return f"evaluation.py printed: {complaint}"
    return "evaluation.py caught no error; check the result of infer with 'nsml submit -t'"


def _home_of(dataset: Dataset) -> Home:
    return Home(dataset.folder.parent.parent)


def _call(arguments: list[str], dataset: Dataset, folder: Path, data: Path) -> subprocess.CompletedProcess[str]:
    own = {"NSML_DATASET_PATH": str(data), "NSML_DATASET_NAME": dataset.name, "TMPDIR": str(folder)}
    environment = scorer_environment() | own
    home = _home_of(dataset)
    with Program(
        [sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment, cwd=folder, start_new_session=True, preexec_fn=below_a_keeper(home, None),
    ) as process, ThreadPoolExecutor() as pool:  # fmt: skip
        assert process.stdout and process.stderr
        process.home = home
        ends = [pool.submit(_last_of, stream) for stream in (process.stdout, process.stderr)]
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise RunFailed(
                f"the organiser's evaluation.py ran for more than {LIMIT} seconds; ask the organiser"
            ) from None
        finally:
            kill_program(process)  # and what it left, which would hold its output open
        out, err = (end.result() for end in ends)
    return subprocess.CompletedProcess(arguments, code, out, err)


def _last_of(stream: IO[bytes]) -> str:
    """What is written there; of more than MOST_OUTPUT bytes the last ones, after a line that says so."""
    kept, count = b"", 0
    while piece := stream.read(1 << 16):
        kept, count = (kept + piece)[-MOST_OUTPUT:], count + len(piece)
    cut = f"(the first {count - len(kept):,} bytes are left out)\n" if count > len(kept) else ""
    return cut + kept.decode(errors="replace").replace("\r\n", "\n")


def _read_score(ended: subprocess.CompletedProcess[str], script: Path, log: Path) -> float:
    complaint = _last_line(ended.stderr) or "no message"
    if missing := _MISSING.match(complaint):
        complaint += (
            f"; put {missing[1]} beside evaluation.py and push again (a competitor's files are not searched), or, if it is a package, run: "
            f"{sys.executable} -m pip install {missing[1]}"
        )
    if ended.returncode:
        lines = re.findall(rf'File "{re.escape(str(script))}", line (\d+)', ended.stderr)
        place = f" (line {lines[-1]})" if lines else ""
        raise RunFailed(
            f"the organiser's evaluation.py failed (exit status {ended.returncode}): {complaint}{place}; its output is in {log}"
        )
    cut = _CUT.match(ended.stdout)
    numbers = _NUMBER.findall(ended.stdout, cut.end() if cut else 0)
    if not numbers:
        where = f" in the last {MOST_OUTPUT:,} bytes of its output" if cut else ""
        raise RunFailed(f"the organiser's evaluation.py printed no number{where}; its error: {complaint}")
    value = float(numbers[-1])
    if not math.isfinite(value):
        raise RunFailed(f"the organiser's evaluation.py printed {numbers[-1]} as the score; its error: {complaint}")
    return value


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1][:_LONGEST_COMPLAINT]


def _lay_out(dataset: Dataset, folder: Path) -> Path:
    """Create `<DATASET>` in `folder`, with links to the data and the labels."""
    data = folder / dataset.name
    (data / "test").mkdir(parents=True)
    os.symlink(dataset.training / "train", data / "train")
    shown = dataset.submission / "test"
    for entry in [*shown.iterdir(), *dataset.labels.parent.iterdir()]:
        os.symlink(entry, data / "test" / entry.name)
    return data


def _take_part(dataset: Dataset, predictions: Path, folder: Path, data: Path, private: bool) -> Path:
    """Put one part of the labels in the place of all, and write the same part of the predictions; return their path."""
    part = read_part(dataset.public)
    names = list(read_lines(dataset.labels, "the label file"))
    (data / "test" / "test_label").unlink()
    for source, what, target in (
        (dataset.labels, "the label file", data / "test" / "test_label"),
        (predictions, "the prediction file", folder / predictions.name),
    ):
        write_text(target, lines_of_part(source, what, names, part, private))
    return target


def _link_other_datasets(text: str, data: Path, name: str) -> list[str]:
    """Link other dataset names in a script's paths to this dataset, which may have been pushed under another name; return them."""
    others = sorted(set(re.findall(r"""\bdata/(\w[\w.-]*)/test\b""", text)) - {name})
    for other in others:
        os.symlink(data / name, data / other)
    return others
