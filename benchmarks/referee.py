"""What 50 teams ask of a referee, by the submissions so far: time of a submission, and what the process takes that waits for one."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil

from benchmarks.homes import DATASET, fill_board, new_home
from benchmarks.processes import NSML, environment
from benchmarks.records import Condition, Growth, Record
from benchmarks.rows import Plan
from nsml.cli.dataset_board import board_intervals
from nsml.scoring.referee import Referee
from nsml.scoring.spool import BOARD, hand_in
from nsml.store.datasets import find_dataset
from nsml.store.home import Home


def benchmark(plan: Plan) -> list[Record]:
    """1,500 submissions are 30 of each of 50 teams."""
    sizes = (50, 150) if plan.quick else (50, 500, 1500)
    home, spool = new_home(plan.folder / "referee"), plan.folder / "referee-spool"
    values = []
    for size in sizes:
        fill_board(home, size)
        values.append(_of_a_submission(home, spool, plan.rounds(10, 2)))
    processor, memory = _waiting(home, spool, plan.rounds(20, 2))
    return [
        Growth("a submission at the referee, by those before", "submissions", sizes, tuple(values), "s"),
        Condition(f"a referee that waits, {sizes[-1]:,} submissions: a processor's", processor, "%"),
        Condition(f"a referee that waits, {sizes[-1]:,} submissions: memory", memory, "MB"),
    ]


def _of_a_submission(home: Home, spool: Path, count: int) -> float:
    judge = Referee(home, find_dataset(home, DATASET), spool, lambda line: None, board_intervals)
    predictions = "".join(f"test_data,{number:05}.jpg,{number % 4}\n" for number in range(4)).encode()
    for number in range(count):
        facts = {"session": f"user/{DATASET}/1", "checkpoint": str(number), "code": "", "model": ""}
        hand_in(spool, facts, predictions, b"")
    began = time.perf_counter()
    judge.run(once=True)
    return (time.perf_counter() - began) / count


def _waiting(home: Home, spool: Path, seconds: float) -> tuple[float, float]:
    """Percent of a processor, and megabytes, of the process that waits."""
    (spool / BOARD).unlink()
    command = [*NSML, "referee", DATASET, "--spool", str(spool)]
    process = subprocess.Popen(command, env=environment(home.path), stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not (spool / BOARD).exists() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(1)
        watched = psutil.Process(process.pid)
        before = sum(watched.cpu_times()[:2])
        time.sleep(seconds)
        return 100 * (sum(watched.cpu_times()[:2]) - before) / seconds, watched.memory_info().rss / 1e6
    finally:
        process.kill()
        process.wait()
