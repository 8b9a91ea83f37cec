"""The queue of one machine: which session starts next.

There is no daemon. A waiting session is a supervisor that sleeps. Whoever changes something (a session that comes, ends or is stopped)
takes the lock, plans, and wakes the supervisors whose turn it is; each takes the lock itself, plans again and claims its place. A killed
process tells nobody, so one of the waiting supervisors watches the running ones.

    sessions/.queue/HOST/lock          locked while somebody plans or claims
    sessions/.queue/HOST/watch         locked by the waiting supervisor that watches; the others sleep until they get it
    sessions/.queue/HOST/waiting.json  the last plan, for those who list sessions; there while a session waits
    sessions/.queue/HOST/limit.json    how many sessions run side by side, where `nsml status --side-by-side` has set it
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from types import FrameType
from typing import Any

from ..errors import Damaged, NsmlError
from ..store.files import locked, make_private, read_json, write_json
from ..store.home import Home
from ..store.jobs import submitted
from ..store.launches import FILE, VARIABLE
from ..store.names import parse_session_name
from ..store.processes import is_alive, other_host
from ..store.sessions import ENDED, QUEUED, Session, find_session, list_sessions
from .background import leave_supervisor
from .resources import Limits, Machine, this_machine
from .turns import Holder, Place, Waiter, plan

# Names of engines, see engines.py.
LOCAL, SLURM = "local", "slurm"
_WATCH = 2.0  # seconds between two looks at the processes of running sessions
_LONGEST = 30.0  # seconds until a supervisor that does not react is woken again
_SELDOM = 60.0  # seconds until the one that watches plans anyway, should a planner have died on the way


@dataclass(frozen=True)
class Request:
    """What a session asks of the queue besides its limits; part of its launch.json.

    Attributes:
        gpus: how many; None is one, where the machine has any.
        priority: among the sessions of its user, higher first.
        after, after_any: names of sessions that must have ended before, those of `after` with exit status 0.
        waits: whether it waits where it does not fit.
        counts: whether it holds processors without -c; `nsml infer`, and what a session starts itself, does not.
        since: seconds since the epoch.
        engine: LOCAL or SLURM.
        options: further options of sbatch, for Slurm.
        requeue: whether Slurm may start it again, from its newest checkpoint, where a node fails or another job takes its place.
    """

    gpus: int | None = None
    priority: int = 0
    after: tuple[str, ...] = ()
    after_any: tuple[str, ...] = ()
    waits: bool = True
    counts: bool = True
    since: float = field(default_factory=time.time)
    engine: str = LOCAL
    options: str = ""
    requeue: bool = False

    @classmethod
    def here(cls, gpus: int | None = None, **more: Any) -> Request:
        """That of this process. What a session starts has its place, and who sets CUDA_VISIBLE_DEVICES has chosen GPUs already."""
        is_within = VARIABLE in os.environ
        if gpus is None and more.get("engine") != SLURM and (is_within or "CUDA_VISIBLE_DEVICES" in os.environ):
            gpus = 0
        return cls(gpus, counts=not is_within, **more)

    @classmethod
    def again(cls, session: Session) -> Request:
        """That of a session which goes on as `session` was started, by the same engine."""
        return cls.here(**engine_options(session))

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def engine_options(session: Session) -> dict[str, Any]:
    """`engine`, `options` and `requeue` of the session's request."""
    request: dict[str, Any] = {}
    with contextlib.suppress(OSError, NsmlError):
        request = read_json(session.folder / FILE).get("queue") or {}
    return {name: request[name] for name in ("engine", "options", "requeue") if name in request}


class NeverStarts(NsmlError):
    """The session has no place in the queue, and never will."""


class Refused(NeverStarts):
    """It would have to wait, and does not."""


def places(home: Home) -> dict[str, tuple[int, str]]:
    """Place (from 1) and reason of each waiting session, by name, as of the last plan."""
    try:
        waiting = read_json(home.queue / "waiting.json")["waiting"]
        return {str(name): (place, str(why)) for place, (name, why, _) in enumerate(waiting, start=1)}
    except (OSError, Damaged, KeyError, TypeError, ValueError):
        return {}


def wait_for_turn(home: Home, session: Session, process: dict[str, Any]) -> bool:
    """Return once the session is `Starting`, with its GPUs in launch.json. False where another supervisor has it already.

    Args:
        process: the `identity` of this process, the session's supervisor.

    Raises:
        NeverStarts: it does not wait, or a session that it waits for did not end with exit status 0.
    """
    alarm, pause = _Alarm(), 1.0
    make_private(home.queue)
    watch = os.open(home.queue / "watch", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            alarm.clear()
            seen = look(home, session, process)
            if seen.outcome is not None:
                return seen.outcome
            alarm.wait(lambda seen=seen, pause=pause: _watch(home, watch, seen, pause))  # type: ignore[misc]
            pause = min(2 * pause, _LONGEST) if seen.woken else 1.0
    finally:
        os.close(watch)


@dataclass
class Outlook:
    """What a look found: the processes of running sessions, those that were woken, the waiting sessions whose supervisor is gone, the
    stamp of waiting.json, and for a supervisor whether its session starts (None: it waits)."""

    running: list[dict[str, Any]] = field(default_factory=list)
    woken: list[dict[str, Any]] = field(default_factory=list)
    dead: list[Session] = field(default_factory=list)
    stamp: object = None
    outcome: bool | None = None


def look(home: Home, me: Session | None = None, process: dict[str, Any] | None = None) -> Outlook:
    """Plan, wake whose turn it is, and claim the place of `me`, the session of the supervisor `process`, where it is its turn."""
    with locked(make_private(home.queue) / "lock"):
        if me is not None and _is_taken(me, process):
            return Outlook(outcome=False)
        machine = this_machine(home)
        seen, holders, waiters, supervisors, doomed = Outlook(), [], [], {}, {}
        for session in list_sessions(home, but_for_ended=True):
            try:
                is_mine = me is not None and session.name == me.name
                state: dict[str, Any] = {"status": QUEUED, "process": process} if is_mine else session.state()
                if state["status"] in ENDED or state.get("on") or not state.get("process") or submitted(session.folder):
                    continue  # what runs or waits on another host, or as a job of Slurm, takes nothing here
                if state["status"] != QUEUED:
                    seen.running.append(state["process"])
                launch = read_json(session.folder / FILE)
                if state["status"] != QUEUED:
                    holders.append(_holder(session, launch, machine))
                    continue
                waiter = _waiter(session, launch, machine)
                supervisors[waiter.name] = state["process"]
                blocked, is_doomed = _blocked(home, launch["queue"])
                if is_doomed:
                    doomed[waiter.name] = blocked
                if is_alive(state["process"]):
                    session.touch_state()
                else:
                    seen.dead.append(session)
                    blocked = "its supervisor is gone; the next nsml command starts it again"
                waiters.append(replace(waiter, blocked=blocked or waiter.blocked))
            except (OSError, NsmlError, KeyError, TypeError):
                continue  # removed since the look, started by hand, or damaged, which 'nsml doctor' names
        order = plan(machine, holders, waiters)
        if me is not None and process is not None:
            seen.outcome = _claim(me, process, order, doomed, holders)
            if seen.outcome:
                order = [place for place in order if place.name != str(me.name)]
                seen.running.append(process)
        waiting = [[place.name, place.why, supervisors[place.name]] for place in order]
        seen.stamp = _write_plan(home, {"waiting": waiting, "running": seen.running})
        if me is not None and seen.outcome is None:
            me.write_state(QUEUED, process=process)
        for place in order:
            supervisor = supervisors[place.name]
            if (place.gpus is not None or place.name in doomed) and supervisor != process and is_alive(supervisor):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(supervisor["pid"], signal.SIGCONT)
                    seen.woken.append(supervisor)
    return seen


def withdraw(home: Home, session: Session) -> bool:
    """Take a session out of the queue whose supervisor is gone; whether it was one."""
    with locked(make_private(home.queue) / "lock"):
        state = session.state()
        if state["status"] != QUEUED or is_alive(state.get("process")):
            return False
        session.write_state("Stopped", exit_status=-signal.SIGTERM, ended_at=time.time())
    look(home)
    return True


def revive(home: Home) -> list[Session]:
    """Start supervisors for waiting sessions whose own are gone, as after a restart of the machine; those sessions."""
    try:
        waiting = read_json(home.queue / "waiting.json")["waiting"]
        if all(is_alive(supervisor) for _, _, supervisor in waiting):
            return []
    except FileNotFoundError:
        return []
    except (Damaged, KeyError, TypeError, ValueError):
        pass  # written anew by the look
    dead = look(home).dead
    for session in dead:
        leave_supervisor(session.folder)
    return dead


def _is_taken(session: Session, process: dict[str, Any] | None) -> bool:
    """Whether the session is not this supervisor's to start: another one has it, or it was stopped while it waited."""
    try:
        state = read_json(session.folder / "state.json")
    except (FileNotFoundError, Damaged):
        return False  # written anew by the look
    owner = state.get("process")
    return state.get("status") != QUEUED or (owner != process and bool(is_alive(owner) or other_host(owner)))


def _holder(session: Session, launch: dict[str, Any], machine: Machine) -> Holder:
    limits = Limits.of(launch)
    gpus = limits.gpus or ()
    return Holder(session.name.user, gpus, *_share(launch, machine, len(gpus)), limits.processors or ())


def _waiter(session: Session, launch: dict[str, Any], machine: Machine) -> Waiter:
    request = launch["queue"]
    gpus = request["gpus"] if request["gpus"] is not None else 1
    gpus = gpus if machine.gpus else 0
    return Waiter(
        str(session.name),
        session.name.user,
        gpus,
        *_share(launch, machine, gpus),
        priority=request["priority"],
        since=request["since"],
        blocked=f"needs {gpus} GPUs, and there are {len(machine.gpus)}" if gpus > len(machine.gpus) else "",
    )


def _share(launch: dict[str, Any], machine: Machine, gpus: int) -> tuple[float, int]:
    """Processors and memory of a session; what exceeds the machine's counts as all of it."""
    limits, request = Limits.of(launch), launch.get("queue") or {"counts": False}
    cpus = float(limits.cpus or 0)
    if not cpus and not gpus and request["counts"]:
        cpus = machine.cpus / machine.sessions
    return min(cpus, float(machine.cpus)), min(limits.memory or 0, machine.memory)


def _blocked(home: Home, request: dict[str, Any]) -> tuple[str, bool]:
    """Why a session waits for others, "" where it need not; and whether it waits in vain."""
    for name in (*request["after"], *request["after_any"]):
        any_end = name in request["after_any"]
        try:
            state = find_session(home, parse_session_name(name, "")).state()
        except Damaged as error:
            return str(error), False
        except NsmlError:
            if any_end:
                continue
            return f"session {name}, after which it was to start, was removed", True
        status = state["status"]
        if status not in ENDED:
            return f"after {name}, which is {status}", False
        if any_end or (status == "Exited" and not state.get("exit_status")):
            continue
        if status == "Lost":
            return f"after {name}, which is Lost ('nsml resume {name}')", False
        return f"session {name}, after which it was to start, is {status}; --after-any starts it all the same", True
    return "", False


def _claim(
    me: Session, process: dict[str, Any], order: list[Place], doomed: dict[str, str], holders: list[Holder]
) -> bool | None:
    """True where the session now is Starting, None where it waits."""
    name = str(me.name)
    if name in doomed:
        raise NeverStarts(doomed[name])
    launch = read_json(me.folder / FILE)
    place = next(place for place in order if place.name == name)
    if place.gpus is None:
        if not launch["queue"]["waits"]:
            raise Refused(f"the session {place.why}; without --no-wait it waits")
        return None
    if place.gpus:
        launch["limits"]["gpus"] = place.gpus
    if (cpus := launch["limits"].get("cpus")) and hasattr(os, "sched_getaffinity"):
        taken = {number for holder in holders for number in holder.processors}
        free_first = sorted(os.sched_getaffinity(0), key=lambda number: (number in taken, number))
        launch["limits"]["processors"] = free_first[:cpus]
    write_json(me.folder / FILE, launch)
    me.write_state("Starting", process=process)
    return True


def _write_plan(home: Home, plan: dict[str, Any]) -> object:
    """Store the plan where a session waits; what changes with the file is returned."""
    path = home.queue / "waiting.json"
    if not plan["waiting"]:
        path.unlink(missing_ok=True)
        return None
    with contextlib.suppress(FileNotFoundError, Damaged):
        if {**read_json(path), **plan} == read_json(path):
            return _stamp(home)
    write_json(path, plan)
    return _stamp(home)


def _stamp(home: Home) -> object:
    try:
        found = os.stat(home.queue / "waiting.json")
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _watch(home: Home, watch: int, seen: Outlook, pause: float) -> None:
    """Sleep until it is this supervisor's task to watch, then until a plan is due."""
    fcntl.flock(watch, fcntl.LOCK_EX)
    due = time.monotonic() + (pause if seen.woken else _SELDOM)
    while _stamp(home) == seen.stamp and all(map(is_alive, seen.running)) and time.monotonic() < due:
        time.sleep(min(_WATCH, pause))


class _Alarm:
    """SIGCONT, which does nothing to a process that does not wait for it, ends a wait."""

    class _Rings(Exception):
        pass

    def __init__(self) -> None:
        self._rang = self._armed = False
        signal.signal(signal.SIGCONT, self._ring)

    def _ring(self, signum: int, frame: FrameType | None) -> None:
        self._rang = True
        if self._armed:
            self._armed = False
            raise self._Rings

    def clear(self) -> None:
        self._rang = False

    def wait(self, sleep: Callable[[], None]) -> None:
        """Return when `sleep` does, or at a signal since `clear`."""
        with contextlib.suppress(self._Rings):
            try:
                self._armed = True
                if not self._rang:
                    sleep()
            finally:
                self._armed = False
