"""The programs of a test without an interpreter's start: a process that has imported what they need, and forks for each of them.

Most of what a short program costs is starting Python and importing modules. What the fork runs is the same `python -m nsml` or
`python main.py`, with the caller's folder, environment and files, to the interpreter's own end.

    request, one message with four files (stdin, stdout, stderr, reply):
        {"command": [PROGRAM, ARGUMENT, ...], "folder": ..., "environment": {...}}, a program being a module or the path of a file
    reply:
        the exit status as a decimal number, negative for a signal

The first thing that the process says is whether it may fork: not where what it has imported has started threads.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LARGEST = 200_000  # of a message, in bytes
# What an interpreter reads at its start, and a fork would not see.
_READ_AT_THE_START = ("PYTHON", "LC_", "LANG", "TZ")
NSML = """
from importlib import import_module
from nsml.cli import main
for module in {*main._COMMANDS.values()}:
    import_module(module)
"""
# As it is before coverage has it store figures first.
_end_at_once = os._exit
# Of OpenBLAS, which NumPy brings along, there are threads as soon as it is imported.
_WITHOUT_THREADS = {"OPENBLAS_NUM_THREADS": "1"}


class CommandServer:
    """The client's end. The process starts when it is first needed, and ends with the last holder of the socket.

    imports: what the process runs at its start, in the environment given.
    """

    def __init__(self, imports: str = NSML, environment: Mapping[str, str] = os.environ) -> None:
        self._imports = imports
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        # By which it would be measured twice.
        self._environment = {name: value for name, value in environment.items() if name != "COVERAGE_PROCESS_START"}
        self._may_fork = sys.platform == "linux"

    def takes(self, environment: Mapping[str, str]) -> bool:
        """Whether a fork sees all that an interpreter of its own would, and the machine has such sockets."""
        if _read_at_the_start(environment) != _read_at_the_start(self._environment):
            return False
        if self._may_fork and self._socket is None:
            self._start()
        return self._may_fork

    def run(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
    ) -> tuple[int, bytes, bytes]:
        """Exit status, stdout and stderr of a program, which both are read to their end, as `subprocess.run` does."""
        assert self._socket is not None, "ask whether it takes the command"
        pipes = [os.pipe() for _ in range(3)]
        with open(os.devnull, "rb") as stdin:
            request = {"command": list(command), "folder": str(folder), "environment": dict(environment)}
            socket.send_fds(
                self._socket, [json.dumps(request).encode()], [stdin.fileno(), *(write for _, write in pipes)]
            )
        for _, write in pipes:
            os.close(write)
        out, err, status = _read_all([read for read, _ in pipes], timeout, command)
        return int(status), out, err

    def close(self) -> None:
        """End the process, where there is one."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait()
            self._socket = self._process = None

    def _start(self) -> None:
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(its.fileno()), self._imports],
                env=self._environment | _WITHOUT_THREADS,
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self.close)
        self._may_fork = self._socket.recv(1) == b"y"


def _read_at_the_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_THE_START)}


def _read_all(files: Sequence[int], timeout: float, command: Sequence[str]) -> list[bytes]:
    result = {file: bytearray() for file in files}
    until = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for file in files:
            selector.register(file, selectors.EVENT_READ)
        try:
            while selector.get_map():
                ready = selector.select(until - time.monotonic())
                if not ready:
                    raise subprocess.TimeoutExpired(list(command), timeout, bytes(result[files[0]]))
                for key, _ in ready:
                    if block := os.read(key.fd, 65536):
                        result[key.fd] += block
                    else:
                        selector.unregister(key.fd)
        finally:
            for file in files:
                os.close(file)
    return [bytes(result[file]) for file in files]


def _measure_coverage() -> Callable[[], None]:
    """Begin to, where a run of the tests asks for it; what is returned begins anew in a fork, whose figures are stored at its end."""
    if "COVERAGE_FILE" not in os.environ:
        return lambda: None
    import coverage

    # A name of its own for each process, but not by the settings' `parallel`: to erase would then be to erase all others'.
    measured = coverage.Coverage(data_suffix=True)
    measured.start()
    atexit.register(measured.save)

    def begin_anew() -> None:
        measured.stop()
        measured.erase()
        measured.start()

    return begin_anew


def _serve(requests: socket.socket) -> str:
    """Returns only in the process of a command, ready to run the program that is returned."""
    gc.freeze()  # else the end of each fork looks through all that was imported, and so copies it
    requests.send(b"y" if len(os.listdir("/proc/self/task")) == 1 else b"n")
    while True:
        message, files, _, _ = socket.recv_fds(requests, _LARGEST, 4)
        if not message:
            sys.exit()
        if os.fork() == 0:
            break
        for file in files:
            os.close(file)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    requests.close()
    *standard, reply = files
    command = os.fork()
    if command:
        for file in standard:
            os.close(file)
        _, status = os.waitpid(command, 0)
        os.write(reply, str(os.waitstatus_to_exitcode(status)).encode())
        _end_at_once(0)
    for number, file in enumerate(standard):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    # Made anew, as the interpreter's own know from its start whether they can be sought.
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        new = open(number, old.mode, encoding=old.encoding, errors=old.errors, closefd=False)  # noqa: SIM115
        new.reconfigure(line_buffering=name == "stderr")
        setattr(sys, name, new)
    request = json.loads(message)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    program, *arguments = request["command"]
    is_file = program.endswith(".py")
    sys.argv[:] = [program if is_file else sys.argv[0], *arguments]
    sys.path[0] = os.path.dirname(program) if is_file else request["folder"]
    return str(program)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begin_to_measure = _measure_coverage()
    exec(sys.argv[2], {})
    to_run = _serve(socket.socket(fileno=int(sys.argv[1])))
    begin_to_measure()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if to_run.endswith(".py"):
        runpy.run_path(to_run, run_name="__main__")
    else:
        runpy.run_module(to_run, run_name="__main__", alter_sys=True)
