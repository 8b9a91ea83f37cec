"""A referee that is killed by SIGKILL at random moments: each submission is scored once, for whoever owned its file.

As root, three other accounts hand in; else this one does.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

from nsml.scoring.referee import Referee, verify
from nsml.scoring.spool import INCOMING, hand_in
from nsml.store.datasets import find_dataset
from nsml.store.home import Home
from nsml.store.submissions import submissions_of
from stress.counts import Counts, Plan
from stress.homes import DATASET, LABELS, new_home, score_of

_FOR_EACH_KILL = 4
_ACCOUNTS = (60001, 60002, 60003)


def prove(plan: Plan) -> Counts:
    """`times` kills of the referee, with four submissions before each, and another that is killed while it is handed in."""
    chance, counts = random.Random(plan.seed), Counts()
    plan.folder.chmod(0o755)
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
    return counts


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
