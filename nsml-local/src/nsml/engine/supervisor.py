"""The supervisor of a session: `python -m nsml.engine.supervisor FOLDER`.

It waits for its turn where its engine is this machine, starts the program, writes the session's state, ends the program on SIGTERM or above
its memory limit, and writes the result.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from ..errors import NsmlError
from ..store.files import read_json
from ..store.home import Home
from ..store.launches import FILE, NOTIFY
from ..store.log_lines import append_line
from ..store.names import SessionName
from ..store.processes import identity
from ..store.sessions import ENDED, HEARTBEAT, QUEUED, Session
from ..wording import size
from .control_group import leave_group, members
from .engines import engine_of
from .family import GROUP, adopt_orphans, kill_below
from .log_limit import LogLimit
from .memory import MemoryWatch
from .program import Program, end_program, how_it_ended, kill_program, start_program
from .queue import NeverStarts, Refused
from .resources import Limits

_LOOK, _LOOK_WITHOUT_LIMIT = 0.5, 5.0  # seconds between two looks at the memory


class _Stop(Exception):
    pass


class _Replaced(Exception):
    """Another supervisor has the session: Slurm took this one's node for dead."""


class _StopSignal:
    """Raises _Stop when a signal asks to end the session, except between the start of a program and the assignment of its object."""

    def __init__(self) -> None:
        self._requested = False
        self._armed = True
        signal.signal(signal.SIGTERM, self._receive)
        signal.signal(signal.SIGINT, self._receive)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        self._requested = True
        if self._armed:
            self._armed = False
            raise _Stop

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """A context that delays _Stop to its end."""
        self._armed = False
        yield
        self._armed = True
        if self._requested:
            self._armed = False
            raise _Stop

    def ignore(self) -> None:
        """Nothing more can be stopped."""
        self._armed = False


def _layer_interpreter(home: Home, session: Session) -> contextlib.AbstractContextManager[str]:
    # Imported here, since most sessions need no layer, and it would be a third of what a supervisor imports.
    from .environment import session_interpreter

    return session_interpreter(home, session, lambda line: append_line(session.log, line))


def supervise(folder: Path) -> int:
    """Run the program of the session in `folder` to its end; an exit status: 0 where the session is Exited."""
    session = Session(SessionName(folder.parts[-3], folder.parts[-2], int(folder.parts[-1])), folder)
    process, engine = identity(), engine_of(session)
    stop = _StopSignal()
    program = None
    memory = None
    layer = contextlib.ExitStack()  # held until this process ends
    reason, cause, is_refused = "", "", False
    home = session.home
    began, passed = time.time(), time.monotonic()
    adopt_orphans()
    leave_group()
    try:
        if not engine.claim(home, session, process):
            return 0
        began, passed = time.time(), time.monotonic()
        launch = read_json(folder / FILE)
        limits = Limits.of(launch)
        python = launch.get("python") or layer.enter_context(_layer_interpreter(home, session))
        with stop.held():
            memory = MemoryWatch()
            program = start_program(folder, session.work, python, writable=(), **limits.environment())
        running = {"process": process, "program": program.pid, "started_at": began, **_confined(program)}
        session.write_state("Running", **running)
        reason = _wait(program, session, running, memory, limits.memory, LogLimit(session.log, limits.log))
        if program.returncode == -signal.SIGTERM:
            time.sleep(engine.signals_late)
        stop.ignore()
        code = program.returncode
        reason, of_memory = (reason, True) if reason else memory.why_it_ended(code)
        cause = "memory" if of_memory else ""
        status = "Exited" if code == 0 and not reason else "Failed"
    except _Stop:
        if program is not None:
            end_program(program)
        code = program.returncode if program is not None else -signal.SIGTERM
        status, reason = engine.interrupted(session)
    except _Replaced:
        if program is not None:
            kill_program(program)
        print("another supervisor has taken the session over; this one ended its program", file=sys.stderr, flush=True)
        return 1
    except NeverStarts as failure:
        code, status, reason, cause = -signal.SIGTERM, "Stopped", str(failure), "queue"
        is_refused = isinstance(failure, Refused)
    except (OSError, NsmlError) as failure:
        code, status, reason = 1, "Failed", f"the program could not be started: {failure}"
    stop.ignore()
    # Of a program that killed its keeper.
    if program is not None and (left := {*kill_program(program), *kill_below(program.home)}):
        pids = ", ".join(map(str, sorted(left)))
        append_line(session.log, f"{len(left)} of its processes could not be ended: end {pids} by hand")
    passed = time.monotonic() - passed
    verb = {"Stopped": "stopped", QUEUED: "was interrupted"}.get(status, "ended")
    facts: dict[str, object] = {name: text for name, text in (("cause", cause), ("reason", reason)) if text}
    most = ""
    if memory is not None and memory.peak:
        facts["peak_memory"] = memory.peak
        most = f", at most {size(memory.peak)} of memory,"
    last = f"Session {session.name} {verb} with {how_it_ended(code)}{most} after {passed:.1f} seconds"
    tells = (folder / NOTIFY).exists() and status in ENDED and not is_refused
    message = _message(session, status, how_it_ended(code), passed, exit_status=code, **facts) if tells else None
    try:
        append_line(session.log, f"{reason}\n{last}" if reason else last)
    finally:
        session.write_state(status, process=process, started_at=began, ended_at=time.time(), exit_status=code, **facts)
        engine.release(home)
    if message is not None:
        _send(session, message)
    if session.sweep()[0]:
        from .halving import advance
        from .notify import notify_sweep

        advance(session)
        notify_sweep(session)
    return 0 if status == "Exited" else code if 0 < code < 256 else 1


def _confined(program: Program) -> dict[str, str]:
    """The entry of the state by which all processes of a program are found; none if some could hide, see `may_be_left`."""
    if program.isolated:
        return {GROUP: ""}
    return {GROUP: str(program.group)} if program.group and members(program.group) else {}


def _message(session: Session, *how: Any, **facts: Any) -> dict[str, Any] | None:
    """That of `--notify`, read before the state shows that the session has ended: then it may be removed."""
    # Imported here, since most sessions send no message.
    from .notify import tell_session

    try:
        return tell_session(session, *how, **facts)
    except Exception as error:  # no message may change how a session ends
        append_line(session.log, f"--notify: the message could not be written: {error}")
        return None


def _send(session: Session, message: dict[str, Any]) -> None:
    from .notify import send

    if failure := send(session.folder, message):
        with contextlib.suppress(OSError):
            append_line(session.log, failure)


def _wait(
    program: Program, session: Session, running: dict[str, Any], memory: MemoryWatch, limit: int | None, log: LogLimit
) -> str:
    """Wait for the end, keep the log short, and show other hosts that the session runs.

    Returns:
        Why the program was ended, if it grew past `limit` bytes; else "".
    """
    printed = ""
    looked = touched = time.monotonic()
    every = _LOOK_WITHOUT_LIMIT if limit is None else _LOOK
    while True:
        pause = log.look()
        if log.trouble != printed:
            printed = log.trouble
            print(f"--log-limit cannot be applied: {printed}", file=sys.stderr, flush=True)
        if _ends_within(program, pause):
            log.look()
            return ""
        if time.monotonic() - touched > HEARTBEAT:
            touched = time.monotonic()
            if session.has_passed_on(running["process"]):
                raise _Replaced
            session.mend_state("Running", **running)
            session.touch_state()
        if time.monotonic() - looked < every:
            continue
        looked = time.monotonic()
        used = memory.look(program.pid)
        if limit is not None and used > limit:
            kill_program(program)
            return (
                f"ended since it used {used / 1e9:.2f} GB of memory, more than --memory {limit / 1e9:.2f} GB; "
                "give a smaller batch size or fewer workers, or a larger --memory"
            )


def _ends_within(program: Program, seconds: float) -> bool:
    """Whether the program has ended, after waiting so long at most."""
    try:
        program.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1])))
