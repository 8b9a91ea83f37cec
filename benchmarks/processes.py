"""Programs in processes of their own: how long they took, what they printed, and their peak memory."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NSML = (sys.executable, "-c", "import sys; from nsml.cli.main import main; sys.exit(main())")
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux' prctl.h


@dataclass(frozen=True)
class Ended:
    """How a program ended. peak: bytes of the largest of its processes, 0 where the system does not tell."""

    seconds: float
    out: str
    peak: int


class ProgramFailed(RuntimeError):
    """A program of a benchmark failed; the message holds its last lines."""


def environment(home: Path | None = None, **more: str) -> dict[str, str]:
    """This process's environment, with this checkout and the same `nsml`, and an NSML_HOME of the benchmark's own."""
    import nsml

    library = str(Path(nsml.__file__).parent.parent)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("NSML_")}
    # Where it is set, the project's modules would be compiled at each start, as they are on nobody's machine.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    paths = [str(ROOT), library, *filter(None, [os.environ.get("PYTHONPATH")])]
    variables |= {"PYTHONPATH": os.pathsep.join(paths), "TF_CPP_MIN_LOG_LEVEL": "3", "NSML_USER": "team"}
    return variables | ({} if home is None else {"NSML_HOME": str(home)}) | more


def run(
    command: Sequence[str], folder: Path, environment: dict[str, str], *, peak: bool = False, keep: bool = True
) -> Ended:
    """Runs a program to its end. ProgramFailed where its exit status is not 0.

    peak: look at its memory. keep: keep what it prints; False for what prints much, to whatever takes it at once.
    """
    with tempfile.TemporaryFile() if keep else open(os.devnull, "w+b") as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            with _peak_memory(process.pid) if peak else _nothing() as largest:
                status = process.wait()
                seconds = time.perf_counter() - began
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        out.seek(0)
        text = out.read().decode("utf-8", "replace")
    if status:
        last = " / ".join(text.strip().splitlines()[-3:])
        raise ProgramFailed(f"{' '.join(map(str, command))[:120]} ended with {status}: {last[-400:]}")
    return Ended(seconds, text, max(largest, default=0))


def adopt_orphans() -> None:
    """Makes this process the parent of what its children leave behind, so that its processor time counts as this process's.

    Only Linux can; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def wait_for_orphans(seconds: float = 20.0) -> None:
    """Waits until every process that was left behind has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.005)
        except ChildProcessError:
            return


@contextmanager
def _nothing() -> Iterator[list[int]]:
    yield []


@contextmanager
def _peak_memory(pid: int) -> Iterator[list[int]]:
    """A list that gets the largest resident size (bytes) of the process and of each below it, looked at ten times a second.

    Not the resource usage of a waited-for child: Linux carries the size of the parent over into it.
    """
    largest: dict[int, int] = {}
    over = threading.Event()

    def look() -> None:
        while True:
            for member in _family(pid):
                largest[member] = max(largest.get(member, 0), status_bytes(member, "VmHWM"))
            if over.wait(0.1):
                return

    result: list[int] = []
    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield result
    finally:
        over.set()
        watcher.join()
        result += largest.values()


def _family(pid: int) -> list[int]:
    members = [pid]
    for member in members:
        try:
            for task in os.listdir(f"/proc/{member}/task"):
                members += map(int, Path(f"/proc/{member}/task/{task}/children").read_text().split())
        except (OSError, ValueError):
            continue
    return members


def status_bytes(pid: int, name: str) -> int:
    """A size from /proc/PID/status in bytes, VmHWM or VmRSS for instance; 0 where there is none."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0


def kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a process as a crash does."""
    process.send_signal(signal.SIGKILL)
    process.wait()
