"""NSML_HOMEs of the benchmarks' own, with datasets, sessions and submissions in them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.photographs import photographs
from nsml.engine.queue import Request, look
from nsml.engine.resources import set_side_by_side
from nsml.engine.snapshot import take_snapshot
from nsml.store.checkpoints import store
from nsml.store.datasets import push_dataset
from nsml.store.files import read_json
from nsml.store.home import Home, open_home
from nsml.store.launches import write_launch
from nsml.store.metrics import MetricsWriter
from nsml.store.processes import identity
from nsml.store.sessions import Session, create_session
from nsml.store.submissions import open_submission, record_score

USER, DATASET = "team", "FUNDUS"
_CODES = {"NORMAL": "NOR", "AMD": "AMD", "RVO": "RVO", "DMR": "DMR"}
_USERS = 50


def new_home(folder: Path, train: Sequence[Path] = (), test: Sequence[Path] = (), *, isolate: bool = False) -> Home:
    """A home at `folder` where DATASET is registered: links to photographs, classes in turn; four small ones unless given.

    With `isolate`, the photographs are copied and programs are isolated.
    """
    few = photographs(folder.parent, 4, size=(640, 512))
    source = folder.with_name(f"{folder.name}-dataset")
    for number, path in enumerate(train or few):
        name, code = list(_CODES.items())[number % 4]
        _link(path, source / "train" / "train_data" / name / f"Wide_{code}_{number}_R.jpg")
    lines = []
    for number, path in enumerate(test or few):
        _link(path, source / "test" / "test_data" / f"{number:05}.jpg")
        lines.append(f"test_data,{number:05}.jpg,{number % 4}\n")
    (source / "test" / "test_label").write_text("".join(lines), encoding="utf-8")
    home = open_home(folder)
    push_dataset(home, DATASET, source, isolate=isolate)
    return home


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)


def ended_session(home: Home, arguments: Sequence[str] = ("--epoch", "5")) -> Session:
    """A session that has ended and reported something."""
    record = {"kind": "run", "entry": "main.py", "arguments": list(arguments), "env": "current"}
    session = create_session(home, USER, DATASET, record)
    session.write_memo("made for a benchmark")
    session.log.write_text("epoch 1\nepoch 2\n", encoding="utf-8")
    writer = MetricsWriter(session.folder)
    for step in range(20):
        writer.append({"step": step, "time": 0.0, "values": {"train/loss": 0.5, "val/score": 80.0}, "summary": True})
    writer.close()
    session.write_state("Exited", exit_status=0)
    return session


def fill_sessions(home: Home, count: int) -> None:
    """Copies the first session, or a new one, until there are `count`."""
    first = home.sessions / USER / DATASET / "1"
    if not first.exists():
        ended_session(home)
    for number in range(2, count + 1):
        folder = first.with_name(str(number))
        if not folder.exists():
            shutil.copytree(first, folder)


def fill_queue(home: Home, count: int) -> None:
    """As many more sessions that wait, behind one that runs; this process stands for all of their supervisors."""
    set_side_by_side(home, 1)
    for number in range(count + 1):
        record = {"kind": "run", "entry": "main.py", "arguments": [], "env": "current"}
        session = create_session(home, USER, DATASET, record)
        write_launch(session.folder, home, session, [], entry="main.py", arguments=[], queue=Request().to_dict())
        session.write_state("Queued" if number else "Running", process=identity())
    look(home)


def fill_board(home: Home, count: int) -> None:
    """Copies the first submission, or a new one, until there are `count`, of many users in turn."""
    first = home.submissions / DATASET / "1" / "submission.json"
    if not first.exists():
        folder = open_submission(home, DATASET)
        record_score(folder, user="user0", session=f"user0/{DATASET}/1", checkpoint="best", score=80.0)
    record = read_json(first)
    for number in range(2, count + 1):
        folder = first.parent.with_name(str(number))
        if not folder.exists():
            folder.mkdir()
            user = f"user{number % _USERS}"
            changed = {**record, "user": user, "score": 50 + number % 47, "at": record["at"] + number}
            # Not written as it is by a submit, which waits for the disk each time.
            (folder / "submission.json").write_text(json.dumps(changed), encoding="utf-8")


def trained_session(home: Home, project: Path, write_model: Callable[[Path], None]) -> Session:
    """An ended session with the code of `project` and a checkpoint `best` that `write_model(path)` writes."""
    session = ended_session(home, ())
    take_snapshot(project, session.code)
    store(session.checkpoints, "best", write_model, elapsed=0.0, summary={})
    return session
