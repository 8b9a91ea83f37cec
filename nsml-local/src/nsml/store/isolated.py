"""Whether the programs of a home are isolated: a mark stands in the folder of each dataset pushed with --isolate.

datasets/NAME/.isolated     its source. It is written before the first label is copied, and apart from the record, so that the labels stay
                            out of reach while a push copies, after it was killed, and where the record is damaged
damaged/NUMBER/.isolated    the same of a dataset that `nsml doctor --repair` has put aside
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import Damaged, RunFailed
from .datasets import MARK, list_datasets
from .files import TEMPORARY, read_json, write_json
from .home import Home
from .sessions import list_sessions
from .submissions import is_running, runs_elsewhere


def isolated_folders(home: Home) -> list[Path]:
    """The folders with labels of datasets pushed with --isolate. If there is one, all programs of the home are isolated."""
    folders = [mark.parent for top in (home.datasets, home.damaged) for mark in top.glob(f"*/{MARK}")]
    for dataset in list_datasets(home):
        with contextlib.suppress(Damaged):
            if dataset.folder not in folders and dataset.isolated():
                folders.append(dataset.folder)
                # Older versions wrote no mark, without which the isolation would end with the record. Not each home can be written.
                with contextlib.suppress(OSError, ValueError):
                    write_json(dataset.folder / MARK, {"source": str(dataset.record().get("source"))})
    return folders


def organisers_folders(home: Home) -> list[Path]:
    """The folders from which datasets were pushed, as records and marks name them."""
    named = [dataset.folder / "dataset.json" for dataset in list_datasets(home)]
    named += [folder / MARK for folder in isolated_folders(home)]
    folders = []
    for path in named:
        with contextlib.suppress(FileNotFoundError, Damaged):
            folders.append(Path(str(read_json(path).get("source"))))
    return [folder for folder in folders if folder.is_absolute()]


def isolate_from_now(home: Home, folder: Path, source: Path) -> None:
    """Mark the folder of a push from `source`, so that no program that starts from now on sees the labels in either.

    Raises:
        RunFailed: a program runs, which started before.
    """
    # In this order: what starts a program first says that it does, and then looks for marks.
    write_json(folder / MARK, {"source": str(source)})
    for what, end in _running(home):
        raise RunFailed(f"--isolate: {what} is running without isolation from {source}; wait for its end{end}")


def _running(home: Home) -> Iterator[tuple[str, str]]:
    """The sessions, submissions and reports whose programs run, and how to end them."""
    for session in list_sessions(home, but_for_ended=True):
        with contextlib.suppress(Damaged):
            if session.status() in ("Starting", "Running"):
                yield f"session {session.name}", f", or stop it with 'nsml stop {session.name}'"
    named = [(folder, f"submission {folder.parent.name}/{folder.name}") for folder in home.submissions.glob("*/*")]
    for folder in home.sessions.glob(f"*/*/*/reports/{TEMPORARY}*"):
        named.append((folder, f"a report on session {'/'.join(folder.parts[-5:-2])}"))
    for folder, what in named:
        if is_running(home, folder):
            host = runs_elsewhere(folder)
            yield what, f", or, if {host} is a host or a container that has ended, remove {folder}" if host else ""
