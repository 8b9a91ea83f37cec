"""What `nsml prune` removes: checkpoints that nothing needs, and the working folders of ended sessions."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Damaged, NsmlError
from ..store.checkpoints import Checkpoint, checkpoint_names, list_checkpoints, remove_checkpoint
from ..store.datasets import list_datasets
from ..store.files import discard, read_json, read_regular, size_of, visible
from ..store.home import Home
from ..store.launches import FILE
from ..store.processes import other_host
from ..store.sessions import ENDED, QUEUED, Session, list_sessions
from ..store.submissions import is_running, submissions_of
from .family import still_runs
from .halving import goes_on, is_dropped

# Names of --keep that are no names of checkpoints.
LAST, WORK = "last", "work"
_LONGEST_PROGRAM = 1 << 20  # bytes
_NAMED = re.compile(r"[\w.-]+(?:/[\w.-]+)?/[1-9]\d{0,8}(?!\w)(?::([^\s'\",]+))?")
# Stands for all checkpoints of a session.
_ALL = ""


@dataclass
class Prunable:
    """What can be removed of a session. `kept` are the checkpoints that stay; `why` says which stay although --keep does not name them."""

    session: Session
    remove: list[Checkpoint] = field(default_factory=list)
    kept: list[Checkpoint] = field(default_factory=list)
    work: int = 0  # bytes of the working folder, 0 where it stays
    why: str = ""

    @property
    def size(self) -> int:
        """Bytes that are freed."""
        return self.work + sum(checkpoint.size for checkpoint in self.remove)


def plan_pruning(home: Home, sessions: Sequence[Session], keep: Collection[str]) -> list[Prunable]:
    """What can be removed of each session; nothing of those that have not ended.

    Besides the checkpoints that `keep` names (`last` is the newest) those stay that were submitted, that a session starts from which has
    not ended or has no checkpoint of its own, and that the arguments or the code of a session name. Of a session without any of `keep`,
    the newest stays.
    """
    needed = _needed(home)
    plans = []
    for session in sessions:
        plan = Prunable(session)
        plans.append(plan)
        try:
            plan.why = _why_untouched(home, session)
            if plan.why:
                continue
            own = needed.get(str(session.name), {})
            plan.why = own.get(_ALL, "")
            if plan.why:
                plan.kept = [c for c in list_checkpoints(session.checkpoints) if isinstance(c, Checkpoint)]
            else:
                _divide(plan, keep, own)
            if WORK not in keep and session.work.is_dir() and not session.work.is_symlink():
                plan.work = size_of(session.work)
        except (NsmlError, OSError) as error:
            plan.why, plan.remove = str(error), []
    return plans


def carry_out(plan: Prunable) -> None:
    """Remove what the plan says. Damaged, with all checkpoints left, if one that is to stay is not whole."""
    if plan.remove:
        for checkpoint in plan.kept:
            checkpoint.verify()
        for checkpoint in plan.remove:
            remove_checkpoint(checkpoint)
    if plan.work:
        discard(plan.session.work)


def check_not_awaited(home: Home, session: Session, checkpoints: Collection[str] = ()) -> None:
    """NsmlError where a session is about to load one of these checkpoints of `session`; of all, if none is named.

    Another one starts from it, and has none of its own; or `session` itself is resumed from it, and its program does not run yet.
    """
    for other in list_sessions(home, dataset=session.name.dataset, but_for_ended=True):
        for source, name in _sources(other):
            if source != str(session.name) or (checkpoints and name not in checkpoints):
                continue
            with contextlib.suppress(Damaged):
                status = other.status()
                if other.name == session.name:
                    awaits = bool(checkpoints) and status in (QUEUED, "Starting")
                else:
                    awaits = status not in ENDED and not checkpoint_names(other.checkpoints)
                if awaits:
                    what = f"checkpoint {name} of session {session.name}" if checkpoints else f"session {session.name}"
                    raise NsmlError(
                        f"{what} is not removed: {other.name}, which is {status}, starts from it; "
                        f"stop that first with 'nsml stop {other.name}'"
                    )


def _divide(plan: Prunable, keep: Collection[str], needed: dict[str, str]) -> None:
    checkpoints = [c for c in list_checkpoints(plan.session.checkpoints) if isinstance(c, Checkpoint)]
    wanted = [c for c in checkpoints if c.name in keep or (LAST in keep and c is checkpoints[-1])]
    wanted = wanted or checkpoints[-1:]
    plan.remove = [c for c in checkpoints if c not in wanted and c.name not in needed]
    plan.kept = [c for c in checkpoints if c not in plan.remove]
    also = [f"{c.name} {needed[c.name]}" for c in plan.kept if c not in wanted]
    plan.why = f"stays: {', '.join(also)}" if also else ""


def _why_untouched(home: Home, session: Session) -> str:
    """Why nothing of a session is removed; "" if something may be."""
    state = session.state()
    if state["status"] not in ENDED:
        return f"it is {state['status']}"
    if state["status"] == "Lost" and (host := other_host(state.get("process"))):
        return f"it may still run on {host}"
    if goes_on(session) and not is_dropped(session):
        return "its sweep is being halved"
    if state["status"] == "Lost" and still_runs(home, session):
        return f"its processes still run; 'nsml stop {session.name}' ends them"
    return ""


def _needed(home: Home) -> dict[str, dict[str, str]]:
    """Of each session the names of its checkpoints that are needed, and what for."""
    sessions = list_sessions(home)
    names = {str(session.name) for session in sessions}
    needed: dict[str, dict[str, str]] = {name: {} for name in names}

    def note(session: str, checkpoint: str | None, why: str) -> None:
        if session in needed:
            needed[session].setdefault(checkpoint or _ALL, why)

    for dataset in (entry.name for entry in visible(home.submissions)):
        of_dataset = [str(session.name) for session in sessions if session.name.dataset == dataset]
        records, damaged = submissions_of(home, dataset)
        for record in records:
            note(record["session"], record["checkpoint"], "is submitted")
        why = "a submission cannot be read; see 'nsml doctor'" if damaged else "a checkpoint is being submitted"
        if damaged or any(is_running(home, Path(entry.path)) for entry in visible(home.submissions / dataset)):
            for name in of_dataset:
                note(name, None, why)
    renamed: dict[str, str] = {}
    for registered in list_datasets(home):
        with contextlib.suppress(Damaged):
            renamed |= {str(old): registered.name for old in registered.record().get("was", [])}
    for session in sessions:
        for named, checkpoint in _sources(session):
            note(named, checkpoint, f"is the start of {session.name}")
        for named, mentioned in _mentioned(session, names, renamed):
            note(named, mentioned, f"is named by {session.name}")
    return needed


def _sources(session: Session) -> Iterator[tuple[str, str]]:
    """Session and checkpoint that a session starts from, where it has not ended or has no checkpoint of its own."""
    with contextlib.suppress(NsmlError, OSError):
        launch = read_json(session.folder / FILE, session.folder.parent)
        source, checkpoint = launch.get("source"), launch.get("checkpoint")
        if source and checkpoint:
            with contextlib.suppress(Damaged):
                if session.status() in ENDED and checkpoint_names(session.checkpoints):
                    return
            yield str(source), str(checkpoint)


def _mentioned(
    session: Session, names: Collection[str], renamed: Mapping[str, str]
) -> Iterator[tuple[str, str | None]]:
    """Sessions, and checkpoints after a colon, in the arguments of a session and in its code, as of nsml.load(session=...).

    A dataset of `renamed` has a new name, under which `nsml.load` finds its sessions by the old one too.
    """
    with contextlib.suppress(NsmlError):
        texts = [" ".join(map(str, session.record()["arguments"]))]
        for path in session.code.glob("*.py"):
            with contextlib.suppress(OSError):
                texts.append(read_regular(path, _LONGEST_PROGRAM, session.folder).decode(errors="replace"))
        for match in _NAMED.finditer("\n".join(texts)):
            *user, dataset, number = match[0].partition(":")[0].split("/")
            for owner in user or [session.name.user]:
                for name in (dataset, renamed.get(dataset, dataset)):
                    if (full := f"{owner}/{name}/{number}") in names and full != str(session.name):
                        yield full, match[1]
