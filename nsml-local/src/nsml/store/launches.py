"""What a session, or a submit, is started with: `launch.json`, for the supervisor and for the library in the process it starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .files import read_json, write_json
from .home import Home
from .sessions import Session

VARIABLE = "NSML_LAUNCH"
FILE = "launch.json"


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
    """Write the facts of a launch into `folder`.

    Args:
        dataset_paths: the folder that the process may see of each of its datasets.
        entry, arguments: what is started, with the reserved arguments.
        mode: "train", "test" (a submit), "infer" or "report".
        more: for a session that goes on from a checkpoint, or is reported on, `source` (a session's name) and `checkpoint`; for a
            submit `checkpoint`, `submission` (its folder), `wanted`, `limit` and `loader`; for the supervisor `limits`, and `python`
            where nothing need be installed.
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
            "entry": entry,
            "arguments": arguments,
            "mode": mode,
            **more,
        },
    )


def read_launch() -> dict[str, Any] | None:
    """The facts of this process's launch; None where nobody launched it."""
    path = os.environ.get(VARIABLE)
    return read_json(Path(path)) if path else None
