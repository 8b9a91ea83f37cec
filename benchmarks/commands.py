"""Commands and the library's import against the interpreter's own start."""

from __future__ import annotations

import sys

from benchmarks.homes import fill_queue, fill_sessions, new_home
from benchmarks.processes import NSML, environment, run
from benchmarks.records import MILLISECONDS, Record
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure

_SESSIONS, _QUEUED = 1000, 100
_PS_QUEUED = f"nsml ps, {_QUEUED} of them queued"
_BARE, _IMPORT = "python -c pass", "import nsml"
_PS, _PS_ALL = f"nsml ps, {_SESSIONS:,} sessions", f"nsml ps -a, {_SESSIONS:,} sessions"


def benchmark(plan: Plan) -> list[Record]:
    """Milliseconds of a program from its start to its end."""
    home = new_home(plan.folder / "commands")
    fill_sessions(home, _SESSIONS)
    where = environment(home.path)

    def way(name: str, *command: str) -> Way:
        def call() -> None:
            run(command, plan.folder, where)

        return Way(name, call)

    waiting = new_home(plan.folder / "waiting")
    fill_sessions(waiting, _SESSIONS)
    fill_queue(waiting, _QUEUED)

    ways = [
        way(_BARE, sys.executable, "-c", "pass"),
        way(_IMPORT, sys.executable, "-c", "import nsml"),
        way(_PS, *NSML, "ps"),
        way(_PS_ALL, *NSML, "ps", "-a"),
        Way(_PS_QUEUED, lambda: run((*NSML, "ps"), plan.folder, environment(waiting.path))),
    ]
    samples = measure(ways, plan.rounds(15, 3), least=plan.rounds(3, 0) / 10)
    return [
        samples.longer(_PS, _BARE, MILLISECONDS, 6),
        samples.longer(_PS_ALL, _BARE, MILLISECONDS),
        samples.longer(_PS_QUEUED, _BARE, MILLISECONDS),
        samples.longer(_IMPORT, _BARE, MILLISECONDS, 1.5),
    ]
