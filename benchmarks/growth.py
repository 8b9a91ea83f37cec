"""How costs grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.growth_of_memory import memory
from benchmarks.homes import DATASET, ended_session, fill_board, fill_sessions, new_home
from benchmarks.photographs import photographs
from benchmarks.processes import NSML, environment, run
from benchmarks.records import Growth, Record
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from dataprep.cache import prepared_images
from dataprep.photograph import Preparation

_SMALL = (640, 512)
_LINE = b"epoch 12/32 strong  loss 0.731 acc 0.812  val 0.694 acc 0.801  score 80.12  212/s  3:21 left\n"
_PIECE = _LINE * 10_000


def benchmark(plan: Plan) -> list[Record]:
    """Seconds at growing sizes, and peak memory."""
    return [*_loading(plan), *_commands(plan), *_logs(plan), *memory(plan)]


def _loading(plan: Plan) -> list[Record]:
    sizes = (50, 200) if plan.quick else (100, 1000, 4000)
    paths = photographs(plan.folder, sizes[-1], size=_SMALL)
    values = []
    for size in sizes:
        folder = plan.folder / f"growth-load-{size}"
        values.append(_median(partial(prepared_images, paths[:size], Preparation(96), folder), 1, warm=False))
    return [Growth("preparing photographs of 640x512, by their number", "photographs", sizes, tuple(values), "s")]


def _commands(plan: Plan) -> list[Record]:
    sizes = (10, 100, 1000) if plan.quick else (10, 100, 1000, 10_000)
    home = new_home(plan.folder / "growth")
    where = environment(home.path)
    commands = {
        "nsml ps, by sessions": ("ps",),
        "nsml ps -a, by sessions": ("ps", "-a"),
        "nsml dataset board, by submissions": ("dataset", "board", DATASET),
    }
    values: dict[str, list[float]] = {name: [] for name in commands}
    for size in sizes:
        fill_sessions(home, size)
        fill_board(home, size)
        for name, words in commands.items():
            seconds = _median(partial(_discard, words, plan.folder, where), plan.rounds(5, 2))
            values[name].append(1e3 * seconds)
    return [Growth(name, name.split()[-1], sizes, tuple(times), "ms") for name, times in values.items()]


def _logs(plan: Plan) -> list[Record]:
    home = new_home(plan.folder / "growth-logs")
    session = ended_session(home)
    where = environment(home.path)
    sizes = (1, 10, 50) if plan.quick else (1, 10, 100, 1000)
    ways: dict[str, tuple[str, ...]] = {"nsml logs, by megabytes": ("logs", str(session.name))}
    if "--all" in run([*NSML, "logs", "--help"], plan.folder, where).out:
        ways["nsml logs --all, by megabytes"] = ("logs", "--all", str(session.name))
    values: dict[str, list[float]] = {name: [] for name in ways}
    written = 0
    with open(session.log, "wb") as log:
        for size in sizes:
            while written < size * 10**6:
                written += log.write(_PIECE)
            log.flush()
            for name, words in ways.items():
                values[name].append(1e3 * _median(partial(_discard, words, plan.folder, where), plan.rounds(3, 1)))
    session.log.unlink()
    return [Growth(name, "MB", sizes, tuple(times), "ms") for name, times in values.items()]


def _discard(words: Sequence[str], folder: Path, where: dict[str, str]) -> None:
    run([*NSML, *words], folder, where, keep=False)


def _median(call: Callable[[], object], rounds: int, *, warm: bool = True) -> float:
    """Seconds."""
    samples = sorted(measure([Way("it", call)], rounds, least=0, warm=warm).seconds["it"])
    return samples[len(samples) // 2]
