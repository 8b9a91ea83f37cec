"""Sessions of three users that wait for three invented GPUs, while supervisors are killed: never over the limit, none lost, none twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

from nsml.store.files import read_json
from nsml.store.home import Home
from nsml.store.launches import FILE
from nsml.store.processes import is_alive
from nsml.store.sessions import ENDED, QUEUED, Session, list_sessions
from stress.counts import Counts, Plan
from stress.homes import DATASET, new_home, start_nsml

USERS = ("ann", "ben", "cho")
_GPUS = 3
_AT_ONCE = 4
# Locks its GPUs as long as it runs; what a killed supervisor leaves behind dies a moment after it.
_PROGRAM = """\
import fcntl, os, sys, time

folder, seconds = sys.argv[1], float(sys.argv[2])
session = os.path.dirname(os.getcwd())


def note(what):
    with open(os.path.join(folder, "notes"), "a") as file:
        file.write(f"{what} {session}\\n")


note("started")
held = [open(os.path.join(folder, "gpu" + gpu), "a") for gpu in os.environ["CUDA_VISIBLE_DEVICES"].split(",")]
for file in held:
    for attempt in range(20):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            time.sleep(0.1)
    else:
        note("collided")
time.sleep(seconds)
note("ended")
"""


def prove(plan: Plan) -> Counts:
    """Twice as many sessions as `times`, as many kills."""
    chance, counts = random.Random(plan.seed), Counts()
    home = new_home(plan.folder / "home")
    (plan.folder / "project" / "main.py").write_text(_PROGRAM)
    notes = plan.folder / "notes"
    notes.touch()
    before = os.environ["PATH"]
    os.environ["PATH"] = _invented_gpus(plan.folder / "bin")
    try:
        killed = _run_all(home, plan, chance, counts)
    finally:
        os.environ["PATH"] = before
    _print_table(home, killed)
    _check(home, notes.read_text(), killed, plan, counts)
    return counts


def _invented_gpus(folder: Path) -> str:
    """A PATH on which nvidia-smi lists them."""
    folder.mkdir()
    lines = "".join(f"echo {number}\n" for number in range(_GPUS))
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{lines}")
    (folder / "nvidia-smi").chmod(0o755)
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def _run_all(home: Home, plan: Plan, chance: random.Random, counts: Counts) -> Counter[str]:
    """Start the sessions a few at a time, kill in between and afterwards; how often the supervisor of each session was killed."""
    until = time.monotonic() + plan.seconds
    killed: Counter[str] = Counter()
    left = 2 * plan.times
    while time.monotonic() < until:
        commands = []
        for _ in range(min(left, _AT_ONCE)):
            left -= 1
            user, gpus = USERS[left % len(USERS)], chance.choice(("1", "1", "1", "2", "3"))
            words = f"{plan.folder} {chance.uniform(0.4, 2):.2f}"
            commands.append(
                start_nsml(home.path, "run", "-d", DATASET, "-g", gpus, "-a", words, "--env", "current", user=user)
            )
        # Any command starts the supervisors of waiting sessions, and several at once must not start two.
        for command in commands or [start_nsml(home.path, "ps") for _ in range(_AT_ONCE)]:
            _, err = command.communicate()
            counts.check(command.returncode == 0, f"a command failed: {err}")
        counts.done["sessions"] += len(commands)
        open_sessions = [session for session in list_sessions(home) if session.status() not in ENDED]
        if not left and not open_sessions:
            time.sleep(3)  # in which a second supervisor of a session would start it again
            return killed
        for _ in range(min(chance.randrange(4), plan.times - killed.total())):
            kind = chance.choice((QUEUED, "Running"))
            if found := [session for session in open_sessions if session.status() == kind]:
                _kill(chance.choice(found), killed, counts)
        time.sleep(0.05)
    counts.losses.append(f"after {plan.seconds:.0f} seconds sessions still wait")
    return killed


def _kill(session: Session, killed: Counter[str], counts: Counts) -> None:
    state = session.state()
    if not is_alive(state.get("process")):
        return
    with contextlib.suppress(ProcessLookupError, KeyError):
        os.kill(state["process"]["pid"], signal.SIGKILL)
        killed[str(session.name)] += 1
        counts.done[f"killed {state['status']}"] += 1


def _print_table(home: Home, killed: Counter[str]) -> None:
    """Seconds of wait and run, and the GPUs, of each session."""
    print("queue: session            wait    run  GPUs   end", flush=True)
    for session in sorted(list_sessions(home), key=lambda session: float(session.record()["created_at"])):
        state = session.state()
        began, ended = state.get("started_at"), state.get("ended_at")
        wait = f"{began - float(session.record()['created_at']):.1f}" if began else "-"
        run = f"{ended - began:.1f}" if began and ended else "-"
        gpus = ",".join(map(str, read_json(session.folder / FILE)["limits"]["gpus"] or ())) if began else "-"
        kills = f", killed {killed[str(session.name)]} times" if killed[str(session.name)] else ""
        print(f"queue: {session.name!s:17} {wait:>5} {run:>6}  {gpus:5}  {state['status']}{kills}", flush=True)


def _check(home: Home, notes: str, killed: Counter[str], plan: Plan, counts: Counts) -> None:
    sessions = list_sessions(home)
    counts.check(len(sessions) == 2 * plan.times, f"there are {len(sessions)} sessions")
    seen = Counter(tuple(line.split(" ", 1)) for line in notes.splitlines())
    for session in sessions:
        name, status, folder = str(session.name), session.status(), str(session.folder)
        counts.done[status] += 1
        started, ended, collided = (seen[what, folder] for what in ("started", "ended", "collided"))
        counts.check(started <= 1, f"{name} was started {started} times")
        counts.check(not collided, f"{name} had a GPU of another session")
        if status == "Exited":
            counts.check((started, ended) == (1, 1), f"{name} was started {started} and ended {ended} times")
        else:
            counts.check(status == "Lost" and killed[name] > 0, f"{name} is {status} and was not killed")
    waits = [session.state().get("started_at", 0) - session.record()["created_at"] for session in sessions]
    counts.done["seconds of the longest wait"] = round(max(waits))
    counts.check(not (home.queue / "waiting.json").exists(), "a plan is left")
