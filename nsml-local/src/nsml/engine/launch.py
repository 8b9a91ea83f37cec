"""Starting a session in the background."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ..errors import RunFailed
from ..store.datasets import Dataset
from ..store.home import Home
from ..store.launches import write_launch
from ..store.sessions import Session, create_session
from .entry import check_entry
from .snapshot import Snapshot, copy_code, take_snapshot


def start_session(
    home: Home, dataset: Dataset, source: Path, *, entry: str, arguments: list[str], memo: str = ""
) -> tuple[Session, Snapshot]:
    """Copy `source`, and leave a supervisor behind that runs `entry` on the copy.

    Raises:
        NsmlError: no such entry file, a bad `.nsmlignore`.
        RunFailed: the copy cannot be made.
    """
    check_entry(source, entry)
    user = home.user()
    session = create_session(
        home,
        user,
        dataset.name,
        {"kind": "run", "entry": entry, "arguments": arguments, "python": sys.executable, "source": str(source)},
    )
    try:
        taken = take_snapshot(source, session.code)
        check_entry(session.code, entry)
        copy_code(session.code, session.work)
        if memo:
            session.write_memo(memo)
        write_launch(session.folder / "launch.json", home, session, dataset.training)
        with open(session.folder / "supervisor.log", "ab") as trouble:
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "nsml.engine.supervisor",
                    str(session.folder),
                    dataset.name,
                    str(dataset.training),
                ],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=trouble,
                stderr=trouble,
                start_new_session=True,
            )
    except Exception as error:
        session.write_state("Failed", error=str(error))
        if isinstance(error, OSError):
            raise RunFailed(f"session {session.name} cannot be started: {error.strerror or error}") from error
        raise
    return session, taken
