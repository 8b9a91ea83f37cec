"""The context of this process: a session, a submit, or the foreground."""

from __future__ import annotations

import atexit
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from ..demo import NAME as DEMO
from ..errors import NsmlError
from ..store.datasets import Dataset, find_dataset
from ..store.files import make_private
from ..store.home import Home, open_home
from ..store.isolated import isolated_folders
from ..store.launches import VARIABLE, pushed_at, read_launch
from ..store.names import SessionName
from ..store.processes import identity
from ..store.sessions import EXIT_STATUS, NO_DATASET, Session, create_session


def reserved_argument(name: str) -> str | None:
    """The value of the last `--NAME VALUE` or `--NAME=VALUE` on this program's command line."""
    value = None
    for position, word in enumerate(sys.argv[1:], 1):
        if word == f"--{name}" and position + 1 < len(sys.argv):
            value = sys.argv[position + 1]
        elif word.startswith(f"--{name}="):
            value = word.partition("=")[2]
    return value


# Environment variable of a process that has loaded its checkpoint: the path of its launch.json.
_LOADED = "NSML_LOADED"


class DatasetPaths(list[str]):
    """DATASET_PATH with several datasets: a list that also works as the path of its first folder."""

    def __fspath__(self) -> str:
        return self[0]


DatasetPath = str | DatasetPaths


class Context:
    """The data behind the constants and library calls of this process.

    `mode` is "train", "test", "infer" or "report". `on_nsml`: whether `nsml run` or `nsml submit` started the process. `source` and
    `checkpoint`: the checkpoint that a session continues from. `until`: the step at which it is paused, with the checkpoint that it saves
    there. `user`: owner of the session. `started_by`: user who started this process. `pushed_at`: when each dataset was pushed. In a
    submit, `submission` is the folder for steps and predictions, `limit` the seconds for predicting, `loader` the organiser's
    `data_loader.py` (if the dataset has one), and `wanted` the required predictions (if not; see `Wanted`).
    """

    def __init__(self) -> None:
        facts = read_launch()
        self.on_nsml = facts is not None
        self._launch = os.environ.get(VARIABLE, "by hand")
        self.saved_at = time.monotonic()
        self.checkpoint: str | None = None
        self.source: str | None = None
        self.until: int | None = None
        self.submission: Path | None = None
        self.wanted: dict[str, Any] | None = None
        self.limit = 0.0
        self.batch_size: int | None = None
        self.loader: Path | None = None
        self._session: Session | None = None
        if facts is None:
            self.home: Home = open_home()
            self.user: str = self.home.user()
            self.started_by = self.user
            self.mode: str = reserved_argument("mode") or "train"
            if not os.environ.get("NSML_DATASET_PATH") and (isolated := isolated_folders(self.home)):
                raise NsmlError(
                    f"{isolated[0]} was pushed with --isolate, so programs with the home {self.home.path} cannot be started by hand; "
                    "start it with 'nsml run', or name another folder with NSML_HOME"
                )
            registered = self._dataset_in_the_foreground()
            self._datasets = [registered] if registered else []
            os.environ.update(registered.told() if registered else {})
            self.dataset: str = registered.name if registered else ""
            self.pushed_at = pushed_at(self.home, [registered.name] if registered else [])
            self.has_dataset = bool(registered and os.environ.get("NSML_DATASET"))
            side = registered and registered.shown("submission" if self.mode == "test" else "training")
            self.dataset_path: DatasetPath = str(side or "")
            if path := os.environ.get("NSML_DATASET_PATH"):
                # Set by nsml for an organiser's scorer: its folder, with the labels.
                self.on_nsml = True
                self.dataset, self.dataset_path, self.has_dataset = os.environ.get("NSML_DATASET_NAME", ""), path, True
            return
        self.home = Home(Path(facts["home"]))
        self.user = facts["user"]
        self.started_by = facts.get("started_by", self.user)
        paths = DatasetPaths(facts["dataset_paths"])
        self.has_dataset = bool(paths)
        self.dataset = facts["dataset"] if paths else ""
        self.pushed_at = facts.get("pushed_at", [])
        self.dataset_path = paths if len(paths) > 1 else paths[0] if paths else ""
        self._session = Session(SessionName(self.user, facts["dataset"], facts["number"]), Path(facts["session"]))
        self.mode = facts["mode"]
        self.checkpoint = facts.get("checkpoint")
        self.source = facts.get("source")
        self.until = facts.get("until")
        if self.mode == "test":
            self.submission = Path(facts["submission"])
            self.wanted = facts["wanted"]
            self.limit = facts["limit"]
            self.batch_size = facts["batch_size"]
            self.loader = Path(facts["loader"]) if facts["loader"] else None

    def _dataset_in_the_foreground(self) -> Dataset | None:
        if named := os.environ.get("NSML_DATASET"):
            return find_dataset(self.home, named)
        try:
            return find_dataset(self.home, DEMO)
        except NsmlError:
            return None

    @property
    def session(self) -> Session | None:
        """The session of this process, if it has one yet."""
        return self._session

    @property
    def only_looks(self) -> bool:
        """Whether this process only predicts with a checkpoint or reports on it, so that the session does not change."""
        return self.submission is not None or self.mode in ("test", "report")

    @property
    def waits_for_a_checkpoint(self) -> bool:
        """Whether a checkpoint must be loaded that neither this process nor its parent has loaded yet."""
        by_hand = (reserved_argument("pause") or "0") not in ("0", "")
        continues = self.source is not None if self.on_nsml else by_hand
        return continues and os.environ.get(_LOADED) != self._launch

    def note_loaded(self) -> None:
        """Record that the checkpoint is loaded, also for child processes."""
        os.environ[_LOADED] = self._launch

    def open_session(self) -> Session:
        """The session of this process. Outside `nsml run`, the first call creates a foreground session."""
        if self._session is None:
            from ..engine.foreground import describe_program, keep_code

            record = {"kind": "foreground", **describe_program(self._datasets)}
            self._session = create_session(self.home, self.user, self.dataset or NO_DATASET, record)
            _watch_the_end(self._session)
            keep_code(self._session)
            print(f"Session {self._session.name} is started (in the foreground)", file=sys.stderr, flush=True)
        return self._session

    def output_folder(self) -> Path:
        """NSML_NFS_OUTPUT; the folder is created if missing."""
        return make_private(self.home.output / self.user)

    def gpu_count(self) -> int:
        """Number of GPUs available to this process, counted without a GPU library."""
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        if visible is not None:
            return len([v for v in visible.split(",") if v.strip() and v.strip() != "-1"])
        try:
            return len(os.listdir("/proc/driver/nvidia/gpus"))
        except OSError:
            return 0


def _watch_the_end(session: Session) -> None:
    """Write the status of a foreground session, which has no supervisor."""
    from ..engine.foreground import leave_exit_status

    process = identity()
    session.write_state("Running", process=process)
    ended: dict[str, Any] = {"status": "Exited", "exit_status": 0}
    previous = sys.excepthook

    def note_failure(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        ended.update(status="Stopped" if kind is KeyboardInterrupt else "Failed", exit_status=1)
        ended["error"] = f"{kind.__name__}: {error}"
        previous(kind, error, trace)

    def write() -> None:
        if os.getpid() == process["pid"]:
            session.write_state(ended.pop("status"), process=process, ended_at=time.time(), **ended)

    sys.excepthook = note_failure
    leave_exit_status(session.folder / EXIT_STATUS)
    atexit.register(write)


_current: Context | None = None


def current() -> Context:
    """The context of this process, created once."""
    global _current
    if _current is None:
        _current = Context()
    return _current
