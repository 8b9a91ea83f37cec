"""Programs that are killed by SIGKILL while they save: what `nsml.save` has returned from is there, whole, or something newer is."""

from __future__ import annotations

import os
import random
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path

from nsml.errors import NsmlError
from nsml.store.checkpoints import Checkpoint, find_checkpoint, list_checkpoints, store
from nsml.store.home import Home, open_home
from nsml.store.names import SessionName
from nsml.store.sessions import Session, create_session, list_sessions
from stress.counts import Counts, Plan
from stress.homes import using

_RECORD = {"kind": "run", "entry": "main.py", "arguments": []}
_FILES = ("a", "b", "c")


def prove(plan: Plan) -> Counts:
    """Kill `times` programs, each at a moment of its own."""
    chance, counts = random.Random(plan.seed), Counts()
    until = time.monotonic() + plan.seconds
    with using(plan.folder / "home"):
        home = open_home()
        last: Session | None = None
        saved, longest = 0, 0.06
        while (counts.done["kills"] < plan.times or not counts.done["saves"]) and time.monotonic() < until:
            # Most go on in the session of the one before, so that there is something to lose; some are killed as they open one.
            session = last if chance.random() < 0.8 else None
            number = _kill_a_program(home, session, saved, chance.uniform(0, longest), counts)
            if counts.done["kills"] >= plan.times:  # On a busy disk none has saved yet.
                longest *= 2
            if number is not None:
                last, saved = (
                    Session(SessionName("me", "D", number[0]), home.sessions / "me" / "D" / str(number[0])),
                    number[1],
                )
            _check_all(home, counts)
            if last is not None:
                _check_last(last, saved, counts)
                saved = max(saved, _content(last))
        _check_numbers(home, counts)
        counts.check(counts.done["saves"] > 0, "nothing was ever saved")
    return counts


def _kill_a_program(
    home: Home, session: Session | None, saved: int, moment: float, counts: Counts
) -> tuple[int, int] | None:
    """Fork a program that saves again and again, kill it after `moment` seconds: its session's number, and what it said it had saved."""
    told, telling = os.pipe()
    child = os.fork()
    if child == 0:
        _save_for_ever(home, session, saved, telling)
    os.close(telling)
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    counts.done["kills"] += 1
    pieces = b""
    while piece := os.read(told, 1 << 16):
        pieces += piece
    os.close(told)
    records = [struct.unpack_from("qq", pieces, at) for at in range(0, len(pieces) - 15, 16)]
    counts.done["saves"] += sum(saving > 0 for _, saving in records)
    return records[-1] if records else None


def _save_for_ever(home: Home, session: Session | None, saved: int, telling: int) -> None:
    try:
        own = session or create_session(home, "me", "D", _RECORD)
        number = own.name.number
        value = saved if session else 0
        os.write(telling, struct.pack("qq", number, value))
        while True:
            value += 1
            store(own.checkpoints, "last", _writer(value), elapsed=0.0, summary={"value": value})
            os.write(telling, struct.pack("qq", number, value))
    finally:
        os._exit(1)


def _writer(value: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.mkdir()
        for name in _FILES:
            with open(path / name, "w") as file:
                for _ in range(20):
                    file.write(f"{value}\n" * 50)
                    file.flush()

    return write


def _content(session: Session) -> int:
    try:
        checkpoint = find_checkpoint(session.checkpoints, "last", str(session.name))
        return int((checkpoint.model / "a").read_text().split("\n", 1)[0])
    except (NsmlError, OSError, ValueError):
        return 0


def _check_last(session: Session, saved: int, counts: Counts) -> None:
    """The session's checkpoint is the one last told of, or the one after it."""
    result = _content(session)
    counts.check(
        result in (saved, saved + 1), f"session {session.name} holds save {result}, the program had saved {saved}"
    )
    if result:
        checkpoint = find_checkpoint(session.checkpoints, "last", str(session.name))
        texts = {(checkpoint.model / name).read_text() for name in _FILES}
        counts.check(texts == {f"{result}\n" * 1000}, f"session {session.name} holds a mixture of saves")


def _check_all(home: Home, counts: Counts) -> None:
    """Every session that is listed can be read, and every checkpoint that is listed is whole."""
    for session in list_sessions(home):
        try:
            session.record()
            for checkpoint in list_checkpoints(session.checkpoints):
                if not isinstance(checkpoint, Checkpoint):
                    raise checkpoint
                checkpoint.verify()
                counts.done["checkpoints verified"] += 1
        except NsmlError as error:
            counts.losses.append(str(error))


def _check_numbers(home: Home, counts: Counts) -> None:
    numbers = [session.name.number for session in list_sessions(home)]
    counts.check(numbers == list(range(1, len(numbers) + 1)), f"the numbers have gaps: {numbers}")
    counts.done["sessions"] = len(numbers)
