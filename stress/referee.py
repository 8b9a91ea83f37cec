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
    """`times` kills, and four times as many submissions."""
    chance, counts = random.Random(plan.seed), Counts()
    plan.folder.chmod(0o755)
    home, spool = new_home(plan.folder / "home"), plan.folder / "spool"
    _referee(home, spool)
    until = time.monotonic() + plan.seconds
    rights = [chance.randrange(len(LABELS) + 1) for _ in range(plan.times * _FOR_EACH_KILL)]
    for number, right in enumerate(rights):
        _hand_in(spool, number, right)
    counts.done["submissions"] = len(rights)
    for _ in range(plan.times):
        if time.monotonic() > until:
            break
        child = os.fork()
        if child == 0:
            try:
                _referee(home, spool)
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0, 2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        counts.done["kills"] += 1
    _referee(home, spool)
    made = submissions_of(home, DATASET)[0]
    counts.check(not os.listdir(spool / INCOMING), "the spool is not empty")
    for number, times in Counter(int(record["checkpoint"]) for record in made).items():
        counts.check(times == 1, f"submission {number} was scored {times} times")
    counts.check(len(made) == len(rights), f"{len(made)} of {len(rights)} submissions were scored")
    for record in made:
        number = int(record["checkpoint"])
        user, score = f"uid{_account(number)}", score_of(rights[number])
        is_theirs = os.getuid() != 0 or record["user"] == user
        counts.check(is_theirs, f"submission {number} counts for {record['user']}, not {user}")
        counts.check(record["score"] == score, f"submission {number} scored {record['score']}, not {score}")
    counts.losses += verify(home, DATASET)[2]
    return counts


def _referee(home: Home, spool: Path) -> None:
    Referee(home, find_dataset(home, DATASET), spool, lambda line: None).run(once=True)


def _account(number: int) -> int:
    return _ACCOUNTS[number % len(_ACCOUNTS)]


def _hand_in(spool: Path, number: int, right: int) -> None:
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
    os.waitpid(child, 0)
