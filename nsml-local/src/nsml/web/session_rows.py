"""Sessions as rows of a table, read anew only where something can have changed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from ..engine.differences import arguments_of
from ..errors import Damaged, NsmlError
from ..store.home import Home
from ..store.metrics import last_summary
from ..store.sessions import ENDED, Session, list_sessions
from ..wording import plain

DAMAGED = "Damaged"


class SessionRows:
    """The sessions of a dataset. A row is `name`, `user`, `number`, `status`, `why`, `created_at` (seconds since the epoch), `memo`,
    `arguments` and `summary` (both by name)."""

    def __init__(self, home: Home, dataset: str) -> None:
        self._home = home
        self._dataset = dataset
        self._ended: dict[Path, tuple[object, dict[str, Any]]] = {}

    def read(self) -> list[dict[str, Any]]:
        """All rows, the newest first. A session that cannot be read is a row with the reason in `why`."""
        rows, kept = [], {}
        for session in list_sessions(self._home, dataset=self._dataset):
            mark = _mark(session.folder)
            known = self._ended.get(session.folder)
            if known is not None and known[0] == mark:
                row = known[1]
            else:
                try:
                    row = _row(session)
                except Damaged as error:
                    row = _damaged(session, str(error))
                except NsmlError:
                    continue  # removed since the look
            if mark is not None and row["status"] in ENDED:
                kept[session.folder] = (mark, row)
            rows.append(row)
        self._ended = kept
        return sorted(rows, key=lambda row: (row["created_at"], row["number"]), reverse=True)


def _mark(folder: Path) -> object:
    """Changes whenever something of an ended session does; None of one that has not ended."""
    try:
        ended = os.stat(f"{folder}/ended").st_mtime_ns
    except OSError:
        return None
    memo = None
    with contextlib.suppress(OSError):
        memo = os.stat(f"{folder}/memo.txt").st_mtime_ns
    return ended, memo


def _row(session: Session) -> dict[str, Any]:
    record, state = session.record(), session.state()
    status = str(state.get("status"))
    why = why_ended(state) if status == "Failed" else ""
    return {
        "name": str(session.name),
        "user": session.name.user,
        "number": session.name.number,
        "status": status,
        "why": plain(why),
        "created_at": float(record["created_at"]),
        "memo": plain(session.memo()),
        "arguments": {plain(k): plain(str(v)) for k, v in arguments_of(session).items()},
        "summary": {plain(k): v for k, v in last_summary(session.folder).items()},
    }


def why_ended(state: dict[str, Any]) -> str:
    """Why a session ended as it did, as far as its state says."""
    code = state.get("exit_status")
    failed = state.get("status") == "Failed" and code is not None
    return str(state.get("error") or state.get("reason") or (f"exit status {code}" if failed else ""))


def _damaged(session: Session, why: str) -> dict[str, Any]:
    changed = 0.0
    with contextlib.suppress(OSError):
        changed = session.folder.stat().st_mtime
    return {
        "name": str(session.name),
        "user": session.name.user,
        "number": session.name.number,
        "status": DAMAGED,
        "why": plain(why),
        "created_at": changed,
        "memo": plain(session.memo()),
        "arguments": {},
        "summary": {},
    }


def common_arguments(rows: list[dict[str, Any]]) -> tuple[dict[str, str], list[str]]:
    """The arguments that all readable sessions share, and the names of the others, in the order in which they are met."""
    readable = [row["arguments"] for row in rows if row["status"] != DAMAGED]
    names = list(dict.fromkeys(name for arguments in readable for name in arguments))
    common = {n: readable[0][n] for n in names if len({arguments.get(n) for arguments in readable}) == 1}
    return common, [n for n in names if n not in common]
