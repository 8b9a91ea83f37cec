"""Reporting values."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.homes import DATASET, USER, new_home
from benchmarks.processes import environment, kill, run
from benchmarks.records import MICROSECONDS, Condition, Record
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from nsml.store.metrics import read_metrics

_PRINT, _REPORT = "print of the same line to a file", "nsml.report of 10 values"
# Turning ten numbers into text takes longer than writing it, whoever does it.
_PRINT_READY = "print of a line made before"
_VALUES = "values = {f'train__value{n}': 0.123456789 * (n + 1) for n in range(10)}\n"
_PROGRAMS = {
    _REPORT: """
import sys, time
import nsml
nsml.report(step=0, **values)
began = time.perf_counter()
for step in range(int(sys.argv[1])):
    nsml.report(step=step, **values)
print(time.perf_counter() - began)
""",
    _PRINT: """
import json, sys, time
values = {k.replace("__", "/"): v for k, v in values.items()}
with open("printed.txt", "w") as file:
    began = time.perf_counter()
    for step in range(int(sys.argv[1])):
        print(json.dumps({"step": step, "time": round(time.time(), 3), "values": values}), file=file)
    file.flush()
print(time.perf_counter() - began)
""",
    _PRINT_READY: """
import json, sys, time
record = {"step": 1, "time": 1750000000.123, "values": {k.replace("__", "/"): v for k, v in values.items()}}
line = json.dumps(record)
with open("printed.txt", "w") as file:
    began = time.perf_counter()
    for step in range(int(sys.argv[1])):
        print(line, file=file)
    file.flush()
print(time.perf_counter() - began)
""",
}
_STEADY = """
import time
import nsml
while True:
    nsml.report(step=time.time(), **values)
    time.sleep(0.002)
"""
_PAUSING = """
import time
import nsml
for step in range(1000):
    nsml.report(step=step, **values)
time.sleep(60)
"""


def benchmark(plan: Plan) -> list[Record]:
    """Microseconds a call, and what is on the disk after a program was killed."""
    folder = plan.folder / "report"
    home = new_home(folder)
    work = folder / "work"
    work.mkdir()
    where = environment(home.path, NSML_DATASET=DATASET)
    calls = plan.rounds(100_000, 20_000)

    def way(name: str) -> Way:
        def call() -> float:
            ended = run([sys.executable, "-c", _VALUES + _PROGRAMS[name], str(calls)], work, where)
            return float(ended.out.splitlines()[-1])

        return Way(name, call, calls)

    samples = measure([way(_PRINT), way(_PRINT_READY), way(_REPORT)], plan.rounds(7, 3), least=0)

    def killed(program: str, seconds: float) -> tuple[list[float], float]:
        """The steps that were kept, and when the program was killed."""
        before = _newest(home.sessions / USER / DATASET)
        process = subprocess.Popen(
            [sys.executable, "-c", _VALUES + program], cwd=work, env=where, stderr=subprocess.DEVNULL
        )  # fmt: skip
        while _newest(home.sessions / USER / DATASET) == before:
            time.sleep(0.01)
        time.sleep(seconds)
        at = time.time()
        kill(process)
        session = home.sessions / USER / DATASET / str(_newest(home.sessions / USER / DATASET))
        return [record["step"] for record in read_metrics(session)[0]], at

    steps, at = killed(_STEADY, 2.5)
    paused, _ = killed(_PAUSING, 2.5)
    return [
        samples.longer(_REPORT, _PRINT, MICROSECONDS, 2),
        samples.longer(_REPORT, _PRINT_READY, MICROSECONDS),
        Condition("the last that a crash loses", max(0.0, at - max(steps, default=0.0)), "s", "at most", 1),
        Condition("lost of 1,000 reported over a second before a crash", 1000 - len(paused), "", "at most", 0),
    ]


def _newest(folder: Path) -> int:
    return max((int(path.name) for path in folder.glob("[0-9]*")), default=0)
