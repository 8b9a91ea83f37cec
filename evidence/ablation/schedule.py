"""Makes the missing runs of an ablation. Several processes may share the work: each claims a run by locking a file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from model.console import clock

from .runs import Outcome, Run, read_outcome, result_file, write_outcome


def make_runs(
    runs: Sequence[Run],
    folder: Path,
    execute: Callable[[Run], Outcome],
    minutes: float | None = None,
) -> int:
    """Make the missing runs one after the other, write each outcome to `folder`, and return the number of runs that are still missing.

    Runs that another process has claimed are skipped. After `minutes` no run is started. Prints a line for each run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    durations: list[float] = []
    for number, run in enumerate(runs, 1):
        path = result_file(folder, run)
        if read_outcome(path) is not None:
            continue
        if minutes is not None and time.monotonic() - started >= minutes * 60:
            print(f"{minutes:g} minutes are over; repeat the command to continue", flush=True)
            break
        with claim(folder / f"{run.name}.claim") as mine:
            # Another process may have finished it since the first check.
            if not mine or read_outcome(path) is not None:
                continue
            begun = time.monotonic()
            outcome = execute(run)
            write_outcome(path, run, outcome)
            durations.append(time.monotonic() - begun)
        left = sum(not result_file(folder, other).exists() for other in runs)
        remaining = clock(left * float(np.mean(durations)))
        print(f"{number:>3} of {len(runs)}  {_line(run, outcome)}, {remaining} left", flush=True)
    return sum(not result_file(folder, run).exists() for run in runs)


def _line(run: Run, outcome: Outcome) -> str:
    seed, fold = run.cell
    if outcome.validation is None:
        result = outcome.failed
    else:
        right = outcome.validation.probabilities.argmax(axis=1) == outcome.validation.labels
        result = f"accuracy {right.mean():.3f}"
    return f"{run.arm.title:<22} seed {seed} fold {fold}  {result}  {clock(outcome.seconds)}"


def finished(runs: Sequence[Run], folder: Path) -> list[tuple[Run, Outcome]]:
    """The finished runs with their outcomes."""
    outcomes = ((run, read_outcome(result_file(folder, run))) for run in runs)
    return [(run, outcome) for run, outcome in outcomes if outcome is not None]


@contextlib.contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Lock the file `path` until the block ends. Yield False if another process holds the lock.

    The system unlocks the file whenever its process ends, so a file without a lock is left over from a killed process and is reused. The
    file contains the name of its process, for people.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            if not isinstance(error, BlockingIOError):
                raise
            yield False
            return
        if _is_at(handle, path):
            break
        os.close(handle)  # its owner removed it between our opening and locking
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield True
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False
