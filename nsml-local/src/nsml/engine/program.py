"""Starting a competitor's program in a folder, with its output in a log, and ending it with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunFailed
from ..store.files import open_regular, read_json
from ..store.home import Home
from ..store.launches import FILE, VARIABLE
from .family import HAS_KEEPERS, below_a_keeper, family, signal_all
from .isolation import Entrance, isolated_among, view_of

if TYPE_CHECKING:
    import psutil


_KILLING = 3.0
# TensorFlow and JAX take all of a GPU's memory when they start, and a checkpoint is often submitted while its session goes on training.
_SHARED = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
_SET_BY_THE_PLATFORM = ("NSML_DATASET", "NSML_DATASET_PATH", "NSML_DATASET_NAME")


class Program(subprocess.Popen[bytes]):
    """A program that this process started, with the home of its session. `pid` is its keeper's, where it has one."""

    home: Home

    def family(self) -> list[psutil.Process]:
        """The living processes of the program, itself among them, without its keeper."""
        found = family(self.pid, self.home)
        if not HAS_KEEPERS and self.poll() is None:
            import psutil

            with contextlib.suppress(psutil.Error):
                found.insert(0, psutil.Process(self.pid))
        return found


def start_program(folder: Path, work: Path, python: str = sys.executable, **environment: str) -> Program:
    """Start what `folder/launch.json` says in `work`, as the leader of a process group of its own. It dies with this process.

    What it prints is appended to `folder/log.txt` unbuffered. `python` is the interpreter; `environment` is added to this process's.
    """
    launch: dict[str, Any] = read_json(folder / FILE)
    inherited = _SHARED | {name: value for name, value in os.environ.items() if name not in _SET_BY_THE_PLATFORM}
    own = {
        VARIABLE: str(folder / FILE),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }
    if launch["dataset_paths"]:
        # Read by the oldest programs in place of the constants; where there is no dataset, they look whether these are there.
        own |= {"NSML_DATASET_PATH": launch["dataset_paths"][0], "NSML_DATASET_NAME": launch["dataset"]}
    # What the program starts as `python` is to find the same packages.
    beside = Path(python).parent
    own["PATH"] = os.pathsep.join([str(beside), inherited.get("PATH") or os.defpath])
    if (beside.parent / "pyvenv.cfg").exists():
        own["VIRTUAL_ENV"] = str(beside.parent)
    home = Home(Path(launch["home"]))
    isolated = isolated_among(home, launch["dataset_paths"])
    entrance = Entrance(view_of(home, isolated, launch["dataset_paths"], folder), work) if isolated else None
    become_keeper = below_a_keeper(home)

    def prepare() -> None:
        become_keeper()
        if entrance is not None:
            entrance()

    with (
        contextlib.closing(entrance) if entrance else contextlib.nullcontext(),
        open(open_regular(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab") as output,
    ):
        try:
            program = Program(
                [python, "-u", launch["entry"], *map(str, launch["arguments"])],
                cwd=work,
                env=inherited | own | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=prepare,
            )
        except subprocess.SubprocessError:
            # All that is told of an exception in the new process.
            raise RunFailed(
                "the program could not be given a view of its own; see 'nsml dataset push --help'"
            ) from None
    program.home = home
    return program


def end_program(program: Program, patience: float = 5.0) -> None:
    """End the program with all that it started: ask, wait up to `patience` seconds, then kill."""
    signal_all(program.family(), signal.SIGTERM)
    until = time.monotonic() + patience
    while program.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    kill_program(program)


def kill_program(program: Program) -> None:
    """Kill the program and all that it started."""
    until = time.monotonic() + _KILLING
    while program.poll() is None and time.monotonic() < until:
        signal_all(program.family(), signal.SIGKILL)
        time.sleep(0.01)
    program.kill()  # its keeper, which the program may have stopped
    program.wait()


def how_it_ended(code: int) -> str:
    """ "exit status 3" or "signal 9 (SIGKILL)"."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"
