"""`launch.json`: how a session or a submit is started. Read by the supervisor and by the library in the started process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import Damaged
from .datasets import Dataset
from .files import read_json, write_json
from .home import Home
from .sessions import Session

VARIABLE = "NSML_LAUNCH"
# Set for a program that is isolated.
ISOLATED = "NSML_ISOLATED"
FILE = "launch.json"
# Who gets the messages of --notify. A file of its own, since programs read the launch.
NOTIFY = "notify.json"


def write_launch(
    folder: Path,
    home: Home,
    session: Session,
    dataset_paths: Sequence[Path],
    *,
    entry: str,
    arguments: list[str],
    mode: str = "train",
    **more: Any,
) -> None:
    """Write `launch.json` into `folder`.

    Args:
        dataset_paths: one folder per dataset, the part that the process may read.
        entry, arguments: the entry file and its arguments, including the reserved ones.
        mode: "train", "test" (a submit), "infer" or "report".
        more: for a fork, a resume or a report, `source` (a session's name) and `checkpoint`; for a submit, `checkpoint`,
            `submission` (its folder), `wanted`, `limit` and `loader`; for the supervisor, `limits`, and `python` if nothing has
            to be installed; `until`, the step at which the program is paused.
    """
    write_json(
        folder / FILE,
        {
            "home": str(home.path),
            "user": session.name.user,
            "started_by": home.user(),
            "dataset": session.name.dataset,
            "number": session.name.number,
            "session": str(session.folder),
            "dataset_paths": [str(path) for path in dataset_paths],
            "pushed_at": pushed_at(home, session.datasets()),
            "entry": entry,
            "arguments": arguments,
            "mode": mode,
            **more,
        },
    )


def pushed_at(home: Home, datasets: Sequence[str]) -> list[float]:
    """When each dataset was pushed, in seconds since the epoch; 0 where its record does not say."""
    times = []
    for name in datasets:
        try:
            times.append(float(Dataset(name, home.datasets / name).record()["created_at"]))
        except Damaged:
            times.append(0.0)
    return times


def read_launch() -> dict[str, Any] | None:
    """The content of this process's `launch.json`; None if `nsml` did not start the process."""
    path = os.environ.get(VARIABLE)
    return read_json(Path(path)) if path else None
