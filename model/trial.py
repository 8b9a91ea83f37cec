"""How a training computes: in which precision, and whether XLA compiles the step. Told, or found by timing a few steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .hardware import has_gpu
from .network import PRECISIONS, new_network
from .settings import Settings
from .training import compile_step

# Only what was shown to train as well may be taken unasked.
_TAKEN_UNASKED = ("float32",)
_WARM_UP, _STEPS = 2, 5
# Compiling takes XLA ten seconds on a fast machine and minutes on a busy one, once to time it and once to train: seconds of a training
# without it from which that may come back.
_WORTH_COMPILING = 120.0


@dataclass(frozen=True)
class Computing:
    """precision: "float32", "bfloat16" or "float16", the last two with float32 weights; jit: whether XLA compiles the step."""

    precision: str
    jit: bool

    def __str__(self) -> str:
        return f"{self.precision} {'with' if self.jit else 'without'} XLA"


def candidates(precision: str, jit: str, gpu: bool) -> list[Computing]:
    """What comes into question, given "auto" or one of the precisions, and "auto", "on" or "off".

    On a processor XLA takes longer and makes no operation deterministic, so it is used only where it is asked for. ValueError for
    anything else.
    """
    if precision not in ("auto", *PRECISIONS):
        raise ValueError(f"precision is {precision!r}; give auto, {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}")
    if jit not in ("auto", "on", "off"):
        raise ValueError(f"jit is {jit!r}; give auto, on or off")
    precisions = _TAKEN_UNASKED if precision == "auto" else (precision,)
    jits = {"auto": (False, True) if gpu else (False,), "on": (True,), "off": (False,)}[jit]
    return [Computing(precision, jit) for precision in precisions for jit in jits]


@dataclass(frozen=True)
class Cost:
    """What a training step takes: `first` seconds the first time, tracing and compiling included, then `step` seconds each."""

    first: float
    step: float

    def of(self, steps: int) -> float:
        """Seconds of a training of so many steps."""
        return self.first + steps * self.step


def choose(settings: Settings, precision: str, jit: str, batch_size: int, steps: Callable[[], int]) -> Computing:
    """The candidate that makes so many training `steps` soonest, with a line on stdout that says how long each takes.

    Where there is one only, it, untimed, and the steps are not asked for. XLA is not even tried on a training that is over before
    compiling could pay.
    """
    found = candidates(precision, jit, has_gpu())
    if len(found) == 1:
        return found[0]
    planned = steps()
    costs: dict[Computing, Cost] = {}
    # Without XLA first, as `candidates` has it.
    for computing in found:
        if computing.jit and min(cost.of(planned) for cost in costs.values()) < _WORTH_COMPILING:
            continue
        costs[computing] = time_step(settings, computing, batch_size)
    soonest = min(costs, key=lambda computing: costs[computing].of(planned))
    times = ", ".join(
        f"{computing} {1000 * cost.step:.1f} ms after {cost.first:.0f} s" for computing, cost in costs.items()
    )
    why = "" if len(costs) == len(found) else ", too short a training to compile for"
    print(f"a step takes {times}: {soonest} is used{why} (--precision and --jit choose otherwise)", flush=True)
    return soonest


def time_step(settings: Settings, computing: Computing, batch_size: int) -> Cost:
    """The cost of a training step on made-up images, the median of some, of a network like the one to be trained, thrown away after.

    It draws nothing from any random generator that training uses, so a training with it and one without are the same.
    """
    network = new_network(replace(settings, precision=computing.precision))
    compile_step(network, computing.jit)
    rng = np.random.default_rng(0)
    size, classes = settings.preparation.size, len(settings.classes)
    images = rng.integers(0, 256, (batch_size, size, size, 3)).astype(np.float32)
    labels = np.eye(classes, dtype=np.float32)[np.arange(batch_size) % classes]
    seconds: list[float] = []
    for _ in range(_WARM_UP + _STEPS):
        start = time.perf_counter()
        network.model.train_on_batch(images, labels, np.ones(batch_size, np.float32))
        seconds.append(time.perf_counter() - start)
    return Cost(seconds[0], float(np.median(seconds[_WARM_UP:])))
