"""Sessions: `sessions/USER/DATASET/NUMBER/`. Each file has one writer.

session.json      entry file, arguments, dataset, commit, ... (written at the start; the program adds versions and settings)
state.json        status and result (written by the supervisor; in the foreground by the program)
notify.json       who gets a message at the end (written once, at the start)
python.txt        the interpreter of the session's own environment, if any (written by the installer)
job.json          the session's job of Slurm, if any (see jobs.py)
ended             empty; exists if state.json has a final status, so that lists need not open state.json
exit-status       of a program in the foreground: one byte, empty until it ends (written by the C library)
started.txt       time of the last start (written by the command that starts the session)
memo.txt, tags.txt  the memo and the tags (written by the command line)
log.txt           output of the program
metrics.jsonl     reports of the program
code/             the files at the start;  work/  the program's working folder, a copy of code/
checkpoints/      checkpoints of the program
answers/          the socket for `nsml exec` and `nsml infer`, while the program answers
reports/          reports on checkpoints, one folder each (written by `nsml report`)
"""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from ..errors import Damaged, NsmlError, RunFailed, fix_for
from ..wording import counted
from .datasets import present_name
from .files import (
    REMOVED,
    claim_numbered_folder,
    disk_time,
    is_number,
    open_regular,
    read_json,
    read_regular,
    regular,
    remove_tree,
    visible,
    walk,
    write_bytes,
    write_json,
    write_text,
)
from .home import Home
from .jobs import state_by_job, submitted
from .names import SessionName, closest, is_name, parse_session_name
from .processes import is_alive, is_process_number, other_host

# Stands for the dataset in the name of a session without one.
NO_DATASET = "none"
# Begins the name of a sweep, in place of a session's number.
SWEEP = "sweep-"
# The folder with a folder for each sweep of a user on a dataset, beside the sessions.
SWEEPS = ".sweeps"
ENDED = ("Exited", "Failed", "Stopped", "Lost")
# A session that waits stays so without a supervisor: the next command starts another.
QUEUED = "Queued"
_ENDED = "ended"
_LARGEST_MEMO = 1 << 20  # bytes
_LONGEST_MEMO = 2000  # letters that are shown
EXIT_STATUS = "exit-status"
TAGS = "tags.txt"
# The folder of the socket on which a session answers.
ANSWERS = "answers"
# The numbers that were given, one a line, beside the sessions.
_NUMBERS = ".numbers"
_TAIL = 1024  # bytes
# Seconds from the start in which a supervisor writes its first state; after that it counts as lost.
_GRACE = 30.0
# A supervisor touches state.json every HEARTBEAT seconds. A session of another host counts as lost after so many seconds without, and one
# that has no supervisor after so many seconds without metrics.
HEARTBEAT, _SILENCE, LONG_SILENCE = 5.0, 300.0, 86400.0


@dataclass(frozen=True)
class Session:
    """A session on disk."""

    name: SessionName
    folder: Path

    @property
    def home(self) -> Home:
        """The home that it is in."""
        return Home(self.folder.parents[3])

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
    def has_code(self) -> bool:
        """Whether the session has a copy of its code. A link in its place leads to somebody else's."""
        return self.code.is_dir() and not self.code.is_symlink()

    def open_log(self) -> BufferedReader:
        """The log, opened for reading. OSError where there is none, and where it is no regular file."""
        return regular(self.log, self.folder.parent)

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def record(self) -> dict[str, Any]:
        """session.json: `entry`, `arguments` (list), `created_at` (seconds since the epoch), `kind`; of several datasets `other_datasets`.

        Raises:
            Damaged: session.json cannot be read.
            NsmlError: the session was removed.
        """
        try:
            record = read_json(self.folder / "session.json", self.folder.parent)
        except FileNotFoundError:
            if not self.folder.exists():
                raise NsmlError(f"there is no session {self.name}; it was just removed") from None
            raise Damaged(f"{self.folder} has no session.json; move it away to go on without it") from None
        if not (
            isinstance(record.get("entry"), str)
            and isinstance(record.get("arguments"), list)
            and isinstance(record.get("other_datasets", []), list)
            and is_number(record.get("created_at"))
        ):
            raise Damaged(f"{self.folder / 'session.json'} is damaged; move it away to go on without it")
        return record

    def sweep(self) -> tuple[str, dict[str, str]]:
        """Name of the sweep that the session belongs to, as `sweep-3`, and its arguments there; "" and {} if it belongs to none."""
        try:
            sweep = self.record()["sweep"]
            return str(sweep["name"]), {str(name): str(value) for name, value in sweep["point"].items()}
        except (NsmlError, KeyError, TypeError, AttributeError):
            return "", {}

    def sweep_folder(self) -> Path | None:
        """The folder of the sweep that the session belongs to, if any: what concerns the sweep as a whole lies there."""
        name = self.sweep()[0]
        return self.folder.parent / SWEEPS / name.removeprefix(SWEEP) if name else None

    def datasets(self) -> list[str]:
        """Names of the session's datasets. The first is the one in its name, on which it is scored."""
        if self.name.dataset == NO_DATASET:
            return []
        return [self.name.dataset, *map(str, self.record().get("other_datasets") or [])]

    def record_with_code(self) -> dict[str, Any]:
        """`record`, after a check that the session can be started again.

        Raises:
            NsmlError: the session has no copy of its code.
            RunFailed: its code contains a link, a pipe or another irregular file, which only a program can have added.
        """
        record = self.record()
        if not self.has_code:
            fix = f"start it with 'nsml run -d {self.name.dataset}'"
            raise NsmlError(f"session {self.name} has no copy of its code; {fix}")
        self.check_code()
        if self.work.is_symlink():
            raise RunFailed(f"{self.work} is a link; a program created it: remove it")
        return record

    def check_code(self) -> None:
        """RunFailed if its code contains a link, a pipe or another irregular file, which only a program can have added."""
        for root, folders, files in walk(self.code):
            for path in (root, *(os.path.join(root, name) for name in [*folders, *files])):
                if os.path.islink(path) or not (os.path.isdir(path) or os.path.isfile(path)):
                    raise RunFailed(f"{path} is not a regular file; a program created it: remove it")

    def state(self) -> dict[str, Any]:
        """state.json with the current `status`: Lost if the process has ended without writing a final status, but for a Queued session.

        `on` is the host of a session that runs on another machine, or in another container, that shares the home.
        """
        try:
            state = self._stored_state()
        except FileNotFoundError:
            # abs: after the clock was set back, the start lies in the future.
            return {"status": "Starting" if abs(time.time() - self._started_at()) < _GRACE else "Lost"}
        if state.get("status") not in ENDED and not is_alive(state.get("process")):
            # The process may have written its final status between the two reads.
            with contextlib.suppress(FileNotFoundError):
                state = self._stored_state()
            if state.get("status") not in ENDED:
                if job := submitted(self.folder):
                    return self._state_of_job(state, job)
                if host := self._other_host(state):
                    state["on"] = host
                elif state["status"] != QUEUED or other_host(state.get("process")):
                    state["status"] = "Lost"
        return self._with_exit_status(state)

    def _state_of_job(self, state: dict[str, Any], job: str) -> dict[str, Any]:
        """What Slurm says of a session whose supervisor is not a process of this host, where state.json is not fresh."""
        if state["status"] != QUEUED and (host := other_host(state.get("process"))) and self.beats():
            return state | {"on": host}
        state, is_final = state_by_job(state, job, str(self.name))
        if is_final and submitted(self.folder) == job:
            # Nobody else will: its supervisor is gone, or has never been. Without accounting Slurm forgets a job within minutes.
            with contextlib.suppress(OSError):
                self.write_state(**state)
        return state

    def _other_host(self, state: dict[str, Any]) -> str:
        is_silent = self._is_silent(_SILENCE if "program" in state else LONG_SILENCE)
        return "" if is_silent else other_host(state.get("process"))

    def _is_silent(self, seconds: float) -> bool:
        """Whether neither state nor metrics were written for so long."""
        changed = 0.0
        for name in ("state.json", "metrics.jsonl"):
            with contextlib.suppress(OSError):
                changed = max(changed, (self.folder / name).lstat().st_mtime)
        return disk_time(self.home.sessions) - changed > seconds

    def may_run_elsewhere(self) -> bool:
        """Whether a session whose state.json is damaged may run on another host: it has not ended, and was not silent for long."""
        return not (self.folder / _ENDED).exists() and not self._is_silent(LONG_SILENCE)

    def check_here(self) -> None:
        """NsmlError if the session runs on another host, but as a job of Slurm, which can be ended from here."""
        state = self.state()
        if (host := state.get("on")) and not submitted(self.folder):
            does = "waits" if state["status"] == QUEUED else "runs"
            raise NsmlError(f"session {self.name} {does} on {host}, which shares this home; do it there")

    def _stored_state(self) -> dict[str, Any]:
        path = self.folder / "state.json"
        state = read_json(path, self.folder.parent)
        process, program, code = (state.get(name) for name in ("process", "program", "exit_status"))
        if not (
            state.get("status") in (*ENDED, QUEUED, "Starting", "Running")
            and (process is None or (isinstance(process, dict) and is_process_number(process.get("pid"))))
            and (program is None or is_process_number(program))
            and (code is None or (isinstance(code, int) and abs(code) < 1 << 31))
        ):
            raise Damaged(f"{path} is damaged; move it away to go on without it")
        return state

    def _with_exit_status(self, state: dict[str, Any]) -> dict[str, Any]:
        """The state with the status from `exit-status`: a program in the foreground writes state.json before it exits."""
        if state.get("status") not in ("Exited", "Failed"):
            return state
        try:
            status = self._read(EXIT_STATUS, 1)
        except OSError:
            return state
        if status:
            return state | {"status": "Failed" if status[0] else "Exited", "exit_status": status[0]}
        return state | {"status": "Running"} if is_alive(state.get("process")) else state

    def _started_at(self) -> float:
        try:
            return float(self._read("started.txt", 100))
        except (OSError, ValueError):
            return float(self.record()["created_at"])

    def status(self) -> str:
        """Queued, Starting, Running, Exited, Failed, Stopped or Lost."""
        return str(self.state().get("status"))

    def write_state(self, status: str, **facts: Any) -> None:
        """Replace state.json."""
        write_json(self.folder / "state.json", {"status": status, **facts})
        if status in ENDED:
            with contextlib.suppress(OSError):  # lists then open state.json
                os.close(open_regular(self.folder / _ENDED, os.O_WRONLY | os.O_CREAT, self.folder.parent))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the session against other commands that do the same, and wait for them; on a disk without locks nothing is held."""
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def has_passed_on(self, process: dict[str, Any]) -> bool:
        """Whether state.json names another supervisor than `process`, or none since it is resumed; False where it cannot be read."""
        try:
            return self._stored_state().get("process") != process
        except (OSError, Damaged):
            return False

    def mend_state(self, status: str, **facts: Any) -> None:
        """Replace state.json where its content is damaged."""
        with contextlib.suppress(OSError):
            try:
                self._stored_state()
            except Damaged:
                # OSError if the disk is at fault: then another supervisor may have the session.
                self._read("state.json", _LARGEST_MEMO)
                self.write_state(status, **facts)

    def beats(self) -> bool:
        """Whether state.json was touched lately."""
        try:
            return abs(disk_time(self.home.sessions) - (self.folder / "state.json").lstat().st_mtime) < 2 * HEARTBEAT
        except OSError:
            return False

    def touch_state(self) -> None:
        """Show other hosts that the session runs, see `state`."""
        with contextlib.suppress(OSError):
            os.utime(self.folder / "state.json")

    def forget_state(self) -> None:
        """Remove state.json of an earlier run; the session is Starting until its supervisor writes a new one."""
        for name in (_ENDED, EXIT_STATUS):
            (self.folder / name).unlink(missing_ok=True)
        write_text(self.folder / "started.txt", f"{time.time()}\n")
        (self.folder / "state.json").unlink(missing_ok=True)

    def rename_dataset(self, name: str, new: str) -> None:
        """After a dataset was renamed from `name` to `new`, update the session's datasets and the session it continues."""
        record = self.record()
        of = str(record.get("of", ""))
        others = record.get("other_datasets", [])
        now = renamed_session(of, name, new)
        if of != now:
            record["of"] = now
            memo = b""
            with contextlib.suppress(OSError):
                memo = self._read("memo.txt", _LARGEST_MEMO)
            if of.encode() in memo:  # as it is stored: what `memo` returns is shortened
                write_bytes(self.folder / "memo.txt", memo.replace(of.encode(), now.encode()))
        if name in others:
            record["other_datasets"] = [new if other == name else other for other in others]
        if of != now or name in others:
            write_json(self.folder / "session.json", record)

    def memo(self) -> str:
        """The memo, one line; "" if there is none."""
        try:
            memo = " ".join(self._read("memo.txt", _LARGEST_MEMO).decode(errors="replace").split())
        except OSError:
            return ""
        return memo if len(memo) <= _LONGEST_MEMO else f"{memo[: _LONGEST_MEMO - 1]}…"

    def tags(self) -> list[str]:
        """The tags, in alphabetical order."""
        try:
            return sorted({tag for tag in self._read(TAGS, _LARGEST_MEMO).decode().split() if is_name(tag)})
        except (OSError, UnicodeDecodeError):
            return []

    def change_tags(self, add: Collection[str], remove: Collection[str] = ()) -> None:
        """Add and remove tags, which are names. Other processes that change them wait."""
        with self.held():
            tags = {*self.tags(), *add} - {*remove}
            write_text(self.folder / TAGS, "".join(f"{tag}\n" for tag in sorted(tags)))

    def _read(self, name: str, most: int) -> bytes:
        return read_regular(self.folder / name, most, self.folder.parent)

    def write_memo(self, memo: str) -> None:
        """Replace the memo by one line of text."""
        write_text(self.folder / "memo.txt", " ".join(memo.split()) + "\n")


def renamed_session(text: str, name: str, new: str) -> str:
    """The session name USER/DATASET/NUMBER with `name` replaced by `new`."""
    parts = text.split("/")
    return "/".join([parts[0], new, *parts[2:]]) if parts[1:2] == [name] else text


def create_session(home: Home, user: str, dataset: str, record: dict[str, Any]) -> Session:
    """Create a session with the next number of this user and dataset."""

    def fill(folder: Path) -> None:
        write_json(folder / "session.json", {"created_at": time.time(), **record})
        (folder / "checkpoints").mkdir(mode=0o700)

    parent = home.sessions / user / dataset
    try:
        folder = claim_numbered_folder(parent, fill, above=_highest_number(parent))
    except OSError as error:
        raise RunFailed(f"{parent} cannot be written: {error.strerror}; {fix_for(error)}") from error
    with contextlib.suppress(OSError):  # its folder keeps the number, too
        file = open_regular(parent / _NUMBERS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, parent)
        with open(file, "ab") as numbers:
            numbers.write(f"\n{folder.name}\n".encode())
    return Session(SessionName(user, dataset, int(folder.name)), folder)


def _highest_number(parent: Path) -> int:
    """The highest of the numbers that were given here lately: somebody may have removed the folders by hand."""
    try:
        with regular(parent / _NUMBERS, parent) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            # The first may be cut, and so is lower. A program can write here, so no number of ten digits is believed.
            return max((int(word) for word in file.read().split() if word.isdigit() and len(word) < 10), default=0)
    except OSError:
        return 0


def find_session(home: Home, name: SessionName) -> Session:
    """The session of that name. NsmlError lists similar names."""
    folder = home.sessions / name.user / name.dataset / str(name.number)
    if folder.is_dir():
        return Session(name, folder)
    if (now := present_name(home, name.dataset)) != name.dataset:
        # Programs contain the old names, as in nsml.load(session=...).
        return find_session(home, name._replace(dataset=now))
    known = [s.name for s in list_sessions(home)]
    if alike := [n for n in known if (n.user, n.dataset) == (name.user, name.dataset)]:
        numbers = ", ".join(str(n.number) for n in alike[-8:])
        which = "numbers" if len(alike) <= 8 else f"last of {len(alike)} numbers"
        raise NsmlError(f"there is no session {name}; the {which} of {name.user}/{name.dataset} are {numbers}")
    dataset = name.dataset
    if not any(n.dataset == dataset for n in known):
        if (home.datasets / dataset).exists():
            raise NsmlError(f"there is no session {name}; {dataset} has no sessions")
        dataset = closest(dataset, {n.dataset for n in known})
    close = closest(str(name), [str(n) for n in known if n.dataset == dataset])
    otherwise = "'nsml ps -a' lists the sessions" if known else "'nsml run' starts one"
    raise NsmlError(f"there is no session {name}; {f'did you mean {close}?' if close else otherwise}")


def list_sessions(
    home: Home, user: str | None = None, dataset: str | None = None, *, but_for_ended: bool = False
) -> list[Session]:
    """Sessions of all users and datasets, or of one user or dataset, ordered by name and number.

    `but_for_ended` skips sessions that have an `ended` file, without reading any file. The rest may contain ended sessions.
    """
    sessions = []
    for user_entry in visible(home.sessions):
        if not is_name(user_entry.name) or user not in (None, user_entry.name):
            continue
        for dataset_entry in visible(Path(user_entry.path)):
            if not is_name(dataset_entry.name) or dataset not in (None, dataset_entry.name):
                continue
            numbers = sorted(
                int(e.name)
                for e in visible(Path(dataset_entry.path))
                if e.name.isdecimal() and not (but_for_ended and os.path.exists(f"{e.path}/{_ENDED}"))
            )
            sessions += [
                Session(SessionName(user_entry.name, dataset_entry.name, n), Path(dataset_entry.path) / str(n))
                for n in numbers
            ]
    return sessions


def folders_without_a_name(home: Home) -> list[Path]:
    """What stands among the users and their datasets and cannot be one by its name, so that no list shows what is in it."""
    users = visible(home.sessions)
    inner = [entry for user in users if is_name(user.name) for entry in visible(Path(user.path))]
    return [Path(entry.path) for entry in (*users, *inner) if not is_name(entry.name)]


def match_sessions(home: Home, pattern: str, user: str) -> list[Session]:
    """Sessions that match `USER/DATASET/PATTERN`, or `DATASET/PATTERN` for `user`; `*` and `?` match in the number.

    A PATTERN like `sweep-3` means the sessions of that sweep.
    """
    if not any(c in pattern for c in "*?") and f"/{SWEEP}" not in pattern:
        return [find_session(home, parse_session_name(pattern, user))]
    parts = pattern.strip().strip("/").split("/")
    if len(parts) == 2:
        parts = [user, *parts]
    if len(parts) != 3:
        raise NsmlError(f"SESSION: {pattern!r} is not USER/DATASET/NUMBER; '*' and '?' are allowed in the number")
    sessions = list_sessions(home, parts[0], parts[1])
    if parts[2].startswith(SWEEP):
        matches = [s for s in sessions if s.sweep()[0] == parts[2]]
        if not matches:
            sweeps = list(dict.fromkeys(sweep for s in sessions if (sweep := s.sweep()[0])))
            there = f"the newest are {', '.join(sweeps[:-9:-1])}" if sweeps else f"{parts[0]}/{parts[1]} has no sweep"
            raise NsmlError(f"there is no sweep {pattern}; {there}")
    else:
        matches = [s for s in sessions if fnmatch.fnmatchcase(str(s.name.number), parts[2])]
    if not matches:
        raise NsmlError(f"no session is named {pattern}; {parts[0]}/{parts[1]} has {counted(len(sessions), 'session')}")
    return matches


def check_ended(session: Session) -> None:
    """NsmlError if a session has not ended. One whose state cannot be read has."""
    try:
        status = session.status()
    except Damaged:
        status = "Lost"
    if status not in ENDED:
        raise NsmlError(f"session {session.name} has not ended ({status}); 'nsml stop {session.name}' ends it")


def remove_session(session: Session) -> None:
    """Remove an ended session and its files; its number is not used again. NsmlError if it has not ended."""
    check_ended(session)
    hidden = session.folder.with_name(f"{REMOVED}{session.name.number}")
    os.rename(session.folder, hidden)
    if not hidden.is_dir() or hidden.is_symlink():
        os.unlink(hidden)
        hidden.mkdir(0o700)  # whose name keeps the number
        return
    for entry in os.scandir(hidden):
        if entry.is_dir(follow_symlinks=False):
            remove_tree(entry.path)
        else:
            os.unlink(entry.path)
