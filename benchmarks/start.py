"""Starting a session and a submit."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks.homes import DATASET, new_home, trained_session
from benchmarks.processes import NSML, adopt_orphans, environment, run, wait_for_orphans
from benchmarks.records import MILLISECONDS, Record
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from nsml.engine.isolation import why_not
from nsml.store.home import Home

_BY_HAND, _RUN = "started by hand, to its first line", "nsml run, to the first line"
_ISOLATED = "nsml run of an isolated program, to the first line"
_OWN, _SUBMIT = "load and infer by hand", "nsml submit"
_FIRST_LINE = "import time\nprint(time.time(), flush=True)\n"
_PROGRAM = """\
import argparse
import json
import os
import sys

import cv2
import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--by_hand", nargs=2)
args = parser.parse_args()
model = {}


def load(path):
    with open(os.path.join(path, "model.json")) as file:
        model.update(json.load(file))


def infer(images):
    return [int(image.mean()) % model["classes"] for image in images]


if args.by_hand:
    load(args.by_hand[0])
    folder = args.by_hand[1]
    print(infer([cv2.imread(os.path.join(folder, name)) for name in sorted(os.listdir(folder))]))
    sys.exit()
nsml.bind(load=load, infer=infer)
nsml.paused(scope=locals())
"""


def benchmark(plan: Plan) -> list[Record]:
    """Milliseconds, and the seconds that the platform adds."""
    adopt_orphans()
    return [*_first_line(plan), *_submit(plan)]


def _first_line(plan: Plan) -> list[Record]:
    project = _project(plan.folder / "start-project", _FIRST_LINE)
    home = new_home(plan.folder / "start")

    def by_hand() -> float:
        began = time.time()
        return float(run([sys.executable, "main.py"], project, environment(home.path)).out) - began

    def session(home: Home) -> float:
        began = time.time()
        ended = run([*NSML, "run", "-d", DATASET], project, environment(home.path))
        name = next(line.split()[1] for line in ended.out.splitlines() if line.startswith("Session "))
        log = home.sessions / name / "log.txt"
        wait_for_orphans()
        return float(log.read_text(encoding="utf-8").split()[0]) - began

    ways = [Way(_BY_HAND, by_hand), Way(_RUN, partial(session, home))]
    if not (why := why_not()):
        ways.append(Way(_ISOLATED, partial(session, new_home(plan.folder / "start-isolated", isolate=True))))
    samples = measure(ways, plan.rounds(11, 3), least=0)
    records: list[Record] = [samples.later(_RUN, _BY_HAND, MILLISECONDS, 0.3)]
    if why:
        print(f"benchmarks: start: no program can be isolated here ({why}), so that is not measured", file=sys.stderr)
        return records
    return [*records, samples.later(_ISOLATED, _RUN, MILLISECONDS, 0.05), samples.longer(_ISOLATED, _RUN, MILLISECONDS)]


def _submit(plan: Plan) -> list[Record]:
    home = new_home(plan.folder / "start-submit")
    project = _project(plan.folder / "start-submit-project", _PROGRAM)
    session = trained_session(home, project, _write_model)
    where = environment(home.path)
    _write_model(plan.folder / "start-model")
    images = home.datasets / DATASET / "submission" / "test" / "test_data"

    def by_hand() -> None:
        run([sys.executable, "main.py", "--by_hand", str(plan.folder / "start-model"), str(images)], project, where)

    def submit() -> None:
        run([*NSML, "submit", str(session.name), "best"], project, where)
        wait_for_orphans()

    samples = measure([Way(_OWN, by_hand), Way(_SUBMIT, submit)], plan.rounds(11, 3), least=0)
    return [samples.later(_SUBMIT, _OWN, MILLISECONDS, 0.5)]


def _project(folder: Path, program: str) -> Path:
    folder.mkdir()
    (folder / "main.py").write_text(program, encoding="utf-8")
    return folder


def _write_model(folder: Path) -> None:
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({"classes": 4}), encoding="utf-8")
