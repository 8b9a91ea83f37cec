"""A referee: the one process, of the organiser's account, that scores what teams of other accounts hand in (see `spool`).

Labels, scorer, submissions and ledger lie in the organiser's home, which no team can read. The owner of a file is the team, whatever is
written in it, and the time at which the system last changed the file's entry is the time of the submission.

Killed at any moment, it goes on without losing or doubling, as it works in this order: a submission's folder has the name of the file
in the spool, then the predictions, then the score; an entry in the ledger; the file is removed, and answered.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import NsmlError, PredictionsRefused, Refused
from ..store.datasets import RULES, Dataset, find_dataset
from ..store.files import (
    discard,
    disk_time,
    open_regular,
    read_json,
    remove_tree,
    visible,
    write_bytes,
    write_json,
)
from ..store.home import Home
from ..store.log_lines import append_line
from ..store.sealing import BLANK, MEMBER, seal
from ..store.submissions import (
    SCORED,
    Rank,
    close_submission,
    counted_submissions,
    open_submission,
    ranking,
    record_failure,
    record_score,
    submissions_of,
)
from .finals import choose_submission
from .labels import label_trouble
from .ledger import Ledger, read_ledger
from .organiser import MOST_OUTPUT
from .predictions import FILE, Wanted
from .rules import Rules, as_toml, rules_of
from .scorer import check_names, same_answers, score, wanted_predictions
from .spool import (
    ANSWERS,
    BOARD,
    INCOMING,
    LARGEST,
    MOST_UNSCORED,
    NAME,
    RELEASED,
    UNSCORED_WITHIN,
    OtherName,
    account,
    make_spool,
    read_packet,
)

_SPOOLED = "spooled.json"
_LOOK = 0.5  # seconds
_SAY = 60.0
_MOST_WAITING = 100  # files of an account
_WRITING = 3600.0  # seconds since a hidden file was last written; no hand-in takes so long
_LINE = 1000  # bytes of a prediction, with the name of its file

# `low`, `high`, `first_rank` and `last_rank` by user, and a line on them.
Intervals = Callable[[Home, Dataset, Sequence[Rank], Rules], tuple[dict[str, dict[str, Any]], str]]


def ledger_path(home: Home, dataset: str) -> Path:
    """The ledger of a dataset."""
    return home.ledgers / f"{dataset}.jsonl"


class Referee:
    """Scores the submissions in a spool. One for each dataset: the ledger is open in one process only."""

    def __init__(
        self, home: Home, dataset: Dataset, spool: Path, say: Callable[[str], None], intervals: Intervals | None = None
    ) -> None:
        if trouble := label_trouble(dataset):
            raise NsmlError(
                f"the labels of dataset {dataset.name} are wrong: {trouble}; correct them and push it again"
            )
        make_spool(spool)
        self.home, self.dataset, self.spool, self.say, self._compute = home, dataset, spool, say, intervals
        self.ledger = Ledger(ledger_path(home, dataset.name))
        self._by_name = {entry["name"]: entry for entry in self.ledger.entries}
        self._unscored: dict[int, deque[float]] = {}
        for entry in self.ledger.entries:
            if entry["result"] != "scored":
                self._count_unscored(entry["uid"], entry["at"])
        self._held: set[int] = set()
        self._stuck: set[str] = set()
        self._dropped, self._example, self._say_again = Counter[int](), dict[int, str](), 0.0
        self._classes = wanted_predictions(dataset).classes if dataset.has_label_file else 0
        self._published: object = None
        self._looked_at: object = None
        self._ranked: object = None
        self._intervals: tuple[dict[str, dict[str, Any]], str] = {}, ""
        self._finish()

    def run(self, *, once: bool) -> None:
        """Score what is in the spool, in the order in which it came; unless `once`, until the process is ended."""
        try:
            while True:
                while names := self._waiting():
                    for name in names:
                        self._take(name)
                    self._publish()
                self._publish()
                if once:
                    return
                time.sleep(_LOOK)
        except FileNotFoundError:
            find_dataset(self.home, self.dataset.name)  # says so if it was removed
            raise
        finally:
            self._say_dropped(now=True)
            self.ledger.close()

    def _waiting(self) -> list[str]:
        """The first file of each owner, in the order of time, so that nobody waits for an account that hands in thousands.

        Removed unread and counted: all files of an account that is held, what it has beyond _MOST_WAITING, what a hand-in that was
        killed left, and what is not named as `hand_in` does, as its answer might have a name that cannot be written.
        """
        self._held = {uid for uid in self._unscored if self._is_held(uid)}
        now = 0.0
        found, of_account = [], Counter[int]()
        for entry in os.scandir(self.spool / INCOMING):
            is_hidden = entry.name.startswith(".")
            with contextlib.suppress(OSError):  # gone, or a mount of its owner that shows nothing to others
                if entry.name in self._stuck or (is_hidden and entry.is_dir(follow_symlinks=False)):
                    continue  # only its owner can empty it
                status = entry.stat(follow_symlinks=False)
                now = now or (disk_time(self.spool) if is_hidden else 0.0)
                if is_hidden and status.st_ctime < now - _WRITING:
                    self._drop(Path(entry.path), status.st_uid)
                    continue
                of_account[status.st_uid] += 1
                if (
                    of_account[status.st_uid] > _MOST_WAITING
                    or not (is_hidden or re.fullmatch(NAME, entry.name))
                    or (status.st_uid in self._held and not is_hidden)
                ):
                    self._drop(Path(entry.path), status.st_uid)
                elif not is_hidden:
                    found.append((status.st_ctime_ns, entry.name, status.st_uid))
        self._say_dropped()
        first: dict[int, str] = {}
        for _, name, uid in sorted(found):
            first.setdefault(uid, name)
        return list(first.values())

    def _is_held(self, uid: int) -> bool:
        """Whether MOST_UNSCORED of an account were not scored within an hour, and since the organiser released it."""
        times = self._unscored[uid]
        if len(times) < MOST_UNSCORED or times[0] <= time.time() - UNSCORED_WITHIN:
            return False
        with contextlib.suppress(FileNotFoundError):
            return times[0] > (self.spool / f"{RELEASED}{account(uid)}").stat().st_mtime
        return True

    def _remove(self, path: Path) -> None:
        """Remove what stands in the spool, which may be a folder of a team. What it has mounted there stays, and is not looked at again."""
        try:
            if stat.S_ISDIR(path.lstat().st_mode):
                discard(path)
            else:
                path.unlink()
        except FileNotFoundError:
            pass
        except OSError:
            self._stuck.add(path.name)

    def _drop(self, path: Path, uid: int) -> None:
        self._remove(path)
        self._dropped[uid] += 1
        self._example[uid] = path.name

    def _say_dropped(self, *, now: bool = False) -> None:
        """A line for each account in a minute, however much it hands in."""
        if not now and time.monotonic() < self._say_again:
            return
        for uid, count in self._dropped.items():
            fix = f"; touch {self.spool / RELEASED}{account(uid)} ends that" if uid in self._held else ""
            self.say(f"{account(uid)}: {count:,} removed unread, the last {self._example[uid][:60]!a}{fix}")
            self._say_again = time.monotonic() + _SAY
        self._dropped.clear()

    def _take(self, name: str) -> None:
        path = self.spool / INCOMING / name
        if (entry := self._by_name.get(name)) is None:
            try:
                status, content = self._read(path)
            except FileNotFoundError:
                return  # its owner took it back
            owner = {"name": name, "user": account(status.st_uid), "uid": status.st_uid, "at": status.st_ctime}
            try:
                entry = self._judge(owner, content)
            except OtherName:
                self._drop(path, status.st_uid)  # by another account, so it must not stand in the ledger as his
                return
            self._note(entry)
            if entry["result"] != "scored":
                self._count_unscored(entry["uid"], time.time())
        # First, so that whoever has the answer finds nothing left in the spool.
        self._remove(path)
        self._answer(name, entry)

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

    def _count_unscored(self, uid: int, at: float) -> None:
        self._unscored.setdefault(uid, deque(maxlen=MOST_UNSCORED)).append(at)

    def _note(self, entry: dict[str, Any]) -> None:
        self.ledger.append(entry)
        self._by_name[entry["name"]] = entry
        what = next(entry[key] for key in ("score", "reason", "says") if key in entry)
        self.say(f"{entry['user']}: {entry['result']} {'nothing' if what == '' else what}")

    def _judge(self, owner: dict[str, Any], content: bytes | str) -> dict[str, Any]:
        """The entry of a submission: its owner, what it is, and what became of it."""
        if isinstance(content, str):
            return owner | {"result": "failed", "reason": content}
        try:
            facts, predictions, log = read_packet(content, owner["name"])
        except OtherName:
            raise
        except NsmlError as error:
            return owner | {"result": "failed", "reason": str(error)}
        if "final" in facts:
            return owner | facts | self._choose(owner["user"], facts)
        digests = {"predictions": hashlib.sha256(predictions).hexdigest(), "log": hashlib.sha256(log).hexdigest()}
        folder = open_submission(self.home, self.dataset.name, owner["user"], owner["at"])
        entry = owner | facts | digests | {"number": folder.name}
        write_json(folder / _SPOOLED, entry)
        names = {"user": owner["user"], "session": facts["session"], "checkpoint": facts["checkpoint"]}
        try:
            result = self._score(folder, names, owner["at"], predictions, log)
        except OSError:
            raise  # a full disk is not the team's
        except Exception as caught:
            # Else the referee would end, begin again with the same file, and end.
            what = f"it cannot be scored ({type(caught).__name__}); ask the organiser"
            refused = isinstance(caught, Refused)
            reason = str(caught).replace(f"{folder}/", "") if isinstance(caught, NsmlError) else what  # it is published
            record_failure(folder, **names, error=reason, refused=refused)  # type: ignore[arg-type]
            _cut_predictions(folder)
            result = {"result": "refused" if refused else "failed", "reason": reason}
        finally:
            close_submission(folder)
        return entry | result

    def _choose(self, user: str, facts: dict[str, Any]) -> dict[str, Any]:
        """Let a submission count at the close, or no longer. Twice is as once."""

        def is_current(record: dict[str, Any]) -> bool:
            path = self.home.submissions / self.dataset.name / record["number"] / _SPOOLED
            return path.exists() and bool(read_json(path)["model"] == facts["model"])

        names = (user, facts["session"], facts["checkpoint"])
        try:
            numbers, line = choose_submission(self.home, self.dataset, *names, facts["final"], is_current)
        except NsmlError as error:
            return {"result": "refused", "reason": str(error)}
        return {"result": "chosen", "numbers": numbers, "says": line}

    def _score(self, folder: Path, names: dict[str, str], at: float, content: bytes, log: bytes) -> dict[str, Any]:
        rules = rules_of(self.dataset)
        user = names["user"]
        if why := rules.refusal(user, counted_submissions(self.home, self.dataset.name, user, folder), at):
            raise Refused(f"dataset {self.dataset.name}: {why}")
        scored_by = self.dataset.scored_by()
        if not self.dataset.evaluation.exists():
            _check_size(len(content), wanted_predictions(self.dataset))
        # Not before, as a team can hand in any number that are refused, which would fill the organiser's disk.
        predictions = folder / FILE
        write_bytes(predictions, content)
        write_bytes(folder / "log.txt", log)
        if self.dataset.evaluation.exists():
            check_names(self.dataset, predictions)
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
        seen = self._seen()
        if seen == self._looked_at:
            return
        rules = rules_of(self.dataset)
        made, _ = submissions_of(self.home, self.dataset.name)
        rows, note = self._rows(ranking(made, **rules.order()), rules)
        content = {
            "dataset": self.dataset.name,
            "entries": len(self.ledger.entries),
            "head": self.ledger.head,
            "rows": rows,
            "note": note,
        }
        times: dict[str, list[float]] = {}
        for each in made:
            times.setdefault(each["user"], []).append(each["at"])
        content |= {"closed_at": rules.closed_at, "classes": self._classes, "times": times}
        # The seed would tell which photographs are public.
        text = "".join(line for line in as_toml(rules).splitlines(True) if not line.startswith("public_seed"))
        if self._published != (content, text):
            _write_for_all(self.spool / RULES, text)
            _write_for_all(self.spool / BOARD, {**content, "published_at": time.time()})
        self._published, self._looked_at = (content, text), seen

    def _rows(self, ranks: list[Rank], rules: Rules) -> tuple[list[dict[str, Any]], str]:
        """The board's rows, and a line on their intervals, which are computed again only where other submissions rank."""
        current = [rank for rank in ranks if not rank.outdated]
        ranked = [(rank.user, rank.number, rank.private) for rank in current], rules, self.dataset.scored_by()
        if self._compute is not None and ranked != self._ranked:
            try:
                found, note = self._compute(self.home, self.dataset, current, rules)
            except Exception as caught:  # else nothing would be scored any more
                found, note = {}, f"No intervals ({type(caught).__name__})"
            # All their digits would tell more of the public part than the board shows, and the note may be an error with a path.
            rounded = {user: {k: _rounded(v) for k, v in each.items()} for user, each in found.items()}
            self._intervals = rounded, note.replace(f"{self.home.path}/", "")
            self._ranked = ranked
        found, note = self._intervals
        return [vars(rank) | found.get(rank.user, {}) for rank in ranks], note

    def _seen(self) -> object:
        """What differs after whatever the board depends on has changed: reading all submissions twice a second would take a processor."""
        changed = []
        for each in visible(self.home.submissions / self.dataset.name):
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                changed.append((each.name, each.stat(follow_symlinks=False).st_mtime_ns))
        record = (self.dataset.folder / "dataset.json").stat()
        return changed, record.st_mtime_ns, record.st_ino, self.dataset.scored_by(), self.ledger.head

    def _finish(self) -> None:
        """What a referee that was killed had scored is noted, what it had noted is answered; the rest is scored from the spool again."""
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
        for name, entry in self._by_name.items():
            if not (self.spool / ANSWERS / f"{name}.json").exists():
                self._answer(name, entry)


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
    chosen: set[str] = set()
    for entry in entries:
        if entry["result"] == "chosen":
            chosen = chosen.union(entry["numbers"]) if entry["final"] else chosen.difference(entry["numbers"])
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
        if (record["final"] is not None) != (number in chosen):
            wrong.append(
                f"submission {number} is {'not ' * (number in chosen)}final, in the ledger it is{' not' * (number not in chosen)}"
            )
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


def _cut_predictions(folder: Path) -> None:
    """Keep of predictions that could not be scored what shows why, as a team can hand in any number of them."""
    with contextlib.suppress(FileNotFoundError):
        if (size := (folder / FILE).stat().st_size) > MOST_OUTPUT:
            os.truncate(folder / FILE, MOST_OUTPUT)
            append_line(folder / "log.txt", f"{FILE} is cut to {MOST_OUTPUT:,} of {size:,} bytes, as it was not scored")


def _check_size(size: int, wanted: Wanted) -> None:
    """PredictionsRefused if a file is too large for what a built-in scorer reads, which takes many times its size in memory."""
    most = (wanted.count or 0) * (_LINE + 30 * wanted.classes) + _LINE
    if size > most:
        raise PredictionsRefused(f"{size:,} bytes for {wanted.count} predictions; infer must return one for each")


def _rounded(value: float | int | None) -> float | int | None:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _write_for_all(path: Path, value: dict[str, Any] | str) -> None:
    """Replace a file that all can read."""
    content = (
        value.encode()
        if isinstance(value, str)
        else seal(json.dumps({MEMBER: BLANK, **value}, ensure_ascii=False, allow_nan=False))
    )
    write_bytes(path, content, 0o644)
