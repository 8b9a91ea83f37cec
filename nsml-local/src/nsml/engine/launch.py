"""Starting a session in the background: anew, from a checkpoint of another, or again."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import NsmlError, RunFailed
from ..store.checkpoints import whole_checkpoint
from ..store.datasets import Dataset, find_dataset
from ..store.home import Home
from ..store.launches import write_launch
from ..store.sessions import ENDED, NO_DATASET, Session, create_session
from .background import leave_supervisor
from .entry import check_entry, paused_arguments
from .environment import LAYER
from .family import end_strays
from .isolation import check_isolation
from .requirements import missing_packages, read_needs
from .resources import Limits
from .snapshot import IGNORE_FILE, Snapshot, copy_code, list_snapshot, take_snapshot

_NO_LIMITS = Limits()


def start_session(
    home: Home,
    datasets: Sequence[Dataset],
    source: Path,
    *,
    entry: str,
    arguments: list[str],
    memo: str = "",
    limits: Limits = _NO_LIMITS,
    env: str = LAYER,
) -> tuple[Session, Snapshot]:
    """Copy `source`, and leave a supervisor behind that runs `entry` on the copy.

    It sees all `datasets`, and is named after and scored on the first; there may be none. `env` is LAYER, to install what the
    project needs besides, or CURRENT.

    Raises:
        NsmlError: no such entry file, one that does not travel, a bad `.nsmlignore`.
        RunFailed: the copy cannot be made.
    """
    entry = check_entry(source, entry)
    taken = list_snapshot(source)
    if entry not in taken.files:
        why = taken.why_not(entry)
        mend = "take it out of that file" if IGNORE_FILE in why else "name another entry file with -e FILE"
        raise NsmlError(f"there is no {entry} in what travels to the session: {why}; {mend}")
    check_isolation(home)
    as_it_is = env != LAYER or not missing_packages(read_needs(source))
    record = {
        "kind": "run",
        "entry": entry,
        "arguments": arguments,
        "python": sys.executable,
        "source": str(source),
        "env": env,
    }
    if len(datasets) > 1:
        record["other_datasets"] = [dataset.name for dataset in datasets[1:]]
    session = create_session(home, home.user(), datasets[0].name if datasets else NO_DATASET, record)

    def prepare() -> None:
        take_snapshot(source, session.code, taken=taken)
        copy_code(session.code, session.work)
        if memo:
            session.write_memo(memo)
        write_launch(
            session.folder,
            home,
            session,
            [dataset.shown("training") for dataset in datasets],
            entry=entry,
            arguments=arguments,
            limits=limits.to_dict(),
            python=sys.executable if as_it_is else None,
        )

    _start(session, prepare)
    return session, taken


def datasets_of(home: Home, session: Session) -> list[Dataset]:
    """The datasets that a session trains on; NsmlError where one is gone."""
    found = [find_dataset(home, name) for name in session.datasets()]
    check_isolation(home)
    return found


def fork_session(
    home: Home,
    parent: Session,
    checkpoint: str | None,
    *,
    arguments: list[str] | None = None,
    limits: Limits = _NO_LIMITS,
) -> Session:
    """A new session with the code of `parent` that goes on from one of its checkpoints (the newest where none is named).

    Raises:
        NsmlError: no such checkpoint, a session without code.
    """
    record = parent.record_with_code()
    kept = whole_checkpoint(parent.checkpoints, checkpoint, str(parent.name))
    datasets = datasets_of(home, parent)
    own = list(record["arguments"]) if arguments is None else arguments
    session = create_session(
        home,
        home.user(),
        parent.name.dataset,
        {**record, "kind": "run", "arguments": own, "of": str(parent.name), "created_at": time.time()},
    )

    def prepare() -> None:
        copy_code(parent.code, session.code)
        copy_code(parent.code, session.work)
        session.write_memo(f"fork of {parent.name}, checkpoint {kept.name}")
        _write_going_on(home, session, datasets, record["entry"], own, parent, kept.name, limits)

    _start(session, prepare)
    return session


def resume_session(home: Home, session: Session, limits: Limits = _NO_LIMITS) -> str:
    """Start an ended session again from its newest checkpoint, whose name is returned; its log and metrics are continued.

    Raises:
        NsmlError: it has not ended, has no checkpoint, or its code was not kept.
    """
    record = session.record_with_code()
    session.check_here()
    if (status := session.status()) not in ENDED:
        raise NsmlError(f"session {session.name} has not ended ({status}); 'nsml stop {session.name}' ends it")
    # What its supervisor left behind would train on beside it, and write into the same log.
    end_strays(home, session)
    kept = whole_checkpoint(session.checkpoints, None, str(session.name))
    datasets = datasets_of(home, session)

    def prepare() -> None:
        if not session.work.is_dir():
            copy_code(session.code, session.work)
        arguments = list(record["arguments"])
        _write_going_on(home, session, datasets, record["entry"], arguments, session, kept.name, limits)

    _start(session, prepare)
    return kept.name


def infer_session(home: Home, parent: Session, checkpoint: str, limits: Limits = _NO_LIMITS) -> Session:
    """A new session with the code of `parent` that loads one of its checkpoints and answers inputs until it is stopped."""
    record = parent.record_with_code()
    kept = whole_checkpoint(parent.checkpoints, checkpoint, str(parent.name))
    datasets = datasets_of(home, parent)
    own = list(record["arguments"])
    session = create_session(
        home,
        home.user(),
        parent.name.dataset,
        {**record, "kind": "infer", "of": str(parent.name), "created_at": time.time()},
    )

    def prepare() -> None:
        copy_code(parent.code, session.code)
        copy_code(parent.code, session.work)
        session.write_memo(f"answers with {parent.name}, checkpoint {kept.name}")
        write_launch(
            session.folder,
            home,
            session,
            [dataset.shown("submission") for dataset in datasets],
            entry=record["entry"],
            arguments=[*own, *paused_arguments(parent.code, record["entry"], kept.name, mode="infer")],
            mode="infer",
            source=str(parent.name),
            checkpoint=kept.name,
            limits=limits.to_dict(),
        )

    _start(session, prepare)
    return session


def _write_going_on(
    home: Home,
    session: Session,
    datasets: Sequence[Dataset],
    entry: str,
    arguments: list[str],
    source: Session,
    checkpoint: str,
    limits: Limits,
) -> None:
    """A launch that `nsml.paused` takes as the order to load a checkpoint and return."""
    write_launch(
        session.folder,
        home,
        session,
        [dataset.shown("training") for dataset in datasets],
        entry=entry,
        arguments=[*arguments, *paused_arguments(session.code, entry, checkpoint)],
        source=str(source.name),
        checkpoint=checkpoint,
        limits=limits.to_dict(),
    )


def _start(session: Session, prepare: Callable[[], None]) -> None:
    """Prepare the session's folder and leave the supervisor behind; a session that cannot be started has failed."""
    try:
        prepare()
        session.forget_state()
        leave_supervisor(session.folder)
    except Exception as error:
        session.write_state("Failed", error=str(error))
        if isinstance(error, OSError):
            raise RunFailed(f"session {session.name} cannot be started: {error.strerror or error}") from error
        raise
