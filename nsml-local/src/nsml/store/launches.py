"""What `nsml run` and `nsml submit` leave for the library in the process that they start: a file named by an environment variable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .files import read_json, write_json
from .home import Home
from .sessions import Session

VARIABLE = "NSML_LAUNCH"


def write_launch(path: Path, home: Home, session: Session, dataset_path: Path, **more: object) -> None:
    """Write the facts of a launch. A submit adds `mode` "test", `checkpoint`, `submission` (its folder), `classes` and `loader`."""
    write_json(
        path,
        {
            "home": str(home.path),
            "user": session.name.user,
            "dataset": session.name.dataset,
            "number": session.name.number,
            "session": str(session.folder),
            "dataset_path": str(dataset_path),
            **more,
        },
    )


def read_launch() -> dict[str, Any] | None:
    """The facts of this process's launch; None where nobody launched it."""
    path = os.environ.get(VARIABLE)
    return read_json(Path(path)) if path else None
