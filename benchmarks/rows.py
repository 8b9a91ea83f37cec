"""The benchmarks by name, each in the module of that name, which is imported when it is run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks.records import Record

ROWS = {
    "load": "3900x3072 JPEGs to prepared 512-pixel images, 2 threads",
    "cache": "the same photographs again, and the memory of 1,000 images until they are used",
    "local_average": "subtracting the local average at 512 and 1024 pixels, 1 thread",
    "exactness": "what preparing fast costs in grey levels, and in a trained network's answers",
    "augment": "augmenting 256x256x3, 2 threads",
    "training": "a training epoch with augmentation, and how long it waits for input",
    "pytorch": "a training step of both recipes against the same network in PyTorch",
    "predict": "prediction of 1,000 prepared images, on a trained network",
    "one_image": "one image through infer",
    "submit": "a whole submit of 401 photographs of 3900x3072: time and peak memory",
    "commands": "nsml ps with 1,000 sessions, and import nsml",
    "report": "nsml.report of 10 values, and what a crash loses",
    "start": "nsml run to the first line, and submit beyond the user's own code",
    "growth": "how loading, ps, board, logs and peak memory grow",
    "queue": "1,000 waiting sessions: nsml ps, a claim, the next start, and a supervisor that waits",
    "heartbeat": "what running sessions and nsml ps ask of a shared disk",
    "slurm": "sessions as jobs of Slurm",
    "referee": "a submission at the referee, and what it takes while it waits",
    "iterator_trap": "leaving a tf.data iterator that the autotuner watches",
}
_TENSORFLOW = frozenset(
    {"exactness", "augment", "training", "pytorch", "predict", "one_image", "submit", "growth", "iterator_trap"}
)


@dataclass(frozen=True)
class Plan:
    """How a benchmark is to run: in a hurry or not, and a temporary folder that all of a run share."""

    folder: Path
    quick: bool = False

    def rounds(self, full: int, quick: int) -> int:
        return quick if self.quick else full


def function(name: str) -> Callable[[Plan], Iterable[Record]]:
    """The function that runs the benchmark of that name."""
    if name in _TENSORFLOW:
        from model.run.devices import start_tensorflow

        # Before anything else imports TensorFlow, whose first lines would fill the terminal.
        start_tensorflow(0)
    function: Callable[[Plan], Iterable[Record]] = import_module(f"benchmarks.{name}").benchmark
    return function
