"""What sessions and those who list them ask of the disk that holds the home, counted as system calls on its files."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.homes import DATASET, fill_sessions, new_home
from benchmarks.processes import NSML, ROOT, environment, run
from benchmarks.records import Condition, Record
from benchmarks.rows import Plan
from nsml.engine.snapshot import list_snapshot
from nsml.store.home import Home
from nsml.store.names import SessionName
from nsml.store.sessions import Session, create_session

_WRITES = (
    "write",
    "utimensat",
    "rename",
    "unlink",
    "mkdir",
    "rmdir",
    "fsync",
    "fdatasync",
    "link",
    "ftruncate",
    "chmod",
)
_TRACE = ("strace", "-f", "-y", "-qq", "-e", "trace=%file,%desc", "-e", "signal=none")
_CALL = re.compile(r"(?:\d+ +)?(\w+)\(")
_SLEEPS = "import time\ntime.sleep(600)\n"


def benchmark(plan: Plan) -> list[Record]:
    """Calls a second of a supervisor, and calls of a command."""
    if why := _why_not():
        print(f"benchmarks: heartbeat: not measured, since {why}", file=sys.stderr)
        return []
    copied = len(list_snapshot(ROOT).files)
    return [
        *_supervisor(plan),
        *_ps(plan),
        Condition("files in code/ and work/ of a session of this template", 2 * copied, "files"),
    ]


def _why_not() -> str:
    if not shutil.which("strace"):
        return "there is no strace here"
    probe = subprocess.run([*_TRACE, "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return f"strace may not trace here: {probe.stderr.strip()[-100:]}" if probe.returncode else ""


def _supervisor(plan: Plan) -> list[Record]:
    """A running session, whose program does nothing."""
    seconds = plan.rounds(60, 11)
    home, project = new_home(plan.folder / "heartbeat"), plan.folder / "heartbeat-project"
    project.mkdir()
    (project / "main.py").write_text(_SLEEPS, encoding="utf-8")
    where = environment(home.path)
    run([*NSML, "run", "-d", DATASET, "--env", "current"], project, where)
    session = Session(SessionName("team", DATASET, 1), home.sessions / "team" / DATASET / "1")
    while session.status() != "Running":
        time.sleep(0.1)
    lines = plan.folder / "heartbeat-calls"
    tracer = subprocess.Popen([*_TRACE, "-o", str(lines), "-p", str(session.state()["process"]["pid"])])
    time.sleep(seconds)
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    run([*NSML, "stop", str(session.name)], project, where)
    reads, writes = _count(lines, home)
    return [
        Condition(f"reads a second of the supervisor of a running session, over {seconds} s", reads / seconds, "calls"),
        Condition(
            f"writes a second of the supervisor of a running session, over {seconds} s", writes / seconds, "calls"
        ),
    ]


def _ps(plan: Plan) -> list[Record]:
    """`nsml ps` once more sessions have ended, or run on another host."""
    home, many = new_home(plan.folder / "heartbeat-ps"), plan.rounds(1000, 100)
    fill_sessions(home, 1)
    before = _calls_of_ps(home, plan)
    fill_sessions(home, 1 + many)
    ended = _calls_of_ps(home, plan)
    for _ in range(many):
        session = create_session(home, "other", DATASET, {"kind": "run", "entry": "main.py", "arguments": []})
        process = {"pid": 2, "started": 1.0, "host": "elsewhere", "namespace": "", "boot": "another", "ticks": 1}
        session.write_state("Running", process=process, program=3, started_at=time.time())
    running = _calls_of_ps(home, plan)
    return [
        Condition("calls of nsml ps with one session", before, "calls"),
        Condition(f"more for each session that has ended, of {many:,}", (ended - before) / many, "calls"),
        Condition(f"more for each session that runs on another host, of {many:,}", (running - ended) / many, "calls"),
    ]


def _calls_of_ps(home: Home, plan: Plan) -> int:
    lines = plan.folder / "heartbeat-calls-of-ps"
    run([*_TRACE, "-o", str(lines), *NSML, "ps"], plan.folder, environment(home.path), keep=False)
    return sum(_count(lines, home))


def _count(lines: Path, home: Home) -> tuple[int, int]:
    """Reads and writes among the calls that name a file of the home. Closing one is neither: the disk is not asked."""
    reads = writes = 0
    for line in lines.read_text(errors="replace").splitlines():
        call = _CALL.match(line)
        if call is None or str(home.path) not in line or call[1] in ("close", "lseek", "fcntl", "ioctl", "execve"):
            continue
        if call[1].startswith(_WRITES) or "O_CREAT" in line:
            writes += 1
        else:
            reads += 1
    return reads, writes
