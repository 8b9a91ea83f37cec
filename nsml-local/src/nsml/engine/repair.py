"""Move damaged files to `damaged/` in the home, with a note, and remove temporary files of ended processes. Nothing else is deleted."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import Damaged, NsmlError, RunFailed
from ..store import launches, log_cut, metrics
from ..store.checkpoints import discard_superseded, read_checkpoint
from ..store.damage import strange_files
from ..store.datasets import MARK, Dataset, list_datasets
from ..store.files import claim_numbered_folder, read_json, read_regular, remove_tree, visible, write_bytes, write_text
from ..store.home import Home, write_marker
from ..store.leftovers import leftovers
from ..store.sessions import ENDED, HEARTBEAT, Session, list_sessions
from ..store.submissions import FAILED, SCORED, close_submission, damaged_records, killed_submissions, record_failure
from .control_group import kill_group, left_groups, members
from .family import end_strays, is_supervised

# What a submit removes at its end.
_WORKED_WITH = ("work", "written")


def repair(home: Home) -> Iterator[str]:
    """Repair a home; yield a line for each change. Files of running sessions are not changed.

    NsmlError if a session runs on another host.
    """
    for session in list_sessions(home, but_for_ended=True):
        if _is_written_again(session):
            yield f"{session.folder / 'state.json'}: was damaged; the supervisor of the session, which runs, has written it again"
        # Files that another host is writing look here like those of a dead writer.
        with contextlib.suppress(Damaged):
            if host := session.state().get("on"):
                raise NsmlError(f"session {session.name} runs on {host}, which shares this home; do it there")
    for path in leftovers(home):
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink(missing_ok=True)
        if os.path.lexists(path):
            raise RunFailed(f"{path} cannot be removed; change its permissions, or remove it by hand")
        yield f"{path}: removed, its process has ended"
    for name in ("home.json", "user.json"):
        try:
            read_json(home.path / name)
        except FileNotFoundError:
            continue
        except Damaged as error:
            yield _put_aside(home, home.path / name, str(error))
    if not home.marker.exists():
        write_marker(home)
    for dataset in list_datasets(home):
        try:
            dataset.record()
        except Damaged as error:
            yield _put_dataset_aside(home, dataset, str(error))
    for session in list_sessions(home):
        yield from _session(home, session)
    for folder in killed_submissions(home):
        yield _close_killed(folder)
    for group in left_groups(home):
        count = len(members(group))
        kill_group(group)
        if count:
            yield f"{group}: {count} processes of a killed submit or a lost session ended"
    for entry in visible(home.submissions):
        for path, why in damaged_records(home, entry.name):
            yield _put_aside(home, path, why)


def _is_written_again(session: Session) -> bool:
    """Whether the state of a running session was damaged, and its supervisor has replaced it, as it does with every heartbeat."""
    until = time.monotonic() + 2 * HEARTBEAT
    was_damaged = False
    while True:
        try:
            session.state()
            return was_damaged
        except Damaged:
            was_damaged = True
            if time.monotonic() > until or not (session.beats() or is_supervised(session)):
                return False
        except NsmlError:
            return False  # just removed
        time.sleep(0.1)


def _session(home: Home, session: Session) -> Iterator[str]:
    try:
        session.record()
    except Damaged as error:
        if not is_supervised(session) and (end_strays(home, session) or not _runs(session)):
            yield _put_aside(home, session.folder, str(error))
        return
    except NsmlError:
        return  # just removed
    with contextlib.suppress(FileNotFoundError):
        try:
            session.state()
        except Damaged as error:
            if is_supervised(session):
                yield f"nothing of session {session.name}: {error}, but its supervisor lives, and writes it again when the session starts"
                return
            yield _put_aside(home, session.folder / "state.json", str(error))
    for path, why in strange_files(session):
        yield _put_aside(home, path, why)
    if session.status() == "Lost" and is_supervised(session):
        return  # its state.json was moved away
    if count := end_strays(home, session):
        yield f"session {session.name} was lost: {count} of its processes ended"
    if session.status() not in ENDED:
        return
    try:
        log_cut.checked_cut(session.log)
    except Damaged as error:
        yield _put_aside(home, session.log.with_name(log_cut.FILE), str(error))
    for entry in visible(session.checkpoints):
        try:
            read_checkpoint(Path(entry.path)).verify()
        except Damaged as error:
            yield _put_aside(home, Path(entry.path), str(error))
    for path in discard_superseded(session.checkpoints):
        yield f"{path}: removed, the checkpoint has been saved again"
    if why := metrics.read_metrics(session.folder)[1]:
        yield _put_metrics_aside(home, session, why)


def _runs(session: Session) -> bool:
    with contextlib.suppress(NsmlError, OSError):
        return session.status() not in ENDED
    return False


def _put_metrics_aside(home: Home, session: Session, why: str) -> str:
    """Move the file aside, and write its readable lines to a new one."""
    path = session.folder / metrics.FILE
    whole = b""
    with contextlib.suppress(OSError):  # of no regular file there are no lines
        whole = b"".join(line + b"\n" for line in metrics.whole_lines(read_regular(path, below=session.folder.parent)))
    line = _put_aside(home, path, why)
    if whole:
        write_bytes(path, whole)
    return f"{line}; its readable lines stay" if whole else line


def _close_killed(folder: Path) -> str:
    """Store the failure of a submission that was killed, and remove what its program worked with."""
    with contextlib.suppress(FileNotFoundError, Damaged):
        launch = {name: str(value) for name, value in read_json(folder / launches.FILE).items()}
        session = "/".join(launch.get(name, "") for name in ("user", "dataset", "number"))
        if not any((folder / name).exists() for name in (SCORED, FAILED)):
            error = "the submit was killed; submit again"
            record_failure(
                folder,
                user=launch.get("started_by", ""),
                session=session,
                checkpoint=launch.get("checkpoint", ""),
                error=error,
            )
    for name in _WORKED_WITH:
        remove_tree(folder / name)
    close_submission(folder)
    return f"submission {folder.parent.name}/{folder.name}: was killed, its working files are removed"


def _put_dataset_aside(home: Home, dataset: Dataset, why: str) -> str:
    """With its mark, if it has one, beside it: a folder that a program has written may hold a file of that name, but lies no higher."""
    mark = dataset.folder / MARK
    if not mark.exists():
        return _put_aside(home, dataset.folder, why)
    line = _put_aside(home, dataset.folder, why, lambda folder: write_bytes(folder / MARK, read_regular(mark)))
    return f"{line}; it was pushed with --isolate, so programs stay isolated until you remove that folder"


def _put_aside(home: Home, path: Path, why: str, fill: Callable[[Path], None] | None = None) -> str:
    folder = claim_numbered_folder(home.damaged, fill)
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    write_text(folder / "note.txt", f"{path}\nput aside on {when} by 'nsml doctor --repair', because\n{why}\n")
    os.rename(path, folder / path.name)
    return f"{path}: put aside in {folder}"
