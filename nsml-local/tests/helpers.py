"""The `nsml` command as users start it, a program in the usual shape, and a dataset that it answers well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from command_server import CommandServer

from nsml.engine.family import HAS_KEEPERS
from nsml.store.datasets import find_dataset
from nsml.store.home import Home
from nsml.store.sessions import Session
from nsml.store.submissions import open_submission, record_score

# A program in the usual shape: its "model" is a dict, its infer answers with the remainder of the photograph's mean.
PROGRAM = """\
import argparse
import json
import os

import nsml


def bind_model(model):
    def save(dir_path, **kwargs):
        with open(os.path.join(dir_path, "model.json"), "w") as file:
            json.dump(model, file)

    def load(dir_path, **kwargs):
        with open(os.path.join(dir_path, "model.json")) as file:
            model.update(json.load(file))

    def infer(data, **kwargs):
        return [int(image.mean()) % 4 for image in data]

    nsml.bind(save=save, load=load, infer=infer)


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--epoch", type=int, default=2)
args = parser.parse_args()
model = {"epoch": -1}
bind_model(model)
if args.pause or args.mode == "test":
    nsml.paused(scope=locals())
if args.mode == "train":
    for epoch in range(model["epoch"] + 1, args.epoch):
        model["epoch"] = epoch
        print("epoch", epoch)
        nsml.report(summary=True, step=epoch, train__loss=1 / (epoch + 1))
        nsml.save(epoch)
    nsml.save("best")
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


Nsml = Callable[..., Ended]


_TIMEOUT = 120
_server = CommandServer()


def run_nsml(arguments: Sequence[str], folder: Path, **environment: str) -> Ended:
    """Run `nsml ARGUMENTS`, in a fork where that is the same as an interpreter of its own."""
    if not _server.takes(os.environ | environment):
        return run_command([sys.executable, "-m", "nsml", *arguments], folder, **environment)
    status, out, err = _server.run(["nsml", *arguments], folder, os.environ | environment, _TIMEOUT)
    return Ended(status, _text(out), _text(err))


def _text(output: bytes) -> str:
    return output.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def run_command(command: Sequence[str], folder: Path, **environment: str) -> Ended:
    ended = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_TIMEOUT,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def write_photograph(path: Path, brightness: int, size: tuple[int, int] = (40, 32)) -> None:
    import cv2
    import numpy

    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), numpy.full((size[1], size[0], 3), brightness, dtype="uint8"))


def make_dataset(folder: Path, labels: Sequence[int] = (0, 1, 2, 3)) -> Path:
    """A dataset in the contract's layout; the test photograph of class c has a brightness that PROGRAM answers c to."""
    for code, name in (("NOR", "NORMAL"), ("AMD", "AMD"), ("RVO", "RVO"), ("DMR", "DMR")):
        for patient in (1, 2):
            write_photograph(folder / "train" / "train_data" / name / f"Wide_{code}_{patient}_R.jpg", 100)
    lines = []
    for number, label in enumerate(labels):
        write_photograph(folder / "test" / "test_data" / f"{number:03}.png", 100 + label)
        lines.append(f"test_data,{number:03}.png,{label}\n")
    (folder / "test" / "test_label").write_text("".join(lines))
    return folder


def draw_competition(folder: Path) -> Path:
    """A dataset with 80 test photographs of 40 patients, for `submit_to_competition`."""
    (folder / "test" / "test_data").mkdir(parents=True)
    (folder / "train").mkdir()
    (folder / "train" / "x").touch()
    for name in _OF_PATIENTS:
        (folder / "test" / "test_data" / name).touch()
    lines = [f"test_data,{name},{number % 4}\n" for number, name in enumerate(_OF_PATIENTS)]
    (folder / "test" / "test_label").write_text("".join(lines))
    return folder


def submit_to_competition(home: Home) -> None:
    """Submissions to it as dataset D by three teams, who are right for 72, 70 and 20 photographs."""
    by = find_dataset(home, "D").scored_by()
    for user, right in (("a", 72), ("b", 70), ("c", 20)):
        opened = open_submission(home, "D")
        answers = [(number + (number >= right)) % 4 for number in range(80)]
        lines = [f"test_data,{name},{answer}\n" for name, answer in zip(_OF_PATIENTS, answers, strict=True)]
        (opened / "predictions.csv").write_text("".join(lines))
        names_of_it = {"user": user, "session": f"{user}/D/1", "checkpoint": "=best"}
        record_score(opened, **names_of_it, score=right / 80, at=1.8e9, scored_by=by)  # type: ignore[arg-type]


_OF_PATIENTS = [f"{number:03}_{eye}.png" for number in range(40) for eye in "LR"]


def start_and_wait(nsml: Nsml, *options: str, dataset: str = "FUNDUS") -> str:
    started = nsml("run", "-d", dataset, *options)
    assert started.status == 0, started.err
    name = started.out.split()[1]
    nsml("logs", "-f", name)
    return name


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def lose(session: Session) -> None:
    """Kill the supervisor of a session, with which its program dies, except where there are no keepers."""
    state = session.state()
    os.kill(state["process"]["pid"], signal.SIGKILL)
    if not HAS_KEEPERS:
        os.killpg(state["program"], signal.SIGKILL)
    wait_until(lambda: session.status() == "Lost")


def start_for_ctrl_c(command: Sequence[str], folder: Path, output: Path) -> subprocess.Popen[bytes]:
    """Start a command that SIGINT interrupts, also where the tests themselves run in the background, where it is ignored."""
    with open(output, "wb") as out:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdout=out,
            stderr=out,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )


def with_gpus(folder: Path, count: int) -> str:
    """A PATH on which nvidia-smi lists so many GPUs."""
    folder.mkdir()
    lines = "".join(f"echo {n}\n" for n in range(count))
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{lines}")
    (folder / "nvidia-smi").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
