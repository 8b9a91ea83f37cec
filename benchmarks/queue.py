"""Many waiting sessions: what listing them, a claim and the next start cost, and what a supervisor takes that waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.homes import DATASET, fill_queue, new_home
from benchmarks.processes import NSML, environment, run
from benchmarks.records import MILLISECONDS, Condition, Record
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from nsml.engine.queue import Request, look
from nsml.engine.resources import Limits, set_side_by_side
from nsml.store.home import Home
from nsml.store.launches import write_launch
from nsml.store.names import SessionName
from nsml.store.processes import identity
from nsml.store.sessions import Session, create_session

# Of another user than those of `fill_queue`, so that it is the next one whose turn it is.
_NEXT = "next"
_WAITERS = 3
_ENDS = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]):\n    time.sleep(0.02)\n"


def benchmark(plan: Plan) -> list[Record]:
    """By the number of waiting sessions. This process stands for all of their supervisors but for a few."""
    few, *more = (10, 100) if plan.quick else (10, 100, 1000)
    homes = {size: new_home(plan.folder / f"queue-{size}") for size in (few, *more)}
    for size, home in homes.items():
        fill_queue(home, size)
        set_side_by_side(home, 2)  # one runs, so there is room for another
    project = plan.folder / "queue-project"
    project.mkdir()
    (project / "main.py").write_text(_ENDS, encoding="utf-8")
    costs: dict[str, Callable[[Home, Path], Callable[[], object]]] = {
        "nsml ps": _ps,
        "a plan with a claim": _claim,
        "from the end of a session to the start of the next": _gap,
    }
    records: list[Record] = []
    for what, prepare in costs.items():
        names = {size: f"{what}, {size:,} waiting" for size in homes}
        ways = [Way(names[size], prepare(home, project)) for size, home in homes.items()]
        samples = measure(ways, plan.rounds(9, 2), least=0)
        records += [samples.longer(names[size], names[few], MILLISECONDS) for size in more]
    return [*records, *_waiting(homes[more[-1]], project, plan, more[-1])]


def _ps(home: Home, project: Path) -> Callable[[], object]:
    return partial(run, [*NSML, "ps"], project, environment(home.path), keep=False)


def _claim(home: Home, project: Path) -> Callable[[], object]:
    session = create_session(home, _NEXT, DATASET, {"kind": "run", "entry": "main.py", "arguments": []})
    asked: dict[str, Any] = {"limits": Limits().to_dict(), "queue": Request().to_dict()}
    write_launch(session.folder, home, session, [], entry="main.py", arguments=[], **asked)

    def claim() -> float:
        session.forget_state()
        session.write_state("Queued", process=identity())
        began = time.perf_counter()
        if not look(home, session, identity()).outcome:
            raise RuntimeError("the session had to wait")
        seconds = time.perf_counter() - began
        session.write_state("Exited", exit_status=0)
        return seconds

    return claim


def _gap(home: Home, project: Path) -> Callable[[], object]:
    def gap() -> float:
        signs = [project.parent / f"{home.path.name}-{time.monotonic_ns()}-{which}" for which in "ab"]
        first, second = (_start(home, project, sign) for sign in signs)
        for session, sign in ((first, signs[0]), (second, signs[1])):
            _wait(session, "Running")
            sign.touch()
            _wait(session, "Exited")
        return float(second.state()["started_at"] - first.state()["ended_at"])

    return gap


def _waiting(home: Home, project: Path, plan: Plan, size: int) -> list[Record]:
    """Processor time and memory of supervisors that wait among so many."""
    seconds, sign = plan.rounds(60, 5), plan.folder / "queue-end"
    running, *waiting = [_start(home, project, sign) for _ in range(_WAITERS + 1)]
    _wait(running, "Running")
    pids = [int(session.state()["process"]["pid"]) for session in waiting]
    time.sleep(3)  # until they have imported what they need
    taken: list[list[float]] = [[] for _ in pids]
    for _ in range(plan.rounds(3, 1)):
        before = [_processor(pid) for pid in pids]
        time.sleep(seconds)
        for pid, since, shares in zip(pids, before, taken, strict=True):
            shares.append(1e3 * (_processor(pid) - since) / seconds)
    memory = max(_memory(pid) for pid in pids)
    sign.touch()
    for session in (running, *waiting):
        _wait(session, "Exited")
    *others, watching = sorted(max(shares) for shares in taken)
    of = f"of {size:,}, most of {plan.rounds(3, 1)} times {seconds} s"
    return [
        Condition(f"processor time a second of the waiting supervisor that watches, {of}", watching, "ms"),
        Condition(f"processor time a second of any other waiting supervisor, {of}", max(others), "ms"),
        Condition("memory of its own of a waiting supervisor", memory / 1e6, "MB"),
    ]


def _start(home: Home, project: Path, sign: Path) -> Session:
    """A session that ends when there is a file at `sign`."""
    where = environment(home.path, NSML_USER=_NEXT)
    printed = run([*NSML, "run", "-d", DATASET, "--env", "current", "-a", str(sign)], project, where).out
    name = next(line.split()[1] for line in printed.splitlines() if line.startswith("Session "))
    user, dataset, number = name.split("/")
    return Session(SessionName(user, dataset, int(number)), home.sessions / name)


def _wait(session: Session, status: str) -> None:
    until = time.monotonic() + 120
    while session.status() != status:
        if time.monotonic() > until:
            raise RuntimeError(f"{session.name} is {session.status()}, not {status}")
        time.sleep(0.02)


def _processor(pid: int) -> float:
    """Seconds of processor that a process has taken."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _memory(pid: int) -> int:
    """Bytes that a process shares with no other."""
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines())
    return 1024 * sum(int(words[1]) for words in lines if words[0].startswith("Private_"))
