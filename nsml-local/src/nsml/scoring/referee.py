"""A referee: the one process, of the organiser's account, that scores what teams of other accounts hand in (see `spool`).

Labels, scorer, submissions and ledger lie in the organiser's home, which no team can read. The owner of a file is the team, whatever is
written in it, and the time at which the system last changed the file's entry is the time of the submission.

Killed at any moment, it goes on without losing or doubling, as it works in this order: the predictions are stored in a submission's
folder with the name that they have in the spool, the score beside them, an entry in the ledger, the answer; then the file is removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import NsmlError, Refused
from ..store.datasets import Dataset, find_dataset
from ..store.files import (
    discard,
    open_regular,
    read_json,
    remove_tree,
    visible,
    write_bytes,
    write_json,
)
from ..store.home import Home
from ..store.names import is_name
from ..store.sealing import BLANK, MEMBER, seal
from ..store.submissions import (
    SCORED,
    close_submission,
    counted_submissions,
    open_submission,
    ranking,
    record_failure,
    record_score,
    submissions_of,
)
from .labels import label_trouble
from .ledger import Ledger, read_ledger
from .predictions import FILE
from .rules import as_toml, rules_of
from .scorer import same_answers, score
from .spool import ANSWERS, BOARD, INCOMING, LARGEST, RULES, make_spool, read_packet

_SPOOLED = "spooled.json"
_LOOK = 0.5  # seconds


def ledger_path(home: Home, dataset: str) -> Path:
    """The ledger of a dataset."""
    return home.ledgers / f"{dataset}.jsonl"


class Referee:
    """Scores the submissions in a spool. One for each dataset: the ledger is open in one process only."""

    def __init__(self, home: Home, dataset: Dataset, spool: Path, say: Callable[[str], None]) -> None:
        if trouble := label_trouble(dataset):
            raise NsmlError(
                f"the labels of dataset {dataset.name} are wrong: {trouble}; correct them and push it again"
            )
        make_spool(spool)
        self.home, self.dataset, self.spool, self.say = home, dataset, spool, say
        self.ledger = Ledger(ledger_path(home, dataset.name))
        self._by_name = {entry["name"]: entry for entry in self.ledger.entries}
        self._published: object = None
        self._finish()

    def run(self, *, once: bool) -> None:
        """Score what is in the spool, in the order in which it came; unless `once`, until the process is ended."""
        try:
            while True:
                for name in self._waiting():
                    self._take(name)
                self._publish()
                if once:
                    return
                time.sleep(_LOOK)
        finally:
            self.ledger.close()

    def _waiting(self) -> list[str]:
        found = []
        for entry in os.scandir(self.spool / INCOMING):
            if not entry.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):
                    found.append((entry.stat(follow_symlinks=False).st_ctime_ns, entry.name))
        return [name for _, name in sorted(found)]

    def _take(self, name: str) -> None:
        path = self.spool / INCOMING / name
        if (entry := self._by_name.get(name)) is None:
            try:
                status, content = self._read(path)
            except FileNotFoundError:
                return  # its owner took it back
            owner = {"name": name, "user": _user(status.st_uid), "uid": status.st_uid, "at": status.st_ctime}
            entry = self._judge(owner, content)
            self._note(entry)
        self._answer(name, entry)
        _remove(path)

    def _read(self, path: Path) -> tuple[os.stat_result, bytes | str]:
        """Status and content of a file, or in place of the content why it is not read."""
        try:
            file = open_regular(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            return path.lstat(), f"it is {error.strerror}"
        with open(file, "rb") as opened:
            status = os.fstat(file)
            content = opened.read(LARGEST + 1) if status.st_size <= LARGEST else b""
            if status.st_size > LARGEST or len(content) > LARGEST:
                return status, f"it has more than {LARGEST:,} bytes"
        return status, content

    def _note(self, entry: dict[str, Any]) -> None:
        self.ledger.append(entry)
        self._by_name[entry["name"]] = entry
        self.say(f"{entry['user']}: {entry['result']} {entry.get('score', entry.get('reason', ''))}")

    def _judge(self, owner: dict[str, Any], content: bytes | str) -> dict[str, Any]:
        """The entry of a submission: its owner, what it is, and what became of it."""
        if isinstance(content, str):
            return owner | {"result": "failed", "reason": content}
        try:
            facts, predictions, log = read_packet(content, owner["name"])
        except NsmlError as error:
            return owner | {"result": "failed", "reason": str(error)}
        digests = {"predictions": hashlib.sha256(predictions).hexdigest(), "log": hashlib.sha256(log).hexdigest()}
        folder = open_submission(self.home, self.dataset.name, owner["user"], owner["at"])
        entry = owner | facts | digests | {"number": folder.name}
        write_bytes(folder / FILE, predictions)
        write_bytes(folder / "log.txt", log)
        write_json(folder / _SPOOLED, entry)
        names = {"user": owner["user"], "session": facts["session"], "checkpoint": facts["checkpoint"]}
        try:
            result = self._score(folder, names, owner["at"])
        except NsmlError as error:
            refused = isinstance(error, Refused)
            record_failure(folder, **names, error=str(error), refused=refused)  # type: ignore[arg-type]
            result = {"result": "refused" if refused else "failed", "reason": str(error)}
        finally:
            close_submission(folder)
        return entry | result

    def _score(self, folder: Path, names: dict[str, str], at: float) -> dict[str, Any]:
        rules = rules_of(self.dataset)
        user = names["user"]
        if why := rules.refusal(user, counted_submissions(self.home, self.dataset.name, user, folder), at):
            raise Refused(f"dataset {self.dataset.name}: {why}")
        scored_by = self.dataset.scored_by()
        predictions = folder / FILE
        result = score(self.dataset, predictions)
        same = same_answers(self.dataset, predictions)
        facts = {"score": result.value, "scored_by": scored_by, "constant": result.constant, "at": at}
        record_score(folder, **names, **facts, **same)  # type: ignore[arg-type]
        return {"result": "scored", "score": result.value}

    def _answer(self, name: str, entry: dict[str, Any]) -> None:
        times = counted_submissions(self.home, self.dataset.name, entry["user"])
        left = rules_of(self.dataset).left(entry["user"], times, time.time())
        _write_for_all(self.spool / ANSWERS / f"{name}.json", {**entry, "left": left, "head": self.ledger.head})

    def _publish(self) -> None:
        """Publish rules and board, where they have changed."""
        rules = rules_of(self.dataset)
        made, _ = submissions_of(self.home, self.dataset.name)
        rows = [vars(rank) for rank in ranking(made, **rules.order())]
        content = {
            "dataset": self.dataset.name,
            "entries": len(self.ledger.entries),
            "head": self.ledger.head,
            "rows": rows,
        }
        content["closed_at"] = rules.closed_at
        # The seed would tell which photographs are public.
        text = "".join(line for line in as_toml(rules).splitlines(True) if not line.startswith("public_seed"))
        if self._published == (content, text):
            return
        _write_for_all(self.spool / RULES, text)
        _write_for_all(self.spool / BOARD, {**content, "published_at": time.time()})
        self._published = (content, text)

    def _finish(self) -> None:
        """What a referee that was killed had scored and not yet noted is noted; the rest is scored from the spool again."""
        for each in visible(self.home.submissions / self.dataset.name):
            folder = Path(each.path)
            try:
                entry = read_json(folder / _SPOOLED)
            except FileNotFoundError:
                continue  # the organiser's own, or nothing yet
            if entry["name"] in self._by_name:
                continue
            if (folder / SCORED).exists():
                self._note(entry | {"result": "scored", "score": read_json(folder / SCORED)["score"]})
                close_submission(folder)
            else:
                remove_tree(folder)


def verify(home: Home, dataset: str, earlier: str | None = None) -> tuple[int, str, list[str]]:
    """Compare the ledger with the submissions: number of entries, digest of the last one, and a line for each difference.

    Args:
        earlier: a digest that the referee published; it must be that of a line, else lines were replaced or removed since.

    Raises:
        NsmlError: there is no ledger.
        Damaged: its chain is broken.
    """
    entries, heads = read_ledger(ledger_path(home, dataset))
    made = {record["number"]: record for record in submissions_of(home, dataset)[0]}
    scored = {entry["number"]: entry for entry in entries if entry["result"] == "scored"}
    baselines = rules_of(find_dataset(home, dataset)).baselines
    wrong = []
    if earlier is not None and earlier not in heads:
        wrong.append(f"no line has the digest {earlier}")
    if len({entry["name"] for entry in entries}) < len(entries):
        wrong.append("an entry occurs twice")
    for number, entry in scored.items():
        record = made.get(number)
        if record is None:
            wrong.append(f"submission {number} of {entry['user']} is gone")
            continue
        # Those of a rescored submission stand in `before`.
        scores = [record["score"], *(each.get("score") for each in record.get("before", []))]
        for name in ("user", "session", "checkpoint", "at"):
            if record[name] != entry[name]:
                wrong.append(f"submission {number}: {name} is {record[name]!r}, in the ledger {entry[name]!r}")
        if entry["score"] not in scores:
            wrong.append(f"submission {number}: the score is {record['score']!r}, in the ledger {entry['score']!r}")
        try:
            same = (
                hashlib.sha256((home.submissions / dataset / number / FILE).read_bytes()).hexdigest()
                == entry["predictions"]
            )
        except OSError:
            same = False
        if not same:
            wrong.append(f"submission {number}: its predictions are not those of the ledger")
    wrong += [
        f"submission {number} of {record['user']} is not in the ledger"
        for number, record in made.items()
        if number not in scored and record["user"] not in baselines
    ]
    return len(entries), heads[-1], wrong


def _user(uid: int) -> str:
    """The account's name; `uid1001` if it has none that can be a user's."""
    with contextlib.suppress(KeyError):
        if is_name(name := pwd.getpwuid(uid).pw_name):
            return name
    return f"uid{uid}"


def _remove(path: Path) -> None:
    """Remove what stands in the spool, which may be a folder of a team."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(path.lstat().st_mode):
            discard(path)
        else:
            path.unlink()


def _write_for_all(path: Path, value: dict[str, Any] | str) -> None:
    """Replace a file that all can read."""
    content = (
        value.encode()
        if isinstance(value, str)
        else seal(json.dumps({MEMBER: BLANK, **value}, ensure_ascii=False, allow_nan=False))
    )
    write_bytes(path, content, 0o644)
