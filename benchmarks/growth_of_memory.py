"""Peak memory in the number of photographs: loading, training, submitting."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.homes import DATASET, new_home, trained_session
from benchmarks.networks import settings
from benchmarks.photographs import SIZE, photographs
from benchmarks.processes import NSML, ROOT, environment, run
from benchmarks.records import Growth, Record
from benchmarks.rows import Plan
from model.checkpoint import network_files as weights
from model.network import new_network

_SMALL = (640, 512)
_NAME = "640x512"
_FLAT = 0.1  # the largest exponent that still passes for flat
_LOAD = """
import sys
from pathlib import Path
from dataprep.cache import prepared_images
from dataprep.photograph import Preparation

paths = sorted(Path(sys.argv[1]).glob("*.jpg"))[: int(sys.argv[2])]
prepared_images(paths, Preparation(96), Path(sys.argv[3]))
"""


def memory(plan: Plan) -> list[Record]:
    """Megabytes of the largest process."""
    sizes = (50, 200) if plan.quick else (100, 1000, 4000)
    small = photographs(plan.folder, sizes[-1], size=_SMALL)
    preparing = []
    for size in sizes:
        command = [sys.executable, "-c", _LOAD, str(small[0].parent), str(size), str(plan.folder / f"growth-{size}")]
        preparing.append(run(command, plan.folder, environment(), peak=True).peak / 1e6)
    records: list[Record] = [_growth(f"preparing, by photographs of {_NAME}", sizes, preparing)]
    # The others start TensorFlow anew for each size.
    return records if plan.quick else [*records, _training(plan, sizes, small), _submit(plan)]


def _training(plan: Plan, sizes: tuple[int, ...], paths: list[Path]) -> Growth:
    peaks = []
    for size in sizes:
        home = new_home(plan.folder / f"growth-train-{size}", train=paths[:size])
        command = [sys.executable, str(ROOT / "main.py"), "--recipe", "winning", "--epoch", "1", "--set", "width=4"]
        where = environment(home.path, NSML_DATASET=DATASET)
        peaks.append(run(command, plan.folder, where, peak=True).peak / 1e6)
    return _growth(f"training, by photographs of {_NAME}", sizes, peaks)


def _submit(plan: Plan) -> Growth:
    sizes = (25, 100, 401)
    network = new_network(settings(96, 4))
    peaks = []
    for size in sizes:
        home = new_home(plan.folder / f"growth-submit-{size}", test=photographs(plan.folder, size))
        session = trained_session(home, ROOT, lambda folder: weights.save(folder, network))
        command = [*NSML, "submit", str(session.name), "best"]
        peaks.append(run(command, plan.folder, environment(home.path), peak=True).peak / 1e6)
    return _growth(f"a submit, by photographs of {SIZE[0]}x{SIZE[1]}", sizes, peaks)


def _growth(what: str, sizes: tuple[int, ...], peaks: list[float]) -> Growth:
    return Growth(f"peak memory of {what}", "photographs", sizes, tuple(peaks), "MB", "at most", _FLAT)
