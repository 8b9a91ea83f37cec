"""A whole submit."""

from __future__ import annotations

import sys
import time

from benchmarks.homes import DATASET, new_home, trained_session
from benchmarks.networks import DEFAULT, checkpoint, trained
from benchmarks.photographs import SIZE, photographs
from benchmarks.processes import NSML, ROOT, Ended, environment, run
from benchmarks.records import SECONDS, Comparison, Condition, Record, Spread
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from evidence import machine
from model.checkpoint import network_files as weights

_COUNT = 401
_IMAGE = SIZE[0] * SIZE[1] * 3  # bytes of one decoded photograph


def benchmark(plan: Plan) -> list[Record]:
    """Seconds and peak memory of `nsml submit` against the competition's way, each a program from its start to the score."""
    count = plan.rounds(_COUNT, 8)
    # The baseline holds all photographs at once; with less memory than that it would only show the swapping.
    count = min(count, max(8, int(0.8 * machine.available_memory() / _IMAGE)))
    network = trained(plan, *DEFAULT)
    home = new_home(plan.folder / "submit", test=photographs(plan.folder, count))
    session = trained_session(home, ROOT, lambda folder: weights.save(folder, network))
    ended: dict[str, list[Ended]] = {}
    dataset = home.datasets / DATASET
    program = [
        sys.executable, "-m", "benchmarks.competition_submit", str(checkpoint(plan, *DEFAULT)),
        str(dataset / "submission" / "test" / "test_data"), str(dataset / "hidden" / "test" / "test_label"),
        str(plan.folder / "submit.csv"),
    ]  # fmt: skip
    theirs, ours = f"the competition's feed_infer, {count} photographs", f"nsml submit, {count} photographs"

    def start(name: str, command: list[str]) -> float:
        began = time.perf_counter()
        ended.setdefault(name, []).append(run(command, plan.folder, environment(home.path), peak=True))
        return time.perf_counter() - began

    ways = [
        Way(theirs, lambda: start(theirs, program)),
        Way(ours, lambda: start(ours, [*NSML, "submit", str(session.name), "best"])),
    ]
    samples = measure(ways, plan.rounds(2, 1), warm=False, retries=0)
    peaks = {name: max(each.peak for each in several) / 1e9 for name, several in ended.items()}
    return [
        samples.faster(ours, theirs, SECONDS, 3),
        Comparison(
            f"peak memory, {ours}", f"peak memory, {theirs}", "GB", _one(peaks[ours]), _one(peaks[theirs]),
            "times the memory", _one(peaks[ours] / peaks[theirs]),
        ),
        Condition(f"peak memory, {ours}", peaks[ours], "GB", "at most", 1.5),
    ]  # fmt: skip


def _one(value: float) -> Spread:
    return Spread(value, value, value)
