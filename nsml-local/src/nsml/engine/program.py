"""Starting a competitor's program in a folder, with its output in a log, and ending it with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ..store.files import read_json
from ..store.launches import FILE, VARIABLE


def start_program(
    folder: Path, work: Path, python: str = sys.executable, **environment: str
) -> subprocess.Popen[bytes]:
    """Start what `folder/launch.json` says in `work`, as the leader of a process group of its own.

    What it prints is appended to `folder/log.txt` unbuffered. `python` is the interpreter; `environment` is added to this process's.
    """
    launch: dict[str, Any] = read_json(folder / FILE)
    inherited = {name: value for name, value in os.environ.items() if name != "NSML_DATASET"}
    own = {
        VARIABLE: str(folder / FILE),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        # Read by the oldest programs in place of the constants.
        "NSML_DATASET_PATH": (launch["dataset_paths"] or [""])[0],
        "NSML_DATASET_NAME": launch["dataset"] if launch["dataset_paths"] else "",
    }
    # What the program starts as `python` is to find the same packages.
    beside = Path(python).parent
    own["PATH"] = os.pathsep.join([str(beside), inherited.get("PATH") or os.defpath])
    if (beside.parent / "pyvenv.cfg").exists():
        own["VIRTUAL_ENV"] = str(beside.parent)
    with open(folder / "log.txt", "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
        return subprocess.Popen(
            [python, "-u", launch["entry"], *map(str, launch["arguments"])],
            cwd=work,
            env=inherited | own | environment,
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
