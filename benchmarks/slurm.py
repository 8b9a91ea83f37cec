"""Sessions as jobs of Slurm, on a cluster that is started for it on this machine."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.homes import DATASET, new_home
from benchmarks.processes import NSML, environment, run
from benchmarks.records import SECONDS, Condition, Record
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from stress.slurm_cluster import CPUS, NODES, Cluster, why_no_cluster

_JOB, _SESSION = "sbatch of the same line, to its first line", "nsml run --engine slurm, to the first line"
_SUBMIT, _RUN = "sbatch until it returns", "nsml run --engine slurm until it returns"
_PROGRAM = "import sys, time\nwith open(sys.argv[1], 'a') as file:\n    file.write(f'{time.time()}\\n')\n"


def benchmark(plan: Plan) -> list[Record]:
    """Seconds; the cluster's scheduler looks for jobs at each submit, and once a second."""
    if why := why_no_cluster():
        print(f"benchmarks: slurm: not measured, since no cluster can be started here: {why}", file=sys.stderr)
        return []
    # By a short path, since that of a socket is limited.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        cluster = Cluster(Path(folder))
        try:
            return _measure(plan, cluster)
        finally:
            cluster.stop()


def _measure(plan: Plan, cluster: Cluster) -> list[Record]:
    home, project = new_home(plan.folder / "slurm"), plan.folder / "slurm-project"
    project.mkdir()
    (project / "main.py").write_text(_PROGRAM, encoding="utf-8")
    where = environment(home.path, **cluster.environment)
    (project / "job").write_text(f'#!/bin/sh\nexec {sys.executable} {project / "main.py"} "$1"\n', encoding="utf-8")

    def submit(session: bool, times: Path) -> None:
        job = ["sbatch", "--output=/dev/null", "--chdir=/", "job", str(times)]
        own = [*NSML, "run", "-d", DATASET, "--engine", "slurm", "-g", "0", "--env", "current", "-a", str(times)]
        run(own if session else job, project, where)

    def first_line(session: bool) -> float:
        times, began = plan.folder / f"slurm-{time.monotonic_ns()}", time.time()
        submit(session, times)
        started = _wait_for_lines(times, 1)[0] - began
        _wait_for_no_job(cluster)
        return started

    def until_it_returns(session: bool) -> float:
        began = time.perf_counter()
        submit(session, Path(os.devnull))
        seconds = time.perf_counter() - began
        _wait_for_no_job(cluster)
        return seconds

    ways = [
        Way(_SUBMIT, partial(until_it_returns, False)),
        Way(_RUN, partial(until_it_returns, True)),
        Way(_JOB, partial(first_line, False)),
        Way(_SESSION, partial(first_line, True)),
    ]
    samples = measure(ways, plan.rounds(7, 1), least=0)
    return [
        samples.later(_RUN, _SUBMIT, SECONDS),
        samples.later(_SESSION, _JOB, SECONDS),
        *_many(plan, submit, cluster),
    ]


def _many(plan: Plan, submit: Callable[[bool, Path], None], cluster: Cluster) -> list[Record]:
    """Sessions one after the other, as a sweep starts them."""
    count, times, began = plan.rounds(100, 8), plan.folder / "slurm-many", time.time()
    for _ in range(count):
        submit(True, times)
    submitted = time.time() - began
    last = max(_wait_for_lines(times, count)) - began
    _wait_for_no_job(cluster)
    places = len(NODES) * CPUS
    return [
        Condition(f"submitting {count} sessions, each", submitted / count, "s"),
        Condition(f"until all of them have begun, on {places} processors, each", last / count, "s"),
    ]


def _wait_for_lines(path: Path, count: int) -> list[float]:
    until = time.monotonic() + 300
    while time.monotonic() < until:
        lines = path.read_text().split() if path.exists() else []
        if len(lines) >= count:
            return list(map(float, lines))
        time.sleep(0.005)
    raise RuntimeError(f"of {count} jobs not all began")


def _wait_for_no_job(cluster: Cluster) -> None:
    until = time.monotonic() + 300
    while cluster.ask("squeue", "--noheader"):
        if time.monotonic() > until:
            raise RuntimeError("jobs do not end")
        time.sleep(0.05)
