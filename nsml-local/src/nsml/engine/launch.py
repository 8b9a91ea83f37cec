"""Start a session in the background: a new one, a fork, or a resumed one."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import NsmlError, RunFailed
from ..store.checkpoints import whole_checkpoint
from ..store.datasets import Dataset, find_dataset
from ..store.files import read_json, remove_tree, write_json
from ..store.home import Home
from ..store.launches import FILE, NOTIFY, write_launch
from ..store.sessions import ENDED, NO_DATASET, Session, create_session, remove_session
from .engines import engine_of
from .entry import check_entry, paused_arguments
from .environment import LAYER
from .family import end_strays
from .halving import paused_at
from .isolation import check_isolation
from .origin import origin_of
from .queue import SLURM, Request, engine_options
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
    request: Request | None = None,
    env: str = LAYER,
    sweep: dict[str, Any] | None = None,
    receiver: Mapping[str, Any] | None = None,
    tags: Sequence[str] = (),
    until: int | None = None,
) -> tuple[Session, Snapshot]:
    """Copy `source`, and leave a supervisor behind that runs `entry` on the copy.

    It sees all `datasets`, and is named after and scored on the first; there may be none. `env` is LAYER, to install what the
    project needs besides, or CURRENT. The session is Queued where the machine has no room for it. `receiver` gets a message at its end,
    see `check_receiver`. `until` is the step at which the program is paused, see `halving`.

    Raises:
        NsmlError: no such entry file, one that does not travel, a bad `.nsmlignore`, no room where the request does not wait.
        RunFailed: the copy cannot be made.
    """
    entry = check_entry(source, entry)
    snapshot = list_snapshot(source)
    if entry not in snapshot.files:
        why = snapshot.why_not(entry)
        fix = "remove it from that file" if IGNORE_FILE in why else "name another entry file with -e FILE"
        raise NsmlError(f"{entry} is not copied to the session: {why}; {fix}")
    check_isolation(home)
    as_it_is = env != LAYER or not missing_packages(read_needs(source))
    record: dict[str, Any] = {
        "kind": "run",
        "entry": entry,
        "arguments": arguments,
        "python": sys.executable,
        "source": str(source),
        "env": env,
        **origin_of(source, datasets),
    }
    if sweep is not None:
        record["sweep"] = sweep
    if len(datasets) > 1:
        record["other_datasets"] = [dataset.name for dataset in datasets[1:]]
    session = create_session(home, home.user(), datasets[0].name if datasets else NO_DATASET, record)

    def prepare() -> None:
        take_snapshot(source, session.code, snapshot=snapshot)
        copy_code(session.code, session.work)
        if memo:
            session.write_memo(memo)
        if tags:
            session.change_tags(tags)
        if receiver is not None:
            write_json(session.folder / NOTIFY, receiver)
        write_launch(
            session.folder,
            home,
            session,
            [dataset.shown("training") for dataset in datasets],
            entry=entry,
            arguments=arguments,
            limits=limits.to_dict(),
            queue=(request or Request.here()).to_dict(),
            python=sys.executable if as_it_is else None,
            until=until,
        )

    _start(session, prepare)
    if request is not None and not request.waits:
        _refuse_what_waits(session)
    return session, snapshot


def datasets_of(home: Home, session: Session) -> list[Dataset]:
    """The datasets of a session. NsmlError if one is missing."""
    datasets = [find_dataset(home, name) for name in session.datasets()]
    check_isolation(home)
    return datasets


def fork_session(
    home: Home,
    parent: Session,
    checkpoint: str | None,
    *,
    arguments: list[str] | None = None,
    limits: Limits = _NO_LIMITS,
    request: Request | None = None,
) -> Session:
    """Start a session with the code of `parent` from one of its checkpoints (default: the newest).

    Raises:
        NsmlError: no such checkpoint, a session without code.
    """
    record = parent.record_with_code()
    stored = whole_checkpoint(parent.checkpoints, checkpoint, str(parent.name))
    datasets = datasets_of(home, parent)
    own = list(record["arguments"]) if arguments is None else arguments
    session = create_session(
        home,
        home.user(),
        parent.name.dataset,
        {**record, "kind": "run", "arguments": own, "of": str(parent.name), "sweep": None, "created_at": time.time()},
    )

    def prepare() -> None:
        copy_code(parent.code, session.code)
        copy_code(parent.code, session.work)
        session.write_memo(f"fork of {parent.name}, checkpoint {stored.name}")
        _write_continuing(home, session, datasets, record["entry"], own, parent, stored.name, limits, request)

    _start(session, prepare)
    if request is not None and not request.waits:
        _refuse_what_waits(session)
    return session


def resume_session(home: Home, session: Session, limits: Limits = _NO_LIMITS, request: Request | None = None) -> str:
    """Restart an ended session from its newest checkpoint; log and metrics continue. Return the checkpoint's name.

    Raises:
        NsmlError: it has not ended, has no checkpoint, or has no copy of its code.
    """
    record = session.record_with_code()
    with _held_once_ended(home, session):
        stored = whole_checkpoint(session.checkpoints, None, str(session.name))
        datasets = datasets_of(home, session)

        def prepare() -> None:
            if not session.work.is_dir():
                copy_code(session.code, session.work)
            arguments = list(record["arguments"])
            _write_continuing(
                home, session, datasets, record["entry"], arguments, session, stored.name, limits, request
            )

        _start(session, prepare)
    return stored.name


def restart_session(home: Home, session: Session, limits: Limits = _NO_LIMITS, request: Request | None = None) -> None:
    """Start an ended session that has no checkpoint again, from its code as it was. NsmlError if it has not ended or has no code."""
    record = session.record_with_code()
    with _held_once_ended(home, session):
        datasets = datasets_of(home, session)

        def prepare() -> None:
            remove_tree(session.work)
            copy_code(session.code, session.work)
            write_launch(
                session.folder,
                home,
                session,
                [dataset.shown("training") for dataset in datasets],
                entry=record["entry"],
                arguments=list(record["arguments"]),
                limits=limits.to_dict(),
                queue=(request or Request.again(session)).to_dict(),
                until=paused_at(session),
            )

        _start(session, prepare)


@contextlib.contextmanager
def _held_once_ended(home: Home, session: Session) -> Iterator[None]:
    """Hold an ended session, so that of several commands one starts it again. NsmlError if it has not ended, or no longer."""
    with session.held():
        session.check_here()
        if (status := session.status()) not in ENDED:
            raise NsmlError(f"session {session.name} has not ended ({status}); 'nsml stop {session.name}' ends it")
        # Remaining processes of a lost session would go on training and write to the same log.
        end_strays(home, session)
        yield


def go_on(session: Session) -> str:
    """Write the launch of a session that Slurm starts again: from its newest checkpoint, else from the beginning.

    It is called by its supervisor. Returns where it starts, in words.
    """
    launch, record = read_json(session.folder / FILE), session.record_with_code()
    try:
        stored = whole_checkpoint(session.checkpoints, None, str(session.name))
    except NsmlError:
        remove_tree(session.work)
        copy_code(session.code, session.work)
        return "the beginning"
    arguments = paused_arguments(session.code, record["entry"], record["arguments"], stored.name)
    write_json(
        session.folder / FILE,
        {**launch, "arguments": arguments, "source": str(session.name), "checkpoint": stored.name},
    )
    return f"checkpoint {stored.name}"


def infer_session(home: Home, parent: Session, checkpoint: str, limits: Limits = _NO_LIMITS) -> Session:
    """Start a session with the code of `parent` that loads a checkpoint and answers inputs until it is stopped."""
    record = parent.record_with_code()
    stored = whole_checkpoint(parent.checkpoints, checkpoint, str(parent.name))
    datasets = datasets_of(home, parent)
    own = list(record["arguments"])
    session = create_session(
        home,
        home.user(),
        parent.name.dataset,
        {**record, "kind": "infer", "of": str(parent.name), "sweep": None, "created_at": time.time()},
    )

    def prepare() -> None:
        copy_code(parent.code, session.code)
        copy_code(parent.code, session.work)
        session.write_memo(f"answers with {parent.name}, checkpoint {stored.name}")
        write_launch(
            session.folder,
            home,
            session,
            [dataset.shown("submission") for dataset in datasets],
            entry=record["entry"],
            arguments=paused_arguments(parent.code, record["entry"], own, stored.name, mode="infer"),
            mode="infer",
            source=str(parent.name),
            checkpoint=stored.name,
            limits=limits.to_dict(),
            queue=Request(gpus=0, counts=False).to_dict(),
        )

    _start(session, prepare)
    return session


def _write_continuing(
    home: Home,
    session: Session,
    datasets: Sequence[Dataset],
    entry: str,
    arguments: list[str],
    source: Session,
    checkpoint: str,
    limits: Limits,
    request: Request | None,
) -> None:
    """Write a launch with which `nsml.paused` loads a checkpoint and returns. Without a request the engine is that of `source`."""
    write_launch(
        session.folder,
        home,
        session,
        [dataset.shown("training") for dataset in datasets],
        entry=entry,
        arguments=paused_arguments(session.code, entry, arguments, checkpoint),
        source=str(source.name),
        checkpoint=checkpoint,
        limits=limits.to_dict(),
        queue=(request or Request.again(source)).to_dict(),
        until=paused_at(session),
    )


def _start(session: Session, prepare: Callable[[], None]) -> None:
    """Prepare the session's folder and have its engine start it. Where that fails, one that is resumed stays as it was.

    Of a new one nothing is left if Slurm did not take it; on this machine it has failed, and its folder may say why.
    """
    before = session.state() if (session.folder / "state.json").exists() else None
    try:
        prepare()
        session.forget_state()
        engine_of(session).start(session)
    except BaseException as error:
        by_slurm = engine_options(session).get("engine") == SLURM
        if not (by_slurm or isinstance(error, Exception)):
            raise  # Ctrl-C, and its supervisor may run already
        session.write_state(**before or {"status": "Failed", "error": str(error)})
        if before is None and by_slurm:
            remove_session(session)
        if isinstance(error, OSError):
            raise RunFailed(f"session {session.name} cannot be started: {error.strerror or error}") from error
        raise


def _refuse_what_waits(session: Session) -> None:
    """Remove a session that its supervisor has not started, since it would have had to wait."""
    state = session.state()
    if state["status"] == "Stopped" and state.get("cause") == "queue":
        remove_session(session)
        raise NsmlError(f"{state['reason']}; 'nsml ps' shows what runs")
