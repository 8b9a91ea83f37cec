"""Starts `nsml web` as users do, in a home with a dataset, sessions and a leaderboard."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from helpers import Ended, make_dataset, run_nsml, wait_until
from program_helpers import PROGRAMS

_PATIENCE = 60


@dataclass(frozen=True)
class Home:
    """A home with a project folder; `nsml(...)` runs commands in it."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "home"

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def environment(self) -> dict[str, str]:
        return {"NSML_HOME": str(self.path), "NSML_USER": "tester", "COLUMNS": "100"}

    def nsml(self, *arguments: str, **environment: str) -> Ended:
        ended = run_nsml(arguments, self.project, **self.environment | environment)
        assert ended.status == 0, ended.err
        return ended

    def run(self, arguments: str = "", memo: str = "", dataset: str = "FUNDUS", **environment: str) -> str:
        """Start a session. Returns its name."""
        return self.nsml("run", "-d", dataset, "-a", arguments, "-m", memo, **environment).out.split()[1]

    def run_to_the_end(self, arguments: str = "", memo: str = "", **environment: str) -> str:
        name = self.run(arguments, memo, **environment)
        self.nsml("logs", "-f", name)
        return name


def make_home(folder: Path) -> Home:
    home = Home(folder)
    home.project.mkdir(parents=True)
    shutil.copy(PROGRAMS / "curves.py", home.project / "main.py")
    home.nsml("dataset", "push", "FUNDUS", str(make_dataset(folder / "source", labels=[0, 1, 2, 3] * 2)))
    return home


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    content: bytes


class Server:
    """A running `nsml web` on a free port."""

    def __init__(self, home: Home, *options: str, opens: str = "") -> None:
        """`opens` is the program that is started as the browser, if any."""
        self._output = home.folder / f"web-{time.monotonic_ns()}.txt"
        # Show Python's warnings: a test reads the output.
        command = [
            sys.executable,
            "-W",
            "default",
            "-m",
            "nsml",
            "web",
            *([] if opens else ["--no-open"]),
            "--port",
            "0",
            *options,
        ]
        environment = os.environ | home.environment | ({"BROWSER": opens} if opens else {})
        if "COVERAGE_FILE" in environment:
            environment["COVERAGE_PROCESS_START"] = environment["COVERAGE_RCFILE"]
        with open(self._output, "wb") as output:
            self.process = subprocess.Popen(command, cwd=home.project, env=environment, stdout=output, stderr=output)
        wait_until(lambda: " is at http" in self.output() or self.process.poll() is not None, _PATIENCE)
        address = re.search(r"http://([^:/]+|\[[^]]+\]):(\d+)/(\S*)", self.output())
        assert address, self.output()
        self.port, self.query = int(address[2]), address[3]
        self.address = f"http://127.0.0.1:{self.port}"

    def output(self) -> str:
        return self._output.read_text()

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Send a request with `path` as it is."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)) as connection:
            connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            with connection.getresponse() as answer:
                # After an upgrade to a WebSocket there is no body.
                return Answer(answer.status, answer.headers, b"" if answer.status == 101 else answer.read())

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
