"""Start a competitor's program in a folder, with its output in a log, and end it with all its processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..store.datasets import Dataset
from ..store.files import open_regular, read_json
from ..store.home import Home
from ..store.isolated import isolated_folders
from ..store.launches import FILE, ISOLATED, VARIABLE
from .control_group import kill_group, make_group
from .family import HAS_KEEPERS, below_a_keeper, below_bubblewrap, die_with_parent, family, signal_all
from .isolation import isolate_program, pass_environment

if TYPE_CHECKING:
    import psutil


_ENDING, _KILLING = 5.0, 3.0  # seconds
# By default, TensorFlow and JAX reserve all of a GPU's memory, but a checkpoint is often submitted while its session is training.
_SHARED = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
_SET_BY_THE_PLATFORM = ("NSML_DATASET", "NSML_DATASET_PATH", "NSML_DATASET_NAME", "NSML_METRIC")


class Program(subprocess.Popen[bytes]):
    """A program started by this process, with the home of its session. `pid` is that of its keeper, if it has one, or of bubblewrap."""

    home: Home
    isolated = False
    group: Path | None = None
    _ended: int | None = None

    @property
    def returncode(self) -> Any:  # type: ignore[override]
        """As of `subprocess.Popen`. For a program ended by signal N, bubblewrap returns 128 + N."""
        ended = self._ended
        is_signal = self.isolated and ended is not None and 128 < ended < 128 + signal.NSIG
        return 128 - ended if is_signal and ended is not None else ended

    @returncode.setter
    def returncode(self, ended: int | None) -> None:
        self._ended = ended

    def family(self) -> list[psutil.Process]:
        """The living processes of the program, including itself, without its keeper or the two of bubblewrap."""
        if self.isolated:
            return below_bubblewrap(self.pid) if self.poll() is None else []
        processes = family(self.pid, self.home)
        if not HAS_KEEPERS and self.poll() is None:
            import psutil

            with contextlib.suppress(psutil.Error):
                processes.insert(0, psutil.Process(self.pid))
        return processes


def start_program(
    folder: Path, work: Path, python: str = sys.executable, *, writable: Sequence[Path] = (), **environment: str
) -> Program:
    """Start the program of `folder/launch.json` in `work`, as the leader of a new process group. It dies with this process.

    Its output is appended to `folder/log.txt` unbuffered. If its home has an isolated dataset, it is isolated.

    Args:
        python: the interpreter.
        writable: if it is isolated, further folders that it can write to, besides its work and its output.
        environment: variables added to those of this process.
    """
    launch: dict[str, Any] = read_json(folder / FILE)
    inherited = _SHARED | {name: value for name, value in os.environ.items() if name not in _SET_BY_THE_PLATFORM}
    home = Home(Path(launch["home"]))
    own = {
        VARIABLE: str(folder / FILE),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }
    if launch["dataset_paths"]:
        # The oldest programs read these instead of the constants; unset, they mean that there is no dataset.
        own |= {"NSML_DATASET_PATH": launch["dataset_paths"][0], "NSML_DATASET_NAME": launch["dataset"]}
        own |= Dataset(launch["dataset"], home.datasets / launch["dataset"]).told()
    # So that `python`, started by the program, has the same packages.
    beside = Path(python).parent
    own["PATH"] = os.pathsep.join([str(beside), inherited.get("PATH") or os.defpath])
    if (beside.parent / "pyvenv.cfg").exists():
        own["VIRTUAL_ENV"] = str(beside.parent)
    variables = inherited | own | environment
    command = [python, "-u", launch["entry"], *map(str, launch["arguments"])]
    isolated = bool(isolated_folders(home))
    if isolated:
        variables = pass_environment(inherited) | own | environment | {ISOLATED: "1"}
        command = isolate_program(home, launch, folder, work, python, writable, command)
    log = open_regular(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    group = None if isolated else make_group(home)
    with open(log, "ab") as output:
        try:
            program = Program(
                command,
                cwd=work,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent() if isolated else below_a_keeper(home, group),
            )
        except BaseException:
            if group:
                kill_group(group)
            raise
    program.isolated = isolated
    program.home = home
    program.group = group
    return program


def end_program(program: Program) -> None:
    """End the program and all its processes: SIGTERM, wait up to 5 seconds, then SIGKILL."""
    signal_all(program.family(), signal.SIGTERM)
    until = time.monotonic() + _ENDING
    while program.poll() is None and time.monotonic() < until:
        program.send_signal(signal.SIGCONT)  # its keeper, which the program may have stopped
        time.sleep(0.05)
    kill_program(program)


def kill_program(program: Program) -> list[int]:
    """Kill the program and all its processes, also if it has ended. Return the ids of those that could not be killed, if known."""
    left = kill_group(program.group) if program.group else []
    until = time.monotonic() + _KILLING
    while program.poll() is None and time.monotonic() < until:
        signal_all(program.family(), signal.SIGKILL)
        program.send_signal(signal.SIGCONT)
        time.sleep(0.01)
    program.kill()
    program.wait()
    return left


def how_it_ended(code: int) -> str:
    """ "exit status 3" or "signal 9 (SIGKILL)"."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"
