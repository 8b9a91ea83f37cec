"""Many users at once, in one home and in a second one that is linked to the same folders: numbers, statuses and the board are exact."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

from nsml.store.home import open_home
from nsml.store.sessions import ENDED, list_sessions
from nsml.store.submissions import ranking, submissions_of
from stress.counts import Counts, Plan
from stress.homes import DATASET, LABELS, new_home, nsml, score_of, start_nsml, using

USERS = ("ann", "ben", "cho", "dae")


def prove(plan: Plan) -> Counts:
    """`times` times `nsml run`, all at once, then as many `nsml submit`."""
    chance, counts = random.Random(plan.seed), Counts()
    home = new_home(plan.folder / "home")
    homes = (home.path, _linked_home(home.path, plan.folder / "linked"))
    rights = [chance.randrange(len(LABELS) + 1) for _ in range(plan.times)]
    users = [USERS[number % len(USERS)] for number in range(plan.times)]
    started = [
        start_nsml(homes[number % 2], "run", "-d", DATASET, "-a", f"--right {right}", "--env", "current", user=user)
        for number, (user, right) in enumerate(zip(users, rights, strict=True))
    ]
    names = []
    for process in started:
        out, err = process.communicate()
        counts.check(process.returncode == 0, f"a run failed: {err}")
        names.append(out.split()[1] if process.returncode == 0 else "")
    counts.done["runs"] += len(names)
    counts.check(len(set(names)) == len(names), f"a number was given twice: {sorted(names)}")
    _check_sessions(homes, names, rights, plan, counts)
    submitted = [
        start_nsml(homes[number % 2], "submit", name, "best", user=user)
        for number, (user, name) in enumerate(zip(users, names, strict=True))
    ]
    for process, right in zip(submitted, rights, strict=True):
        out, err = process.communicate()
        counts.check(process.returncode == 0, f"a submit failed: {err}")
        score = out.split("\n")[0].removeprefix("Score: ")
        counts.check(
            process.returncode != 0 or float(score) == score_of(right), f"{score} is score for --right {right}"
        )
    counts.done["submits"] += len(submitted)
    _check_board(homes, users, rights, counts)
    return counts


def _linked_home(home: Path, folder: Path) -> Path:
    """Another home whose datasets, sessions and submissions are those of `home`."""
    folder.mkdir()
    for name in ("datasets", "sessions", "submissions"):
        (home / name).mkdir(exist_ok=True)
        os.symlink(home / name, folder / name)
    return folder


def _check_sessions(homes: tuple[Path, ...], names: list[str], rights: list[int], plan: Plan, counts: Counts) -> None:
    until = time.monotonic() + max(60.0, min(plan.seconds, plan.times * 10.0))
    home = open_home(homes[0])
    waiting = list_sessions(home)
    while waiting and time.monotonic() < until:
        waiting = [session for session in waiting if session.status() not in ENDED]
        time.sleep(0.1)
    for path in homes:
        with using(path):
            rows = {row["name"]: row for row in json.loads(nsml("ps", "-a", "-j").out)}
        counts.check(set(rows) == set(names), f"{path} lists {len(rows)} sessions of {len(names)}")
        for name, right in zip(names, rights, strict=True):
            row = rows.get(name, {})
            counts.check(row.get("status") == "Exited", f"{name} is {row.get('status')}")
            counts.check(row.get("arguments") == f"--right {right}", f"{name} has the arguments {row.get('arguments')}")


def _check_board(homes: tuple[Path, ...], users: list[str], rights: list[int], counts: Counts) -> None:
    for path in homes:
        made, warnings = submissions_of(open_home(path), DATASET)
        ranks = ranking(made, lower_is_better=False)
        counts.losses.extend(warnings)
        result = {rank.user: (rank.score, rank.submissions) for rank in ranks}
        wanted = {}
        for user in set(users):
            own = [score_of(right) for right, other in zip(rights, users, strict=True) if other == user]
            wanted[user] = (max(own), len(own))
        counts.check(result == wanted, f"the board of {path} is {result}, not {wanted}")
