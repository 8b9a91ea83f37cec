"""Submissions and the leaderboard: `submissions/DATASET/NUMBER/`.

submission.json   score, written once;  failure.json  the error of a submit that failed, or was refused
process.json      process, user and start of the submit, while it runs
final.json        exists if the user has chosen the submission to count when the competition is closed
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Damaged, NsmlError
from .datasets import Dataset
from .files import claim_numbered_folder, disk_time, is_number, read_json, remove_tree, visible, write_json
from .home import Home
from .processes import identity, is_alive, other_host
from .sessions import LONG_SILENCE, renamed_session

_PROCESS, _FINAL = "process.json", "final.json"
MOST_FINAL = 2
SCORED, FAILED = "submission.json", "failure.json"


@dataclass(frozen=True)
class Rank:
    """A row of the leaderboard: the submission by which a user is ranked.

    rank: from 1; None for outdated submissions and baselines.
    score: of the whole test set, or of its public part. private: of the rest, after the close.
    at: seconds since the epoch. For `outdated`, `constant` and `one_class` see `submissions_of`.
    final: whether the user has chosen the submission.
    """

    rank: int | None
    number: str
    user: str
    score: float
    session: str
    checkpoint: str
    at: float
    submissions: int
    outdated: bool = False
    constant: float | None = None
    one_class: str | None = None
    private: float | None = None
    final: bool = False
    baseline: bool = False


def open_submission(home: Home, dataset: str, user: str = "", at: float = 0.0) -> Path:
    """Create the folder of a new submission, which claims its number. It counts for `user` from `at` until it ends."""
    return claim_numbered_folder(home.submissions / dataset, lambda folder: mark_as_running(folder, user=user, at=at))


def mark_as_running(folder: Path, **facts: Any) -> None:
    """Store that this process works in the folder, see `is_running`."""
    write_json(folder / _PROCESS, {**identity(), **facts})


def counted_submissions(home: Home, dataset: str, user: str, asking: Path | None = None) -> list[float]:
    """Times, in seconds since the epoch, of a user's submissions that are scored or running, in order.

    Args:
        asking: folder of a submission that has just been opened. It, and running ones of higher numbers, which count it when they
            ask, do not count. So of several that ask at once, the lowest number is the first.
    """
    times = []
    for entry in visible(home.submissions / dataset):
        folder, process, record = Path(entry.path), {}, {}
        # In this order, as a submission stores its score before it ends.
        with contextlib.suppress(FileNotFoundError, Damaged):
            process = read_json(folder / _PROCESS)
        with contextlib.suppress(FileNotFoundError, Damaged):
            record = read_json(folder / SCORED)
        if not _valid(record):
            is_before = asking is None or (folder.name.isdecimal() and int(folder.name) < int(asking.name))
            record = process if is_before and _may_run(home, folder, process) else {}
        if record.get("user") == user and is_number(record.get("at")):
            times.append(float(record["at"]))
    return sorted(times)


def close_submission(folder: Path) -> None:
    """Mark a submission as no longer running."""
    (folder / _PROCESS).unlink(missing_ok=True)


def killed_submissions(home: Home) -> list[Path]:
    """Folders of the submissions whose process ended before it stored a score or a failure."""
    folders = []
    for entry in (entry for dataset in visible(home.submissions) for entry in visible(Path(dataset.path))):
        with contextlib.suppress(FileNotFoundError):
            try:
                process = read_json(Path(entry.path) / _PROCESS)
            except Damaged:
                process = {}
            if not _may_run(home, Path(entry.path), process):
                folders.append(Path(entry.path))
    return folders


def is_running(home: Home, folder: Path) -> bool:
    """Whether the process of a submission, or of a report, runs, or may run on another host."""
    try:
        process = read_json(folder / _PROCESS)
    except (FileNotFoundError, Damaged):
        return False
    return _may_run(home, folder, process)


def runs_elsewhere(folder: Path) -> str:
    """The host or container of the process of a submission, or of a report, if it is not visible here; else ""."""
    with contextlib.suppress(FileNotFoundError, Damaged):
        return other_host(read_json(folder / _PROCESS))
    return ""


def _may_run(home: Home, folder: Path, process: dict[str, Any]) -> bool:
    """Whether the process of a folder runs, or may run on another host: like a session there, not after a day in which it wrote nothing."""
    if is_alive(process) or not other_host(process):
        return is_alive(process)
    changed = 0.0
    for name in (_PROCESS, "log.txt"):
        with contextlib.suppress(OSError):
            changed = max(changed, (folder / name).lstat().st_mtime)
    return disk_time(home.sessions) - changed <= LONG_SILENCE


def running_submission(home: Home, dataset: str) -> int | None:
    """Id of a process that is submitting to this dataset; None if there is none."""
    for entry in visible(home.submissions / dataset):
        with contextlib.suppress(FileNotFoundError, Damaged):
            if is_alive(process := read_json(Path(entry.path) / _PROCESS)):
                return int(process["pid"])
    return None


def record_score(
    folder: Path,
    *,
    user: str,
    session: str,
    checkpoint: str,
    score: float,
    at: float | None = None,
    scored_by: dict[str, str] | None = None,
    constant: float | None = None,
    one_class: str | None = None,
    predictions: int | None = None,
) -> None:
    """Store a scored submission for the leaderboard.

    Args:
        at: start of the submit, in seconds since the epoch; None for now.
        scored_by: `Dataset.scored_by()` at the time of scoring.
        constant: the best score of the same answer for every photograph; None if unknown.
        one_class: the class of all predictions, `predictions` in number; None if they differ.
    """
    write_json(
        folder / SCORED,
        {"user": user, "session": session, "checkpoint": checkpoint, "score": score}
        | {"at": time.time() if at is None else at}
        | {"constant": constant, "one_class": one_class, "predictions": predictions}
        | (scored_by or {}),
    )


def record_failure(
    folder: Path, *, user: str, session: str, checkpoint: str, error: str, refused: bool = False
) -> None:
    """Store the error of a failed submission. One that the rules refused replaces earlier ones of its checkpoint, and counts them.

    So a program that asks every second leaves one folder, and not thousands.
    """
    names = {"user": user, "session": session, "checkpoint": checkpoint}
    facts: dict[str, Any] = {}
    earlier: list[Path] = []
    if refused:
        facts = {"refused": 1}
        for entry in visible(folder.parent):
            with contextlib.suppress(FileNotFoundError, Damaged):
                record = read_json(Path(entry.path) / FAILED)
                if names.items() <= record.items() and isinstance(times := record.get("refused"), int):
                    facts["refused"] += times
                    earlier.append(Path(entry.path))
    write_json(folder / FAILED, names | {"error": error, "at": time.time()} | facts)
    for path in earlier:
        remove_tree(path)


def failures_of(home: Home, dataset: str, user: str | None = None) -> list[dict[str, Any]]:
    """Failed submissions of a user, or of all users, oldest first; `error` is the message, `refused` how often the rules refused it."""
    failures = []
    for entry in visible(home.submissions / dataset):
        with contextlib.suppress(FileNotFoundError, Damaged):
            record = read_json(Path(entry.path) / FAILED)
            if (
                user in (None, record.get("user"))
                and _names_a_checkpoint(record)
                and isinstance(record.get("error"), str)
            ):
                failures.append({"number": entry.name, **record})
    return sorted(failures, key=lambda record: record["at"])


def rename_sessions(home: Home, dataset: str, name: str, new: str) -> None:
    """After a dataset was renamed from `name` to `new`, update the session names in the submissions to `dataset`."""
    for entry in visible(home.submissions / dataset):
        for file in (SCORED, FAILED):
            path = Path(entry.path) / file
            with contextlib.suppress(FileNotFoundError, Damaged):
                record = read_json(path)
                session = renamed_session(str(record.get("session")), name, new)
                if session != record.get("session"):
                    write_json(path, record | {"session": session})


def outdated_submissions(home: Home, dataset: Dataset) -> list[Path]:
    """Folders of submissions that were scored with other labels or another scorer than the dataset has now."""
    records = _read(home, dataset.name)[0]
    return [Path(folder) for folder, record in records.items() if record["outdated"]]


def _records(home: Home, dataset: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The scored submissions, and a warning for each unreadable one, and for labels that nothing can be compared with."""
    records, damaged = _read(home, dataset)
    warnings = [why for _, why in damaged]
    registered = Dataset(dataset, home.datasets / dataset)
    if records and (why := registered.labels_unreadable()):
        warnings.append(
            f"{registered.labels} cannot be read ({why}), so scores may be of other labels; change its permissions"
        )
    return list(records.values()), warnings


def _read(home: Home, dataset: str) -> tuple[dict[str, dict[str, Any]], list[tuple[Path, str]]]:
    """Records by folder path, and path and message for each unreadable file."""
    is_outdated = _outdated(Dataset(dataset, home.datasets / dataset))
    records: dict[str, dict[str, Any]] = {}
    damaged = []
    for entry in visible(home.submissions / dataset):
        path = Path(entry.path) / SCORED
        try:
            record = read_json(path)
        except FileNotFoundError:
            continue  # not scored: failed, or still running
        except Damaged as error:
            damaged.append((path, str(error)))
            continue
        if _valid(record):
            facts = {"number": entry.name, "outdated": is_outdated(record), "final": _final(Path(entry.path))}
            records[entry.path] = record | facts | _guessing(record)
        else:
            damaged.append((path, f"{path} is damaged; move it away to go on without it"))
    return records, damaged


def _final(folder: Path) -> float | None:
    """When the user chose the submission, in seconds since the epoch; None if he did not."""
    if os.path.exists(folder / _FINAL):
        with contextlib.suppress(FileNotFoundError, Damaged):
            at = read_json(folder / _FINAL)["at"]
            return float(at) if is_number(at) else None
    return None


def choose_final(home: Home, dataset: str, number: str) -> None:
    """Mark a scored submission as one that counts at the close. NsmlError if its user has chosen MOST_FINAL others."""
    folder = home.submissions / dataset / number
    user = read_json(folder / SCORED)["user"]
    write_json(folder / _FINAL, {"at": time.time()})
    # Asked afterwards, so that of several that are chosen at once the first ones stay.
    chosen = _finals(r for r in _records(home, dataset)[0] if r["user"] == user)
    if number not in [r["number"] for r in chosen]:
        (folder / _FINAL).unlink()
        shown = " and ".join(f"{r['session']} {r['checkpoint']}" for r in chosen)
        raise NsmlError(f"{MOST_FINAL} submissions are final already, {shown}; 'nsml submit --no-final' takes one back")


def take_back_final(home: Home, dataset: str, number: str) -> None:
    """The reverse of `choose_final`."""
    (home.submissions / dataset / number / _FINAL).unlink(missing_ok=True)


def _finals(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first MOST_FINAL submissions that a user has chosen."""
    return sorted((r for r in records if r.get("final") is not None), key=lambda r: (r["final"], r["number"]))[
        :MOST_FINAL
    ]


def _guessing(record: dict[str, Any]) -> dict[str, Any]:
    """`constant` and `one_class` of a record; None if missing, as in records of older versions."""
    constant, one_class = record.get("constant"), record.get("one_class")
    return {
        "constant": constant if is_number(constant) else None,
        "one_class": one_class if isinstance(one_class, str) else None,
    }


def _outdated(dataset: Dataset) -> Callable[[dict[str, Any]], bool]:
    try:
        pushed, scored_by = dataset.record()["created_at"], dataset.scored_by()
    except (Damaged, OSError):
        return lambda record: False

    def is_outdated(record: dict[str, Any]) -> bool:
        # Records of older versions have neither `labels` nor `scorer`, and those that a referee scored no `labels`.
        if "labels" not in record:
            scorer = record.get("scorer", scored_by["scorer"])
            return bool(record["at"] < pushed or scorer != scored_by["scorer"])
        return any(record.get(name, "") != value for name, value in scored_by.items())

    return is_outdated


def submissions_of(home: Home, dataset: str, user: str | None = None) -> tuple[list[dict[str, Any]], list[str]]:
    """Scored submissions of a user, or of all users, oldest first, and a warning for each unreadable one of any user.

    `outdated` marks those scored with other labels or another scorer than the dataset has now. `constant` is the best score of the same
    answer for every photograph, `one_class` the class of all predictions; None if unknown, or if they differ.
    """
    records, warnings = _records(home, dataset)
    return sorted((r for r in records if user in (None, r["user"])), key=lambda r: r["at"]), warnings


def damaged_records(home: Home, dataset: str) -> list[tuple[Path, str]]:
    """Path and message for each unreadable submission of a dataset."""
    return _read(home, dataset)[1]


def damaged_submissions(home: Home) -> list[str]:
    """A line for each unreadable submission, of all datasets."""
    return [line for entry in visible(home.submissions) for line in _records(home, entry.name)[1]]


def _valid(record: dict[str, Any]) -> bool:
    return _names_a_checkpoint(record) and is_number(record.get("score"))


def _names_a_checkpoint(record: dict[str, Any]) -> bool:
    texts = all(isinstance(record.get(key), str) for key in ("user", "session", "checkpoint"))
    return texts and is_number(record.get("at"))


def ranking(
    records: Iterable[dict[str, Any]],
    *,
    lower_is_better: bool,
    by_private: bool = False,
    baselines: Collection[str] = (),
) -> list[Rank]:
    """Users by their best score, the earlier first in a tie; users with outdated submissions only come last.

    Args:
        by_private: rank by the private score, of those that the user has chosen, else of the best public one.
        baselines: users who stand in the list without a rank.
    """
    sign = 1 if lower_is_better else -1

    def public(record: dict[str, Any]) -> tuple[Any, ...]:
        return record.get("outdated", False), sign * record["score"], record["at"]

    def private(record: dict[str, Any]) -> tuple[Any, ...]:
        value = record.get("private")
        return record.get("outdated", False), value is None, sign * (value or 0), record["at"]

    by_user: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_user.setdefault(record["user"], []).append(record)
    best = []
    for own in by_user.values():
        chosen = _finals(r for r in own if not r.get("outdated")) or [min(own, key=public)]
        best.append(min(chosen, key=private) if by_private else min(own, key=public))
    ranks = []
    rank = 0
    for record in sorted(best, key=private if by_private else public):
        is_ranked = not record.get("outdated") and record["user"] not in baselines
        rank += is_ranked
        names = (
            "number",
            "user",
            "score",
            "session",
            "checkpoint",
            "at",
            "outdated",
            "constant",
            "one_class",
            "private",
        )
        facts = {name: record[name] for name in names if name in record}
        facts |= {"final": record.get("final") is not None, "baseline": record["user"] in baselines}
        ranks.append(Rank(rank if is_ranked else None, submissions=len(by_user[record["user"]]), **facts))
    return ranks
