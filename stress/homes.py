"""Homes for the proofs: a small dataset of text, a program that needs no heavy library, and the `nsml` command in and out of process."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from nsml.engine.resources import set_side_by_side
from nsml.scoring.fundus import fundus_score
from nsml.store.datasets import push_dataset
from nsml.store.home import Home, open_home

DATASET = "NUMBERS"
LABELS = (0, 1, 2, 3, 0, 1, 2, 3)
# Answers the first --right test items rightly, the others by one class too high.
PROGRAM = """\
import argparse, os, sys, time
import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--right", type=int, default=8)
parser.add_argument("--saves", type=int, default=2)
parser.add_argument("--sleep", type=float, default=0)
parser.add_argument("--status", type=int, default=0)
args = parser.parse_args()


def save(folder):
    for name in ("a", "b"):
        with open(os.path.join(folder, name), "w") as file:
            file.write(str(args.right) * 1000)


def load(folder):
    for name in ("a", "b"):
        assert open(os.path.join(folder, name)).read() == str(args.right) * 1000


def infer(path):
    return [(n + (n >= args.right)) % 4 for n in range(8)]


nsml.bind(save=save, load=load, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "train":
    for epoch in range(args.saves):
        nsml.report(summary=True, step=epoch, loss=1 / (epoch + 1))
        nsml.save(epoch)
        nsml.save("best")
        print("epoch", epoch, flush=True)
        time.sleep(args.sleep / max(args.saves, 1))
    sys.exit(args.status)
"""


def score_of(right: int) -> float:
    """What PROGRAM scores with `--right RIGHT`."""
    return fundus_score(LABELS, [(n + (n >= right)) % 4 for n in range(len(LABELS))]).score


def new_home(folder: Path) -> Home:
    """A home at `folder` where DATASET is registered, and a folder `project` beside it with PROGRAM as main.py."""
    source = folder.with_name(f"{folder.name}-dataset")
    for path, text in {
        "train/train_data/numbers.txt": "1\n",
        "test/test_data/numbers.txt": "1\n",
        "test/test_label": "".join(f"{label}\n" for label in LABELS),
    }.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text)
    project = folder.with_name("project")
    project.mkdir(exist_ok=True)
    (project / "main.py").write_text(PROGRAM)
    home = open_home(folder)
    set_side_by_side(home, 1000)
    push_dataset(home, DATASET, source, rules={"metric": "fundus"})
    return home


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


def environment(home: Path, user: str = "tester") -> dict[str, str]:
    """This process's environment, with a home and a user's name."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("NSML_")}
    return variables | {"NSML_HOME": str(home), "NSML_USER": user, "COLUMNS": "100"}


def start_nsml(home: Path, *arguments: str, user: str = "tester") -> subprocess.Popen[str]:
    """Start the command in the folder of PROGRAM."""
    return subprocess.Popen(
        [sys.executable, "-m", "nsml", *arguments],
        cwd=home.with_name("project"),
        env=environment(home, user),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def nsml(*arguments: str) -> Ended:
    """Run the command in this process, on NSML_HOME, for commands that start no other."""
    from nsml.cli.main import main

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict") for _ in range(2))
    before, sys.argv = sys.argv, ["nsml", *arguments]
    status = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as ended:
        status = int(ended.code or 0)
    finally:
        sys.argv = before
    texts = []
    for stream in (out, err):
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        texts.append(stream.buffer.getvalue().decode("utf-8", "replace"))
    return Ended(status, *texts)


@contextmanager
def using(home: Path, user: str = "tester") -> Iterator[None]:
    """Let commands in this process use a home, as a user."""
    before = os.environ.copy()
    os.environ.update(NSML_HOME=str(home), NSML_USER=user)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
