"""The same readers under atheris, which looks for inputs that reach new code; it is no part of the tools of development.

pip install atheris, then python -m stress coverage --minutes 10
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from stress.counts import Counts, Plan
from stress.targets import TARGETS


def prove(plan: Plan) -> Counts:
    """Fuzz every target in a process of its own, for its share of the time."""
    counts = Counts()
    if importlib.util.find_spec("atheris") is None:
        print("coverage: atheris is not installed, so nothing was tried; pip install atheris", flush=True)
        return counts
    for name, (_, examples) in TARGETS.items():
        folder = plan.folder / str(counts.done["targets"])
        (folder / "corpus").mkdir(parents=True)
        for number, example in enumerate(examples):
            (folder / "corpus" / str(number)).write_bytes(example)
        seconds = max(1, round(plan.seconds / len(TARGETS)))
        limits = [
            f"-max_total_time={seconds}",
            "-timeout=10",
            "-rss_limit_mb=4096",
            f"-seed={plan.seed + 1}",
            "-max_len=8192",
        ]
        command = [sys.executable, "-m", "stress.coverage", name, str(folder / "work"), *limits, "-print_final_stats=1"]
        ended = subprocess.run(
            [*command, f"-artifact_prefix={folder}/", str(folder / "corpus")],
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        counts.done["targets"] += 1
        if tried := re.search(r"stat::number_of_executed_units: (\d+)", ended.stderr):
            counts.done["inputs"] += int(tried[1])
        if ended.returncode:
            content = [path.read_bytes()[:300] for path in folder.glob("*-*")]
            said = [
                line
                for line in ended.stderr.splitlines()
                if re.match(r"\w*(Error|Exception)\b|ALARM|.*==ERROR", line.strip())
            ]
            counts.losses.append(f"{name}: {' '.join(said[:2]) or ended.stderr[-300:]} {content}")
    return counts


def _fuzz(name: str, folder: Path, options: list[str]) -> None:
    import warnings

    import atheris

    with atheris.instrument_imports(
        include=["nsml", "model.checkpoint.network_files", "model.plain_hdf5", "model.settings"]
    ):
        from stress.targets import run_target
    warnings.simplefilter("ignore")

    def test_one_input(content: bytes) -> None:
        if wrong := run_target(name, content, folder):
            raise AssertionError(wrong)

    atheris.Setup([sys.argv[0], *options], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    _fuzz(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
