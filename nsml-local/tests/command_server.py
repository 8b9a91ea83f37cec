"""The `nsml` command of a test without an interpreter's start: a process that has imported it already, and forks for each command.

Most of what a short command costs is starting Python and importing its modules. What the fork runs is the same `python -m nsml`, with
the caller's folder, environment and files, to the interpreter's own end.

    request, one message with four files (stdin, stdout, stderr, reply):  {"arguments": [...], "folder": ..., "environment": {...}}
    reply:                                                                the exit status as a decimal number, negative for a signal
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_LARGEST = 200_000  # of a message, in bytes
# What an interpreter reads at its start, and a fork would not see.
_READ_AT_THE_START = ("PYTHON", "LC_", "LANG", "TZ")


class CommandServer:
    """The client's end. The process starts when it is first needed, and ends with the last holder of the socket."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = _read_at_the_start(os.environ)

    def takes(self, environment: Mapping[str, str]) -> bool:
        """Whether a fork sees all that an interpreter of its own would, and the machine has such sockets."""
        return sys.platform == "linux" and _read_at_the_start(environment) == self._environment

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
    ) -> tuple[int, bytes, bytes]:
        """Exit status, stdout and stderr of `nsml ARGUMENTS`, which both are read to their end, as `subprocess.run` does."""
        if self._socket is None:
            self._socket, self._process = _start()
            atexit.register(self.close)
        pipes = [os.pipe() for _ in range(3)]
        with open(os.devnull, "rb") as stdin:
            request = {"arguments": list(arguments), "folder": str(folder), "environment": dict(environment)}
            socket.send_fds(
                self._socket, [json.dumps(request).encode()], [stdin.fileno(), *(write for _, write in pipes)]
            )
        for _, write in pipes:
            os.close(write)
        out, err, status = _read_all([read for read, _ in pipes], timeout, arguments)
        return int(status), out, err

    def close(self) -> None:
        """End the process, where there is one."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait()
            self._socket = self._process = None


def _start() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(
            [sys.executable, __file__, str(its.fileno())],
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    return ours, process


def _read_at_the_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_THE_START)}


def _read_all(files: Sequence[int], timeout: float, arguments: Sequence[str]) -> list[bytes]:
    found = {file: bytearray() for file in files}
    until = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for file in files:
            selector.register(file, selectors.EVENT_READ)
        try:
            while selector.get_map():
                ready = selector.select(until - time.monotonic())
                if not ready:
                    raise subprocess.TimeoutExpired(["nsml", *arguments], timeout, bytes(found[files[0]]))
                for key, _ in ready:
                    if block := os.read(key.fd, 65536):
                        found[key.fd] += block
                    else:
                        selector.unregister(key.fd)
        finally:
            for file in files:
                os.close(file)
    return [bytes(found[file]) for file in files]


def _serve(requests: socket.socket) -> None:
    """Returns only in the process of a command, ready to run it."""
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
        os._exit(0)
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
    sys.argv[1:] = request["arguments"]
    sys.path[0] = request["folder"]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from importlib import import_module

    from nsml.cli import main

    for module in {*main._COMMANDS.values()}:
        import_module(module)
    _serve(socket.socket(fileno=int(sys.argv[1])))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    runpy.run_module("nsml", run_name="__main__", alter_sys=True)
