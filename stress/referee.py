"""A referee, and what hands in, killed by SIGKILL at random moments: each submission is scored once, for whoever owned its file.

As root, three other accounts hand in; else this one does, and no submits of sessions are killed.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from nsml.scoring.ledger import read_ledger
from nsml.scoring.referee import Referee, ledger_path, verify
from nsml.scoring.spool import INCOMING, hand_in
from nsml.store.datasets import find_dataset
from nsml.store.home import Home
from nsml.store.submissions import submissions_of
from stress.counts import Counts, Plan
from stress.datathon import Account, interpreter
from stress.homes import DATASET, LABELS, new_home, score_of

_FOR_EACH_KILL = 4
_ACCOUNTS = (60001, 60002, 60003)
_VICTIMS = ("kills of submits", "kills of submits with all they started", "kills of their programs")
_INFER = 0.3  # seconds that _PROGRAM takes
_SUBMITS = "submits of sessions"


# Checkpoint N answers the first N % 9 test items rightly, and takes its time, so that kills meet it.
_PROGRAM = """\
import argparse, os, time
import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--saves", type=int)
args = parser.parse_args()
model = {}


def save(folder):
    with open(os.path.join(folder, "right"), "w") as file:
        file.write(str(model["right"]))


def load(folder):
    with open(os.path.join(folder, "right")) as file:
        model["right"] = int(file.read())


def infer(path):
    time.sleep(0.3)
    return [(n + (n >= model["right"])) % 4 for n in range(8)]


nsml.bind(save=save, load=load, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
for number in range(args.saves):
    model["right"] = number % 9
    nsml.save(number)
"""


def prove(plan: Plan) -> Counts:
    """`times` kills of the referee while it scores what is handed in, then as many of submits, while referees are killed too."""
    counts = Counts()
    plan.folder.chmod(0o755)
    _prove_hand_ins(plan, counts)
    try:
        interpreter()
    except OSError as error:
        print(f"referee: no submits of sessions are killed, as {error}", flush=True)
    else:
        _prove_submits(plan, counts)
    return counts


def _prove_hand_ins(plan: Plan, counts: Counts) -> None:
    """Four submissions before each kill, and another that is killed while it is handed in."""
    chance = random.Random(plan.seed)
    home, spool = new_home(plan.folder / "home"), plan.folder / "spool"
    _referee(home, spool)
    until = time.monotonic() + plan.seconds
    rights: list[int] = []
    doubtful = set()
    while counts.done["kills"] < plan.times and time.monotonic() < until:
        for _ in range(_FOR_EACH_KILL):
            rights.append(chance.randrange(len(LABELS) + 1))
            os.waitpid(_hand_in(spool, len(rights) - 1, rights[-1]), 0)
        rights.append(chance.randrange(len(LABELS) + 1))
        killed = _hand_in(spool, len(rights) - 1, rights[-1])
        time.sleep(chance.uniform(0, 0.02))
        _kill(killed)
        doubtful.add(len(rights) - 1)
        child = os.fork()
        if child == 0:
            try:
                _referee(home, spool)
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0, 0.6))
        counts.done["kills"] += _kill(child)
    _referee(home, spool)
    made = submissions_of(home, DATASET)[0]
    times = Counter(int(record["checkpoint"]) for record in made)
    lost = [number for number in range(len(rights)) if not times[number] and number not in doubtful]
    counts.done["submissions"] = len(rights) - len(doubtful)
    counts.done["killed while they were handed in"] = len(doubtful)
    waiting = [name for name in os.listdir(spool / INCOMING) if not name.startswith(".")]
    counts.check(not waiting, f"{len(waiting)} files are left in the spool")
    counts.check(not lost, f"submissions {lost} were not scored")
    counts.losses += [f"submission {number} was scored {count} times" for number, count in times.items() if count > 1]
    for record in made:
        number = int(record["checkpoint"])
        user, score = f"uid{_account(number)}", score_of(rights[number])
        is_theirs = os.getuid() != 0 or record["user"] == user
        counts.check(is_theirs, f"submission {number} counts for {record['user']}, not {user}")
        counts.check(record["score"] == score, f"submission {number} scored {record['score']}, not {score}")
    counts.losses += verify(home, DATASET)[2]


@dataclass
class _Submits:
    """What a team's submits of a checkpoint came to: answered with a score, not answered, and the names of those handed in."""

    answered: int = 0
    unanswered: int = 0
    names: set[str] = field(default_factory=set)


def _prove_submits(plan: Plan, counts: Counts) -> None:
    """`times` submits of sessions of three accounts are killed, and each is made again, as a team would."""
    home, spool = new_home(plan.folder / "organiser"), plan.folder / "spool-of-submits"
    _referee(home, spool)
    kills = -(-plan.times // len(_ACCOUNTS))
    teams = [_team(plan.folder, uid, spool, 2 * kills) for uid in _ACCOUNTS]
    stop = plan.folder / "stop"
    keeper = os.fork()
    if keeper == 0:
        try:
            _kill_referees(home, spool, random.Random(plan.seed), stop)
        finally:
            os._exit(0)
    made: dict[tuple[str, int], _Submits] = defaultdict(_Submits)
    try:
        with ThreadPoolExecutor() as pool:
            for done in pool.map(lambda team: _submit_and_kill(plan, team, kills, made), teams):
                counts.done.update(done)
    finally:
        stop.touch()
        os.waitpid(keeper, 0)
    counts.done["kills of referees meanwhile"] = int((plan.folder / "kills").read_text())
    _referee(home, spool)
    entries = read_ledger(ledger_path(home, DATASET))[0]
    for (user, number), submits in made.items():
        own = [entry for entry in entries if (entry["user"], entry["checkpoint"]) == (user, str(number))]
        names = [entry["name"] for entry in own]
        what = f"checkpoint {number} of {user}"
        at_most = submits.answered + submits.unanswered
        counts.check(submits.answered == 1, f"{what} could not be submitted again")
        counts.check(submits.names <= set(names), f"{what} was handed in and is not in the ledger")
        counts.check(submits.answered <= len(own) <= at_most, f"{what} is {len(own)} times in the ledger, of {at_most}")
        counts.check(len(set(names)) == len(names), f"{what} is in the ledger twice")
        forged = [entry for entry in own if entry.get("score") != score_of(number % 9)]
        counts.check(not forged, f"{what} scored {forged}, not {score_of(number % 9)}")
    others = [entry for entry in entries if (entry["user"], int(entry["checkpoint"])) not in made]
    counts.check(not others, f"in the ledger are {others}, which nobody submitted")
    counts.losses += verify(home, DATASET)[2]


def _submit_and_kill(plan: Plan, team: Account, kills: int, made: dict[tuple[str, int], _Submits]) -> Counter[str]:
    """Submit a checkpoint, kill what submits it, and submit it again; then the next one."""
    chance, done, usual = random.Random(f"{plan.seed} {team.uid}"), Counter[str](), 2.0
    until = time.monotonic() + plan.seconds
    for number in range(2 * kills):
        if sum(done[what] for what in _VICTIMS) >= kills or time.monotonic() > until:
            break
        submits = made[(team.name, number)]
        for is_killed in (True, False):
            out, err = (team.folder / f"{number}-{is_killed}.{what}" for what in ("out", "err"))
            began = time.monotonic()
            with open(out, "w") as stdout, open(err, "w") as stderr:
                arguments = ("submit", f"{DATASET}/1", str(number))
                process = team.start(*arguments, stdout=stdout, stderr=stderr, start_new_session=True)
                if is_killed:
                    if in_infer := chance.random() < 0.5:
                        _wait_for_infer(process, err)
                    time.sleep(chance.uniform(0, _INFER if in_infer else usual))
                    what = chance.choice(_VICTIMS)
                    was_running = _kill_submit(process, what)
                    done[what] += was_running
                    done["of these in infer"] += was_running and in_infer
                process.wait(timeout=300)
            if not is_killed:
                usual = time.monotonic() - began
            done[_SUBMITS] += 1
            is_answered = "Score: " in out.read_text()
            submits.answered += is_answered
            submits.unanswered += not is_answered
            submits.names.update(re.findall("handed in as ([0-9a-f]{32})", err.read_text()))
            if is_answered and is_killed:
                break  # it had ended before
    return done


def _wait_for_infer(process: subprocess.Popen[str], err: Path) -> None:
    while process.poll() is None and "The inference should" not in err.read_text():
        time.sleep(0.02)


def _kill_submit(process: subprocess.Popen[str], what: str) -> bool:
    """Kill a submit, or its program, or both; whether it was still running."""
    if process.poll() is not None:
        return False
    tree = psutil.Process(process.pid).children(recursive=True)
    if what != _VICTIMS[2]:
        process.kill()
    if what != _VICTIMS[0]:
        for victim in tree:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
    return what != _VICTIMS[2] or bool(tree)


def _kill_referees(home: Home, spool: Path, chance: random.Random, stop: Path) -> None:
    """Referees one after the other, each killed, until the file `stop` is there."""
    kills = 0
    while not stop.exists():
        child = os.fork()
        if child == 0:
            try:
                Referee(home, find_dataset(home, DATASET), spool, lambda line: None).run(once=False)
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0.2, 3))
        kills += _kill(child)
    stop.with_name("kills").write_text(str(kills))


def _team(folder: Path, uid: int, spool: Path, saves: int) -> Account:
    """An account with a session of so many checkpoints."""
    own, shown = folder / f"uid{uid}", folder / "shown"
    own.mkdir(0o700)
    os.chown(own, uid, uid)
    for part in ("train/train_data", "test/test_data"):
        (shown / part).mkdir(parents=True, exist_ok=True)
        (shown / part / "numbers.txt").write_text("1\n")
    (own / "main.py").write_text(_PROGRAM)
    team = Account(uid, own, folder)
    for arguments in (
        ("dataset", "push", DATASET, str(shown), "--referee", str(spool)),
        ("run", "-d", DATASET, "-a", f"--saves {saves}"),
        ("logs", "-f", f"{DATASET}/1"),
    ):
        ended = team.nsml(*arguments)
        if ended.status != 0:
            raise RuntimeError(f"nsml {' '.join(arguments)} ended with {ended.status}: {ended.err}")
    return team


def _kill(child: int) -> bool:
    """Whether it was still running."""
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _referee(home: Home, spool: Path) -> None:
    Referee(home, find_dataset(home, DATASET), spool, lambda line: None).run(once=True)


def _account(number: int) -> int:
    return _ACCOUNTS[number % len(_ACCOUNTS)]


def _hand_in(spool: Path, number: int, right: int) -> int:
    """The process that hands in."""
    answers = "".join(f"{(label + (place >= right)) % 4}\n" for place, label in enumerate(LABELS))
    facts = {"session": f"me/{DATASET}/1", "checkpoint": str(number), "code": "", "model": ""}
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(_account(number))
                os.setuid(_account(number))
            hand_in(spool, facts, answers.encode(), b"")
        finally:
            os._exit(0)
    return child
