"""Everything at once, at random: sessions started, stopped, submitted, resumed and removed, with kills and full disks now and then.

A model of what must be true is kept beside, and compared with what the commands show after every operation.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from nsml.errors import NsmlError
from nsml.store.checkpoints import Checkpoint, checkpoint_names, list_checkpoints
from nsml.store.home import Home
from nsml.store.names import parse_session_name
from nsml.store.sessions import ENDED, Session, find_session
from stress.counts import Counts, Plan
from stress.homes import DATASET, LABELS, environment, new_home, nsml, score_of, using

USERS = ("ann", "ben")
_MOST_RUNNING = 4
_PATIENCE = 60.0


@dataclass
class Known:
    """What is known of a session.

    `status` is the one that it must have, None while it may still change; `whole` whether its start met no full disk.
    """

    user: str
    right: int
    memo: str = ""
    status: str | None = None
    whole: bool = True


@dataclass
class Model:
    """What must be true."""

    sessions: dict[str, Known] = field(default_factory=dict)
    every_name: set[str] = field(default_factory=set)
    scores: dict[str, list[float]] = field(default_factory=dict)


class Driver:
    """Does one operation after the other and notes what is not as it must be."""

    def __init__(self, home: Home, chance: random.Random, counts: Counts) -> None:
        self.home, self.chance, self.counts = home, chance, counts
        self.model = Model()

    def step(self) -> None:
        """One operation at random, and a look at everything."""
        operations: list[tuple[int, Callable[[], None]]] = [
            (5, self.run), (4, self.submit), (2, self.stop), (2, self.remove), (2, self.kill), (2, self.resume),
            (1, self.run_on_a_full_disk), (1, self.kill_a_submit), (2, self.write_memo), (1, self.remove_checkpoint),
        ]  # fmt: skip
        weights = [weight for weight, _ in operations]
        operation = self.chance.choices([each for _, each in operations], weights)[0]
        operation()
        self.look()

    # What is done.

    def run(self) -> None:
        user, right = self.chance.choice(USERS), self.chance.randrange(len(LABELS) + 1)
        if len(self._running()) >= _MOST_RUNNING:
            return
        sleep, status = self.chance.choice((0, 0, 1, 5)), self.chance.choice((0, 0, 0, 3))
        words = f"--right {right} --saves {self.chance.randrange(1, 6)} --sleep {sleep} --status {status}"
        code, out, err = self._command(user, "run", "-d", DATASET, "-a", words, "--env", "current")
        self.counts.done["runs"] += 1
        if not self._holds(code == 0, f"a run failed: {err}"):
            return
        self._add(out.split()[1], Known(user, right))

    def run_on_a_full_disk(self) -> None:
        user = self.chance.choice(USERS)
        limit = self.chance.choice((1, 200, 400, 1000))
        before = set(self._listed())
        code, _, err = self._command(user, "run", "-d", DATASET, "--env", "current", limit=limit)
        self.counts.done["full disks"] += 1
        self._holds("Traceback" not in err and len(err.splitlines()) == int(code != 0), f"a full disk ended in: {err}")
        # The session may have got its number before the disk was full.
        for name in set(self._listed()) - before:
            self._add(name, Known(user, len(LABELS), whole=False))

    def submit(self) -> None:
        if (name := self._one_that_ended("best")) is None:
            return
        known = self.model.sessions[name]
        code, out, err = self._command(known.user, "submit", name, "best")
        self.counts.done["submits"] += 1
        if self._holds(code == 0, f"a submit of {name} failed: {err}"):
            score = float(out.splitlines()[0].removeprefix("Score: "))
            self._holds(score == score_of(known.right), f"{name} scores {score}, not {score_of(known.right)}")
            self.model.scores.setdefault(known.user, []).append(score_of(known.right))

    def kill_a_submit(self) -> None:
        if (name := self._one_that_ended("best")) is None:
            return
        known = self.model.sessions[name]
        process = self._start(known.user, ("submit", name, "best"))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self.chance.uniform(0.1, 1.2))
        process.kill()
        process.communicate()
        self.counts.done["kills of a submit"] += 1
        # It counts or it does not; what is on the board is what it was by then.
        own = self.model.scores.setdefault(known.user, [])
        if self._board().get(known.user, (0.0, 0))[1] > len(own):
            own.append(score_of(known.right))

    def stop(self) -> None:
        if not (running := self._running()):
            return
        name = self.chance.choice(running)
        code, out, err = self._command(self.model.sessions[name].user, "stop", "-f", name)
        self.counts.done["stops"] += 1
        if self._holds(code == 0, f"{name} is not stopped: {err}"):
            self.model.sessions[name].status = "Stopped" if "is stopped" in out else None
            self._holds(self._listed()[name]["status"] in ENDED, f"{name} still runs after a stop")
            self.model.sessions[name].status = self._listed()[name]["status"]

    def kill(self) -> None:
        if not (running := self._running()):
            return
        name = self.chance.choice(running)
        state = self._session(name).state()
        whom, wanted = self.chance.choice((("process", ("Lost",)), ("program", ("Failed", "Exited", "Lost"))))
        if state["status"] != "Running":
            return
        pid = state["process"]["pid"] if whom == "process" else state["program"]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.counts.done[f"kills of a {'supervisor' if whom == 'process' else 'program'}"] += 1
        ended = self._wait(lambda: self._session(name).status() in ENDED)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(state["program"], signal.SIGKILL)
        status = self._session(name).status()
        self._holds(ended and status in (*wanted, "Exited", "Failed"), f"{name} is {status} after a kill of its {whom}")
        self.model.sessions[name].status = status

    def resume(self) -> None:
        if len(self._running()) >= _MOST_RUNNING or (name := self._one_that_ended("best")) is None:
            return
        code, _, err = self._command(self.model.sessions[name].user, "resume", name)
        self.counts.done["resumes"] += 1
        self._holds(code == 0, f"{name} is not resumed: {err}")
        self.model.sessions[name].status = None

    def remove(self) -> None:
        if len(self.model.sessions) < 3 or (name := self._one_that_ended(None)) is None:
            return
        code, _, err = self._command(self.model.sessions[name].user, "rm", "-f", name)
        self.counts.done["removals"] += 1
        if self._holds(code == 0, f"{name} is not removed: {err}"):
            del self.model.sessions[name]

    def write_memo(self) -> None:
        if not self.model.sessions:
            return
        name = self.chance.choice(sorted(self.model.sessions))
        memo = self.chance.choice(("first try", "안저 사진", "a" * 300, "x\ny"))
        code, _, err = self._command(self.model.sessions[name].user, "memo", name, memo)
        self.counts.done["memos"] += 1
        self._holds(code == 0, f"the memo of {name}: {err}")
        self.model.sessions[name].memo = " ".join(memo.split())

    def remove_checkpoint(self) -> None:
        if (name := self._one_that_ended("0")) is None:
            return
        before = self._checkpoints(name)
        code, _, err = self._command(self.model.sessions[name].user, "model", "rm", "-f", name, "0")
        self.counts.done["removals of a checkpoint"] += 1
        self._holds(code == 0, f"checkpoint 0 of {name} is not removed: {err}")
        saved = self._checkpoints(name)
        self._holds(saved == before - {"0"}, f"{name} has {sorted(saved)} of {sorted(before)} after 0 was removed")

    # What must be true.

    def look(self) -> None:
        """Compare what the commands show with the model."""
        rows = self._listed()
        self._holds(set(rows) == set(self.model.sessions), f"listed {sorted(rows)}, not {sorted(self.model.sessions)}")
        for name, known in self.model.sessions.items():
            row = rows.get(name, {})
            status = row.get("status")
            self._holds(status in ("Queued", "Starting", "Running", *ENDED), f"{name} is {status}")
            self._holds(known.status in (None, status), f"{name} is {status}, not {known.status}")
            self._holds(row.get("memo") == known.memo, f"{name} has the memo {row.get('memo')!r}")
            if status in ENDED:
                known.status = status
        wanted = {user: (max(scores), len(scores)) for user, scores in self.model.scores.items() if scores}
        self._holds((board := self._board()) == wanted, f"the board is {board}, not {wanted}")
        if self.model.sessions:
            self._check_checkpoints(self.chance.choice(sorted(self.model.sessions)))

    def end(self) -> None:
        """Stop what runs; at the end nothing is damaged, whatever was killed."""
        for name in self._running():
            self._command(self.model.sessions[name].user, "stop", "-f", name)
        lines = nsml("doctor").out.splitlines()
        damaged = [line for line in lines if "damaged" in line or "has no session.json" in line]
        self._holds(not damaged, f"doctor says: {damaged[:3]}")
        self.counts.done["sessions at the end"] = len(self.model.sessions)

    def _check_checkpoints(self, name: str) -> None:
        for saved in list_checkpoints(self._session(name).checkpoints):
            try:
                if not isinstance(saved, Checkpoint):
                    raise saved
                saved.verify()
                self.counts.done["checkpoints verified"] += 1
            except NsmlError as error:
                self._holds(isinstance(saved, Checkpoint) and not saved.folder.exists(), str(error))

    # How to ask.

    def _holds(self, true: bool, loss: str) -> bool:
        self.counts.check(true, loss)
        return true

    def _add(self, name: str, known: Known) -> None:
        self._holds(name not in self.model.every_name, f"the number of {name} was given twice")
        self.model.every_name.add(name)
        self.model.sessions[name] = known

    def _listed(self) -> dict[str, Any]:
        ended = nsml("ps", "-a", "-j")
        self._holds(ended.status == 0 and not ended.err, f"ps says: {ended.err}")
        return {row["name"]: row for row in json.loads(ended.out or "[]")}

    def _board(self) -> dict[str, tuple[float, int]]:
        ended = nsml("dataset", "board", "-j", DATASET)
        self._holds(ended.status == 0 and not ended.err, f"board says: {ended.err}")
        return {row["user"]: (row["score"], row["submissions"]) for row in json.loads(ended.out)}

    def _session(self, name: str) -> Session:
        return find_session(self.home, parse_session_name(name, "nobody"))

    def _running(self) -> list[str]:
        whole = [name for name, known in sorted(self.model.sessions.items()) if known.whole]
        return [name for name in whole if self._session(name).status() not in ENDED]

    def _one_that_ended(self, checkpoint: str | None) -> str | None:
        """A session that has ended and, where one is named, has that checkpoint; None where there is none."""
        result = []
        for name in sorted(self.model.sessions):
            session = self._session(name)
            if session.status() in ENDED and (checkpoint is None or checkpoint in self._checkpoints(name)):
                result.append(name)
        return self.chance.choice(result) if result else None

    def _checkpoints(self, name: str) -> set[str]:
        return set(checkpoint_names(self._session(name).checkpoints))

    def _wait(self, true: Callable[[], bool]) -> bool:
        until = time.monotonic() + _PATIENCE
        while not true():
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def _start(self, user: str, words: tuple[str, ...], limit: int | None = None) -> subprocess.Popen[str]:
        def restrict() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        # CPython before 3.12.8 leaves modules that it compiles by such a limit cut short, and nobody could import them after.
        own = {"PYTHONDONTWRITEBYTECODE": "1"} if limit is not None else {}
        return subprocess.Popen(
            [sys.executable, "-m", "nsml", *words],
            cwd=self.home.path.with_name("project"), env=environment(self.home.path, user) | own, preexec_fn=restrict,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip

    def _command(self, user: str, *words: str, limit: int | None = None) -> tuple[int, str, str]:
        process = self._start(user, words, limit)
        try:
            out, err = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            self.counts.losses.append(f"nsml {' '.join(words)} takes more than {_PATIENCE:.0f} s")
        return process.returncode, out, err


def _steps(plan: Plan) -> Iterator[int]:
    until = time.monotonic() + plan.seconds
    number = 0
    while time.monotonic() < until and (plan.times == 0 or number < plan.times):
        number += 1
        yield number


def prove(plan: Plan) -> Counts:
    """Go on for as long as the plan says, or for `times` operations."""
    counts = Counts()
    home = new_home(plan.folder / "home")
    with using(home.path):
        driver = Driver(home, random.Random(plan.seed), counts)
        shown = time.monotonic()
        for number in _steps(plan):
            counts.done["operations"] = number
            driver.step()
            if time.monotonic() - shown > 60:
                shown = time.monotonic()
                print(f"load: {counts.line()}", flush=True)
            if len(counts.losses) > 100:
                break
        driver.end()
    return counts
