"""Submissions and the leaderboard: `submissions/DATASET/NUMBER/`, with `submission.json` written once, when it has been scored."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Damaged
from .files import claim_numbered_folder, is_number, read_json, visible, write_json
from .home import Home


@dataclass(frozen=True)
class Rank:
    """A row of the leaderboard: a user's best submission. `at` is in seconds since the epoch."""

    user: str
    score: float
    session: str
    checkpoint: str
    at: float
    submissions: int


def open_submission(home: Home, dataset: str) -> Path:
    """A new folder for a submission, its number claimed by making it."""
    return claim_numbered_folder(home.submissions / dataset)


def record_score(folder: Path, *, user: str, session: str, checkpoint: str, score: float) -> None:
    """Put a scored submission on the board."""
    write_json(
        folder / "submission.json",
        {"user": user, "session": session, "checkpoint": checkpoint, "score": score, "at": time.time()},
    )


def _records(home: Home, dataset: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The submissions that count, and a warning for each that cannot be read."""
    records, damaged = _read(home, dataset)
    return records, [why for _, why in damaged]


def _read(home: Home, dataset: str) -> tuple[list[dict[str, Any]], list[tuple[Path, str]]]:
    records, damaged = [], []
    for entry in visible(home.submissions / dataset):
        path = Path(entry.path) / "submission.json"
        try:
            record = read_json(path)
        except FileNotFoundError:
            continue  # not scored: it failed, or is under way
        except Damaged as error:
            damaged.append((path, str(error)))
            continue
        if _valid(record):
            records.append(record)
        else:
            damaged.append((path, f"{path} is damaged; move it away to go on without it"))
    return records, damaged


def last_submission(home: Home, dataset: str, user: str) -> float | None:
    """When this user's last scored submission was made, seconds since the epoch; None where there is none."""
    return max((r["at"] for r in _records(home, dataset)[0] if r["user"] == user), default=None)


def submissions_of(home: Home, dataset: str, user: str | None = None) -> tuple[list[dict[str, Any]], list[str]]:
    """All scored submissions of a user, or of everybody, in the order in which they were made, and a warning for each, of anybody, that
    cannot be read."""
    records, warnings = _records(home, dataset)
    return sorted((r for r in records if user in (None, r["user"])), key=lambda r: r["at"]), warnings


def damaged_records(home: Home, dataset: str) -> list[tuple[Path, str]]:
    """The files of a dataset's submissions that cannot be read, each with a line on it."""
    return _read(home, dataset)[1]


def damaged_submissions(home: Home) -> list[str]:
    """A line for each submission to any dataset that cannot be read."""
    return [line for entry in visible(home.submissions) for line in _records(home, entry.name)[1]]


def _valid(record: dict[str, Any]) -> bool:
    return all(isinstance(record.get(key), str) for key in ("user", "session", "checkpoint")) and all(
        is_number(record.get(key)) for key in ("score", "at")
    )


def leaderboard(home: Home, dataset: str, *, lower_is_better: bool = False) -> tuple[list[Rank], list[str]]:
    """The users by their best score, the earlier first where scores tie, and a warning for each submission that cannot be read."""
    records, warnings = _records(home, dataset)
    return ranking(records, lower_is_better=lower_is_better), warnings


def ranking(records: Iterable[dict[str, Any]], *, lower_is_better: bool) -> list[Rank]:
    """The users of these submissions by their best score, the earlier first where scores tie."""
    sign = 1 if lower_is_better else -1
    by_user: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_user.setdefault(record["user"], []).append(record)
    ranks = []
    for user, own in by_user.items():
        best = min(own, key=lambda r: (sign * r["score"], r["at"]))
        ranks.append(Rank(user, best["score"], best["session"], best["checkpoint"], best["at"], len(own)))
    return sorted(ranks, key=lambda r: (sign * r.score, r.at))
