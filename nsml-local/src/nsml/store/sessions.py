"""Sessions: `sessions/USER/DATASET/NUMBER/`, each file in it written by one process.

session.json      what was asked for (written once, by whoever starts the session)
state.json        how it goes (written by the supervisor, or by the program itself in the foreground)
python.txt        the interpreter of its own environment, where it has one (written by whoever builds it)
ended             empty, there once state.json says how the session ended, so that lists need not open it
exit-status       of a program in the foreground, one byte, empty until it ends (written by the C library)
started.txt       when a supervisor was last started (written by whoever starts it)
memo.txt          the memo (written by the command line)
log.txt           what the program printed
metrics.jsonl     what it reported
code/             the files as they were at the start;  work/  the program's working folder, a copy of them
checkpoints/      what it saved
reports/          pages on its checkpoints, a folder each (written by `nsml report`)
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Damaged, NsmlError, RunFailed, mend_of
from .datasets import present_name
from .files import (
    REMOVED,
    claim_numbered_folder,
    is_number,
    read_json,
    read_regular,
    remove_tree,
    visible,
    write_json,
    write_text,
)
from .home import Home
from .names import SessionName, nearest, parse_session_name
from .processes import is_alive

# In place of a dataset in the name of a session that has none.
NO_DATASET = "none"
ENDED = ("Exited", "Failed", "Stopped", "Lost")
_ENDED = "ended"
_LONGEST_MEMO = 1 << 20  # bytes
EXIT_STATUS = "exit-status"
# A supervisor writes its state within this many seconds of the session's creation, or it never will.
_GRACE = 30.0


@dataclass(frozen=True)
class Session:
    """A session on disk."""

    name: SessionName
    folder: Path

    @property
    def code(self) -> Path:
        return self.folder / "code"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def record(self) -> dict[str, Any]:
        """session.json: `entry`, `arguments` (list), `created_at` (seconds since the epoch), `kind`,
        `other_datasets` where there are several. Damaged where it cannot be read, NsmlError where the session is gone."""
        try:
            record = read_json(self.folder / "session.json")
        except FileNotFoundError:
            if not self.folder.exists():
                raise NsmlError(f"there is no session {self.name}; it was removed just now") from None
            raise Damaged(f"{self.folder} has no session.json; move it away to go on without it") from None
        if not (
            isinstance(record.get("entry"), str)
            and isinstance(record.get("arguments"), list)
            and isinstance(record.get("other_datasets", []), list)
            and is_number(record.get("created_at"))
        ):
            raise Damaged(f"{self.folder / 'session.json'} is damaged; move it away to go on without it")
        return record

    def datasets(self) -> list[str]:
        """Names of the datasets that it trains on; the first is the one in its own name, on which it is scored."""
        if self.name.dataset == NO_DATASET:
            return []
        return [self.name.dataset, *map(str, self.record().get("other_datasets") or [])]

    def record_with_code(self) -> dict[str, Any]:
        """`record`, of a session that can be started again.

        Raises:
            NsmlError: its code was not kept.
            RunFailed: in its code is something that no copy of a folder brings there: a link, a pipe.
        """
        record = self.record()
        if not self.code.is_dir():
            mend = f"start it with 'nsml run -d {self.name.dataset}'"
            raise NsmlError(f"the code of session {self.name} was not kept; {mend}")
        for root, folders, files in os.walk(self.code):
            for path in (os.path.join(root, name) for name in [*folders, *files]):
                if os.path.islink(path) or not (os.path.isdir(path) or os.path.isfile(path)):
                    raise RunFailed(f"{path} is no regular file, so a program has put it there; remove it")
        return record

    def state(self) -> dict[str, Any]:
        """state.json, with a `status` that is true now: a session whose process is gone without a word is Lost."""
        try:
            state = read_json(self.folder / "state.json")
        except FileNotFoundError:
            # A start in the future, where the clock was set back since, would be Starting until then.
            return {"status": "Starting" if abs(time.time() - self._started_at()) < _GRACE else "Lost"}
        if state.get("status") not in ENDED and not is_alive(state.get("process")):
            # The process may have written its last word between the two looks.
            with contextlib.suppress(FileNotFoundError):
                state = read_json(self.folder / "state.json")
            if state.get("status") not in ENDED:
                state["status"] = "Lost"
        if not isinstance(state.get("exit_status"), int | None):
            raise Damaged(f"{self.folder / 'state.json'} is damaged; move it away to go on without it")
        return self._as_it_exited(state)

    def _as_it_exited(self, state: dict[str, Any]) -> dict[str, Any]:
        """A program in the foreground writes its state before its exit status is known."""
        if state.get("status") not in ("Exited", "Failed"):
            return state
        try:
            status = read_regular(self.folder / EXIT_STATUS, 1)
        except OSError:
            return state
        if status:
            return state | {"status": "Failed" if status[0] else "Exited", "exit_status": status[0]}
        return state | {"status": "Running"} if is_alive(state.get("process")) else state

    def _started_at(self) -> float:
        try:
            return float(read_regular(self.folder / "started.txt", 100))
        except (OSError, ValueError):
            return float(self.record()["created_at"])

    def status(self) -> str:
        """Starting, Running, Exited, Failed, Stopped or Lost."""
        return str(self.state().get("status"))

    def write_state(self, status: str, **facts: Any) -> None:
        """Replace state.json."""
        write_json(self.folder / "state.json", {"status": status, **facts})
        if status in ENDED:
            (self.folder / _ENDED).touch(0o600)

    def forget_state(self) -> None:
        """Remove state.json of an earlier run: the session is Starting until its supervisor says otherwise."""
        for name in (_ENDED, EXIT_STATUS):
            (self.folder / name).unlink(missing_ok=True)
        write_text(self.folder / "started.txt", f"{time.time()}\n")
        (self.folder / "state.json").unlink(missing_ok=True)

    def rename_dataset(self, name: str, new: str) -> None:
        """Write a dataset's new name where the session names it: among its datasets, and in what it goes on from."""
        record = self.record()
        of = str(record.get("of", ""))
        others = record.get("other_datasets", [])
        now = renamed_session(of, name, new)
        if of != now:
            record["of"] = now
            self.write_memo(self.memo().replace(of, now))
        if name in others:
            record["other_datasets"] = [new if other == name else other for other in others]
        if of != now or name in others:
            write_json(self.folder / "session.json", record)

    def memo(self) -> str:
        """The memo, one line; empty where there is none."""
        try:
            return read_regular(self.folder / "memo.txt", _LONGEST_MEMO).decode(errors="replace").strip()
        except OSError:
            return ""

    def write_memo(self, memo: str) -> None:
        """Replace the memo by one line of text."""
        write_text(self.folder / "memo.txt", " ".join(memo.split()) + "\n")


def renamed_session(text: str, name: str, new: str) -> str:
    """USER/DATASET/NUMBER with the dataset's new name."""
    parts = text.split("/")
    return "/".join([parts[0], new, *parts[2:]]) if parts[1:2] == [name] else text


def create_session(home: Home, user: str, dataset: str, record: dict[str, Any]) -> Session:
    """A new session with the next number of this user and dataset; the number is claimed by making its folder."""

    def fill(folder: Path) -> None:
        write_json(folder / "session.json", {"created_at": time.time(), **record})
        (folder / "checkpoints").mkdir(mode=0o700)

    parent = home.sessions / user / dataset
    try:
        folder = claim_numbered_folder(parent, fill)
    except OSError as error:
        raise RunFailed(f"{parent} cannot be written: {error.strerror}; {mend_of(error)}") from error
    return Session(SessionName(user, dataset, int(folder.name)), folder)


def find_session(home: Home, name: SessionName) -> Session:
    """The session of that name; NsmlError names those near it."""
    folder = home.sessions / name.user / name.dataset / str(name.number)
    if folder.is_dir():
        return Session(name, folder)
    if (now := present_name(home, name.dataset)) != name.dataset:
        # Programs name sessions too, as in nsml.load(session=...).
        return find_session(home, name._replace(dataset=now))
    known = [s.name for s in list_sessions(home)]
    if alike := [n for n in known if (n.user, n.dataset) == (name.user, name.dataset)]:
        numbers = ", ".join(str(n.number) for n in alike[-8:])
        which = "numbers" if len(alike) <= 8 else f"last of {len(alike)} numbers"
        raise NsmlError(f"there is no session {name}; the {which} of {name.user}/{name.dataset} are {numbers}")
    raise NsmlError(f"there is no session {name}{nearest(str(name), map(str, known)) or '; nsml run starts one'}")


def list_sessions(
    home: Home, user: str | None = None, dataset: str | None = None, *, but_for_ended: bool = False
) -> list[Session]:
    """All sessions, or those of a user and a dataset, ordered by name and number.

    With `but_for_ended`, those that have said that they ended are left out, without opening a file; others may have ended too.
    """
    found = []
    for user_entry in visible(home.sessions):
        if user is not None and user_entry.name != user:
            continue
        for dataset_entry in visible(Path(user_entry.path)):
            if dataset is not None and dataset_entry.name != dataset:
                continue
            numbers = sorted(
                int(e.name)
                for e in visible(Path(dataset_entry.path))
                if e.name.isdecimal() and not (but_for_ended and os.path.exists(f"{e.path}/{_ENDED}"))
            )
            found += [
                Session(SessionName(user_entry.name, dataset_entry.name, n), Path(dataset_entry.path) / str(n))
                for n in numbers
            ]
    return found


def match_sessions(home: Home, pattern: str, user: str) -> list[Session]:
    """The sessions of `USER/DATASET/PATTERN`, or `DATASET/PATTERN` of `user`, with `*` and `?` in the pattern of the number."""
    if not any(c in pattern for c in "*?"):
        return [find_session(home, parse_session_name(pattern, user))]
    parts = pattern.strip().strip("/").split("/")
    if len(parts) == 2:
        parts = [user, *parts]
    if len(parts) != 3:
        raise NsmlError(f"SESSION: {pattern!r} is not USER/DATASET/NUMBER; '*' and '?' may stand in the number")
    there = list_sessions(home, parts[0], parts[1])
    found = [s for s in there if fnmatch.fnmatchcase(str(s.name.number), parts[2])]
    if not found:
        raise NsmlError(f"no session is named {pattern}; {parts[0]}/{parts[1]} has {len(there)} sessions")
    return found


def remove_session(session: Session) -> None:
    """Remove an ended session with all it holds; its number is never given again. NsmlError where it has not ended."""
    try:
        status = session.status()
    except Damaged:
        status = "Lost"
    if status not in ENDED:
        raise NsmlError(f"session {session.name} has not ended ({status}); 'nsml stop {session.name}' ends it")
    hidden = session.folder.with_name(f"{REMOVED}{session.name.number}")
    os.rename(session.folder, hidden)
    for entry in os.scandir(hidden):
        if entry.is_dir(follow_symlinks=False):
            remove_tree(entry.path)
        else:
            os.unlink(entry.path)
