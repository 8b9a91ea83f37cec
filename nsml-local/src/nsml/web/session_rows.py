"""Sessions as table rows, with a cache of ended sessions."""

from __future__ import annotations

import contextlib
import os
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from ..engine.differences import arguments_of
from ..engine.program import how_it_ended
from ..engine.queue import places
from ..errors import Damaged, NsmlError
from ..store.home import Home
from ..store.metrics import FILE as METRICS
from ..store.metrics import best_values, last_summary
from ..store.sessions import ENDED, EXIT_STATUS, QUEUED, TAGS, Session, list_sessions
from ..wording import plain, short

DAMAGED = "Damaged"
_MAX_VALUES = 200  # of a session
_MAX_INTEGER = 2**53  # above it JavaScript knows even numbers alone


@lru_cache(64)
def rows_of(home: Home, dataset: str) -> SessionRows:
    """The rows of a dataset, with one cache for all pages: to read 500 ended sessions takes a second."""
    return SessionRows(home, dataset)


class SessionRows:
    """The sessions of a dataset as dicts with `name`, `user`, `number`, `status`, `why`, `created_at` (seconds since the epoch), `memo`,
    `tags`, `sweep` (USER/DATASET/sweep-N or ''), `arguments`, `summary` and `best` (the last three are dicts)."""

    def __init__(self, home: Home, dataset: str) -> None:
        self._home = home
        self._dataset = dataset
        self._ended: dict[Path, tuple[object, dict[str, Any]]] = {}

    def read(self) -> list[dict[str, Any]]:
        """All rows, newest first. A damaged session has the reason in `why`."""
        rows, ended = [], {}
        waiting = places(self._home)
        for session in list_sessions(self._home, dataset=self._dataset):
            key = _cache_key(session.folder)
            cached = self._ended.get(session.folder)
            if cached is not None and cached[0] == key:
                row = cached[1]
            else:
                try:
                    row = _row(session, waiting)
                except Damaged as error:
                    row = _damaged(session, str(error))
                except NsmlError:
                    continue  # removed meanwhile
            if key is not None and row["status"] in ENDED:
                ended[session.folder] = (key, row)
            rows.append(row)
        self._ended = ended
        return sorted(rows, key=lambda row: (row["created_at"], row["number"]), reverse=True)


def _cache_key(folder: Path) -> object:
    """A key that changes with each file that a row of an ended session shows; None if it has not ended."""
    if not os.path.exists(f"{folder}/ended"):
        return None
    key = []
    for name in ("ended", "session.json", "state.json", EXIT_STATUS, "memo.txt", TAGS, METRICS):
        with contextlib.suppress(OSError):
            status = os.stat(f"{folder}/{name}", follow_symlinks=False)
            key.append((name, status.st_mtime_ns, status.st_size))
    return key


def _row(session: Session, waiting: dict[str, tuple[int, str]]) -> dict[str, Any]:
    record, state, sweep = session.record(), session.state(), plain(session.sweep()[0])
    status = str(state.get("status"))
    host = state.get("on")
    why = f"on {host}" if host else _failure(state) if status == "Failed" else why_queued(session, state, waiting)
    return {
        "name": str(session.name),
        "user": session.name.user,
        "number": session.name.number,
        "status": status,
        "why": short(why),
        "created_at": float(record["created_at"]),
        "memo": plain(session.memo()),
        "tags": " ".join(session.tags()),
        "sweep": f"{session.name.user}/{session.name.dataset}/{sweep}" if sweep else "",
        "arguments": {short(k): short(str(v)) for k, v in islice(arguments_of(session).items(), _MAX_VALUES)},
        "summary": {short(k): cell(v) for k, v in islice(last_summary(session.folder).items(), _MAX_VALUES)},
        "best": {short(k): cell(v) for k, (v, _) in islice(best_of_validation(session.folder).items(), _MAX_VALUES)},
    }


def best_of_validation(folder: Path) -> dict[str, tuple[float, Any]]:
    """`best_values` without those of the training, whose best loss is most often its last one."""
    return {name: best for name, best in best_values(folder).items() if not name.lower().startswith("train")}


def cell(value: Any) -> float | int | str | None:
    """A reported value as a browser can hold it: numbers to five digits, text on one line."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    return value if value is None or (isinstance(value, int) and abs(value) <= _MAX_INTEGER) else short(str(value))


def _failure(state: dict[str, Any]) -> str:
    """What ended a failed session, in as few letters as `nsml ps` takes: its exit status for instance."""
    code = state.get("exit_status", "")
    return str(state.get("cause") or (f"signal {-code}" if isinstance(code, int) and code < 0 else code))


def why_ended(state: dict[str, Any]) -> str:
    """The reason for the end of a session, the host of one that runs elsewhere, or '' if its state has neither."""
    if host := state.get("on"):
        return f"on {host}"
    code = state.get("exit_status")
    how = how_it_ended(code) if state.get("status") == "Failed" and isinstance(code, int) else ""
    return str(state.get("error") or state.get("reason") or how)


def why_queued(session: Session, state: dict[str, Any], waiting: dict[str, tuple[int, str]]) -> str:
    """The place in the queue and what the session waits for, or '' if it does not wait."""
    if state.get("status") != QUEUED:
        return ""
    place, why = waiting.get(str(session.name), (0, ""))
    return f"{place}: {why}" if place else str(state.get("reason", ""))


def _damaged(session: Session, why: str) -> dict[str, Any]:
    changed = 0.0
    with contextlib.suppress(OSError):
        changed = session.folder.stat().st_mtime
    return {
        "name": str(session.name),
        "user": session.name.user,
        "number": session.name.number,
        "status": DAMAGED,
        "why": short(why),
        "created_at": changed,
        "memo": plain(session.memo()),
        "tags": " ".join(session.tags()),
        "sweep": "",
        "arguments": {},
        "summary": {},
        "best": {},
    }


def common_arguments(rows: list[dict[str, Any]]) -> tuple[dict[str, str], list[str]]:
    """Arguments with the same value in all undamaged sessions, and the names of the others in order of appearance."""
    readable = [row["arguments"] for row in rows if row["status"] != DAMAGED]
    names = list(dict.fromkeys(name for arguments in readable for name in arguments))
    common = {n: readable[0][n] for n in names if len({arguments.get(n) for arguments in readable}) == 1}
    return common, [n for n in names if n not in common]
