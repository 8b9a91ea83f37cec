"""Submissions and the leaderboard: `submissions/DATASET/NUMBER/`.

submission.json   written once, when it has been scored;  failure.json  when it failed
process.json      whose submit it is, while it lasts
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Damaged
from .datasets import Dataset
from .files import claim_numbered_folder, is_number, read_json, visible, write_json
from .home import Home
from .processes import identity, is_alive
from .sessions import renamed_session

_PROCESS, _FAILURE = "process.json", "failure.json"


@dataclass(frozen=True)
class Rank:
    """A row of the leaderboard: a user's best submission. `at` is in seconds since the epoch; `outdated` as in `submissions_of`."""

    user: str
    score: float
    session: str
    checkpoint: str
    at: float
    submissions: int
    outdated: bool = False


def open_submission(home: Home, dataset: str) -> Path:
    """A new folder for a submission, its number claimed by making it."""
    return claim_numbered_folder(home.submissions / dataset, lambda folder: write_json(folder / _PROCESS, identity()))


def close_submission(folder: Path) -> None:
    """Nobody works on it any more."""
    (folder / _PROCESS).unlink(missing_ok=True)


def running_submission(home: Home, dataset: str) -> int | None:
    """The number of a process that makes a submission to this dataset; None where there is none."""
    for entry in visible(home.submissions / dataset):
        with contextlib.suppress(FileNotFoundError, Damaged):
            if is_alive(process := read_json(Path(entry.path) / _PROCESS)):
                return int(process["pid"])
    return None


def record_score(
    folder: Path, *, user: str, session: str, checkpoint: str, score: float, scored_by: dict[str, str] | None = None
) -> None:
    """Put a scored submission on the board. `scored_by` is the dataset's, as it was when it was scored."""
    write_json(
        folder / "submission.json",
        {"user": user, "session": session, "checkpoint": checkpoint, "score": score, "at": time.time()}
        | (scored_by or {}),
    )


def record_failure(folder: Path, *, user: str, session: str, checkpoint: str, error: str) -> None:
    """Note why a submission has no score."""
    write_json(
        folder / _FAILURE,
        {"user": user, "session": session, "checkpoint": checkpoint, "error": error, "at": time.time()},
    )


def failures_of(home: Home, dataset: str, user: str) -> list[dict[str, Any]]:
    """The submissions of a user that failed, `error` saying why, in the order in which they were made."""
    found = []
    for entry in visible(home.submissions / dataset):
        with contextlib.suppress(FileNotFoundError, Damaged):
            record = read_json(Path(entry.path) / _FAILURE)
            if record.get("user") == user and _names_a_checkpoint(record) and isinstance(record.get("error"), str):
                found.append(record)
    return sorted(found, key=lambda record: record["at"])


def rename_sessions(home: Home, dataset: str, name: str, new: str) -> None:
    """Write a dataset's new name into the names of sessions among the submissions to `dataset`."""
    for entry in visible(home.submissions / dataset):
        for file in ("submission.json", _FAILURE):
            path = Path(entry.path) / file
            with contextlib.suppress(FileNotFoundError, Damaged):
                record = read_json(path)
                session = renamed_session(str(record.get("session")), name, new)
                if session != record.get("session"):
                    write_json(path, record | {"session": session})


def outdated_submissions(home: Home, dataset: Dataset) -> list[Path]:
    """The folders of the submissions that were scored by other labels, or by another scorer, than the dataset has now."""
    found = _read(home, dataset.name)[0]
    return [Path(folder) for folder, record in found.items() if record["outdated"]]


def _records(home: Home, dataset: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The submissions that count, and a warning for each that cannot be read."""
    records, damaged = _read(home, dataset)
    return list(records.values()), [why for _, why in damaged]


def _read(home: Home, dataset: str) -> tuple[dict[str, dict[str, Any]], list[tuple[Path, str]]]:
    """The records by the path of their folder, and a line on each file that cannot be read."""
    is_outdated = _outdated(Dataset(dataset, home.datasets / dataset))
    records: dict[str, dict[str, Any]] = {}
    damaged = []
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
            records[entry.path] = record | {"outdated": is_outdated(record)}
        else:
            damaged.append((path, f"{path} is damaged; move it away to go on without it"))
    return records, damaged


def _outdated(dataset: Dataset) -> Callable[[dict[str, Any]], bool]:
    try:
        pushed, scored_by = dataset.record()["created_at"], dataset.scored_by()
    except Damaged:  # gone, or damaged
        return lambda record: False

    def is_outdated(record: dict[str, Any]) -> bool:
        # Without a word on its labels it is of a version that did not write any.
        return not scored_by.items() <= record.items() if "labels" in record else bool(record["at"] < pushed)

    return is_outdated


def last_submission(home: Home, dataset: str, user: str) -> float | None:
    """When this user's last scored submission was made, seconds since the epoch; None where there is none."""
    return max((r["at"] for r in _records(home, dataset)[0] if r["user"] == user), default=None)


def submissions_of(home: Home, dataset: str, user: str | None = None) -> tuple[list[dict[str, Any]], list[str]]:
    """All scored submissions of a user, or of everybody, in the order in which they were made, and a warning for each, of anybody, that
    cannot be read. `outdated` are those that were scored by other labels, or by another scorer, than the dataset has now."""
    records, warnings = _records(home, dataset)
    return sorted((r for r in records if user in (None, r["user"])), key=lambda r: r["at"]), warnings


def damaged_records(home: Home, dataset: str) -> list[tuple[Path, str]]:
    """The files of a dataset's submissions that cannot be read, each with a line on it."""
    return _read(home, dataset)[1]


def damaged_submissions(home: Home) -> list[str]:
    """A line for each submission to any dataset that cannot be read."""
    return [line for entry in visible(home.submissions) for line in _records(home, entry.name)[1]]


def _valid(record: dict[str, Any]) -> bool:
    return _names_a_checkpoint(record) and is_number(record.get("score"))


def _names_a_checkpoint(record: dict[str, Any]) -> bool:
    texts = all(isinstance(record.get(key), str) for key in ("user", "session", "checkpoint"))
    return texts and is_number(record.get("at"))


def leaderboard(home: Home, dataset: str, *, lower_is_better: bool = False) -> tuple[list[Rank], list[str]]:
    """The users by their best score, see `ranking`, and a warning for each submission that cannot be read."""
    records, warnings = _records(home, dataset)
    return ranking(records, lower_is_better=lower_is_better), warnings


def ranking(records: Iterable[dict[str, Any]], *, lower_is_better: bool) -> list[Rank]:
    """The users of these submissions by their best score, the earlier first where scores tie; those with outdated ones alone come last."""
    sign = 1 if lower_is_better else -1
    by_user: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_user.setdefault(record["user"], []).append(record)
    ranks = []
    for user, own in by_user.items():
        best = min(own, key=lambda r: (r.get("outdated", False), sign * r["score"], r["at"]))
        outdated = best.get("outdated", False)
        ranks.append(Rank(user, best["score"], best["session"], best["checkpoint"], best["at"], len(own), outdated))
    return sorted(ranks, key=lambda r: (r.outdated, sign * r.score, r.at))
