"""The template's `model.checkpoint.network_files.save` into a folder that holds a network already, stopped or killed at random moments.

A kill leaves the files as they are, so most moments are looked at by stopping the writer (SIGSTOP) and copying its folder, which takes no
new start of TensorFlow; at the end it is killed for good.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from stress.counts import Counts, Plan

_START = 120  # seconds in which TensorFlow has started


def prove(plan: Plan) -> Counts:
    """Look at what a program that saves without end has on the disk at `times` moments, and after it was killed."""
    from model.checkpoint import network_files as weights

    chance, counts = random.Random(plan.seed), Counts()
    folder = plan.folder / "checkpoint"
    writer = subprocess.Popen([sys.executable, "-m", "stress.weights", str(folder)], stdin=subprocess.DEVNULL)
    until = time.monotonic() + plan.seconds
    last = 0
    try:
        if not _wait_for(folder / weights.SETTINGS):
            counts.losses.append("the writer did not start")
            return counts
        while counts.done["moments"] < plan.times and time.monotonic() < until:
            time.sleep(chance.uniform(0, 0.1))
            writer.send_signal(signal.SIGSTOP)
            os.waitpid(writer.pid, os.WUNTRACED)  # until it does stand still
            shutil.rmtree(plan.folder / "copy", ignore_errors=True)
            shutil.copytree(folder, plan.folder / "copy")
            writer.send_signal(signal.SIGCONT)
            counts.done["moments"] += 1
            last = _load(plan.folder / "copy", last, counts)
        writer.kill()
        counts.done["kills"] += 1
        writer.wait()
        _load(folder, last, counts)
        left = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        counts.check(len(left) <= 7, f"left behind: {sorted(left)}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            writer.kill()
        writer.wait()
    counts.done["saves"] = last
    return counts


def _load(folder: Path, last: int, counts: Counts) -> int:
    """The number of the network in a folder, which must be readable and none before `last`."""
    from model.checkpoint import network_files as weights

    try:
        epoch = weights.load(folder).settings.epoch
    except weights.CheckpointError as error:
        counts.losses.append(str(error))
        return last
    counts.check(epoch >= last, f"network {epoch} is there, {last} was saved before")
    return max(epoch, last)


def _wait_for(path: Path) -> bool:
    until = time.monotonic() + _START
    while not path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def _write_for_ever(folder: Path) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from dataclasses import replace

    from model.checkpoint import network_files as weights
    from model.network import new_network
    from model.recipes import winning
    from model.settings import Settings

    network = new_network(Settings(replace(winning(), image_size=16, width=4, depth=2, dropout=0.0), ("NORMAL", "AMD")))
    while True:
        network.settings.epoch += 1
        weights.save(folder, network)


if __name__ == "__main__":
    _write_for_ever(Path(sys.argv[1]))
