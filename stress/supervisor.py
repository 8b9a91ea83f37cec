"""Supervisors that are killed by SIGKILL while their program saves: the session is Lost, its checkpoints are whole, and it goes on."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

from nsml.errors import NsmlError
from nsml.store.checkpoints import Checkpoint, list_checkpoints
from nsml.store.names import parse_session_name
from nsml.store.sessions import ENDED, Session, find_session
from stress.counts import Counts, Plan
from stress.homes import DATASET, new_home, nsml, start_nsml, using


def prove(plan: Plan) -> Counts:
    """Start a session, kill its supervisor at a random moment, resume it, and do so `times` times."""
    chance, counts = random.Random(plan.seed), Counts()
    home = new_home(plan.folder / "home")
    until = time.monotonic() + plan.seconds
    with using(home.path):
        for _ in range(plan.times):
            if time.monotonic() > until:
                break
            out, err = start_nsml(
                home.path, "run", "-d", DATASET, "-a", "--saves 400 --sleep 4", "--env", "current"
            ).communicate()
            counts.check("is started" in out, f"a run failed: {err}")
            session = find_session(home, parse_session_name(out.split()[1], "tester"))
            if not _wait(lambda s=session: s.status() == "Running"):
                counts.losses.append(f"{session.name} does not run: {session.status()}")
                continue
            time.sleep(chance.uniform(0.1, 0.8))
            _kill(session, counts)
            saved = _whole(session, counts)
            if saved:
                _resume(home.path, session, counts)
            counts.done["checkpoints verified"] += saved
    return counts


def _wait(true: object, seconds: float = 20) -> bool:
    assert callable(true)
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _kill(session: Session, counts: Counts) -> None:
    state = session.state()
    os.kill(state["process"]["pid"], signal.SIGKILL)
    counts.done["kills"] += 1
    counts.check(_wait(lambda: session.status() == "Lost"), f"{session.name} is {session.status()}, not Lost")
    with contextlib.suppress(ProcessLookupError, KeyError):
        os.killpg(state["program"], signal.SIGKILL)
    listed = nsml("ps", "-a")
    counts.check("Lost" in listed.out and not listed.err, f"ps says: {listed.err or listed.out}")


def _whole(session: Session, counts: Counts) -> int:
    """How many checkpoints are listed, all of which must be whole."""
    checkpoints = list_checkpoints(session.checkpoints)
    for one in checkpoints:
        try:
            if not isinstance(one, Checkpoint):
                raise one
            one.verify()
        except NsmlError as error:
            counts.losses.append(str(error))
    return len(checkpoints)


def _resume(home: Path, session: Session, counts: Counts) -> None:
    resumed = start_nsml(home, "resume", str(session.name))
    _, err = resumed.communicate()
    counts.check(resumed.returncode == 0, f"{session.name} is not resumed: {err}")
    counts.done["resumed"] += 1
    counts.check(_wait(lambda: session.status() in ("Running", *ENDED)), f"{session.name} does not run again")
    stopped = nsml("stop", "-f", str(session.name))
    counts.check(stopped.status == 0, f"{session.name} is not stopped: {stopped.err}")
    nsml("rm", "-f", str(session.name))
