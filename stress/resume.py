"""Trainings that are killed by SIGKILL and started again from their newest checkpoint: the weights are those of one never killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from stress.counts import Counts, Plan

_EPOCHS = (6, 4)  # of the two phases


def prove(plan: Plan) -> Counts:
    """Train once undisturbed, and once killed `times` times, at random moments after its first save."""
    import numpy as np

    chance, counts = random.Random(plan.seed), Counts()
    began = time.monotonic()
    _run(plan.folder / "undisturbed")
    length = time.monotonic() - began
    wanted = np.load(plan.folder / "undisturbed" / "everything.npz")
    folder = plan.folder / "killed"
    until = time.monotonic() + plan.seconds
    while not (folder / "everything.npz").exists():
        spared = counts.done["kills"] >= plan.times or time.monotonic() > until
        counts.done["starts"] += 1
        if _run(folder, None if spared else chance.uniform(0.5, 1) * length):
            continue
        counts.done["kills"] += 1
    loaded = np.load(folder / "everything.npz")
    counts.check(set(loaded.files) == set(wanted.files), "other variables")
    for name in wanted.files:
        same = loaded[name].dtype == wanted[name].dtype and loaded[name].tobytes() == wanted[name].tobytes()
        counts.check(same, f"{name} differs after {counts.done['kills']} kills")
    counts.done["arrays compared"] = len(wanted.files)
    return counts


def _run(folder: Path, seconds: float | None = None) -> bool:
    """Train to the end, or kill the training after so many seconds; whether it came to its end."""
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    training = subprocess.Popen([sys.executable, "-m", "stress.resume", str(folder)], env=environment)
    try:
        status = training.wait(seconds)
    except subprocess.TimeoutExpired:
        training.kill()
        training.wait()
        return False
    if status:
        raise RuntimeError(f"the training ended with exit status {status}")
    return True


def _train(folder: Path) -> None:
    from model.run.devices import start_tensorflow

    start_tensorflow(0)
    import numpy as np

    from model.checkpoint import network_files as weights
    from nsml.store.checkpoints import find_checkpoint, list_checkpoints, store
    from tests import small_network
    from tests.small_network import train

    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    network = small_network.network()
    if list_checkpoints(checkpoints):
        network = weights.load(find_checkpoint(checkpoints, None, str(folder)).model)

    def save(name: object) -> None:
        if name != "best":
            store(checkpoints, str(name), lambda path: weights.save(path, network), elapsed=0.0, summary={})

    train(
        network,
        small_network.recipe(*_EPOCHS),
        small_network.data(),
        report=lambda **values: None,
        save=save,
        save_every=1,
    )
    variables = [*network.model.variables, *network.optimizer.variables]
    np.savez(folder / ".everything.npz", **{str(number): variable.numpy() for number, variable in enumerate(variables)})
    os.replace(folder / ".everything.npz", folder / "everything.npz")


if __name__ == "__main__":
    _train(Path(sys.argv[1]))
