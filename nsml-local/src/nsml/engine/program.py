"""Starting a competitor's program in a folder, with its output in a log, and ending it with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ..store.launches import VARIABLE


def start_program(
    entry: str, arguments: list[str], *, work: Path, log: Path, launch: Path, dataset_path: Path, dataset: str
) -> subprocess.Popen[bytes]:
    """Start `entry` in `work`, as the leader of a process group of its own; what it prints is appended to `log` unbuffered."""
    environment = os.environ | {
        VARIABLE: str(launch),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        # Read by the oldest programs in place of the constants.
        "NSML_DATASET_PATH": str(dataset_path),
        "NSML_DATASET_NAME": dataset,
    }
    environment.pop("NSML_DATASET", None)
    with open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
        return subprocess.Popen(
            [sys.executable, "-u", entry, *arguments],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def end_program(process: subprocess.Popen[bytes], patience: float = 5.0) -> None:
    """End the whole process group: ask, wait up to `patience` seconds, then kill."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
        until = time.monotonic() + patience
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
    kill_group(process)
    process.wait()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process group, children that outlived their parent included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def how_it_ended(code: int) -> str:
    """ "exit status 3" or "signal 9 (SIGKILL)"."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"
