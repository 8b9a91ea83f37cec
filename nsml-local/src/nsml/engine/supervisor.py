"""The small process that stays with a session: `python -m nsml.engine.supervisor FOLDER DATASET DATASET_PATH`.

It starts the program, writes the session's state, ends the program when it is told to (SIGTERM), and writes how it ended.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from ..store.names import SessionName
from ..store.processes import identity
from ..store.sessions import Session
from .program import end_program, how_it_ended, kill_group, start_program


class _Stop(Exception):
    pass


def _stop(signum: int, frame: FrameType | None) -> None:
    raise _Stop


def _append(log: Path, line: str) -> None:
    with open(log, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else f"\n{line}"
        file.write(f"{line}\n".encode())


def supervise(folder: Path, dataset: str, dataset_path: Path) -> None:
    """Run the program of the session in `folder` to its end."""
    parts = folder.parts
    session = Session(SessionName(parts[-3], parts[-2], int(parts[-1])), folder)
    record = session.record()
    process = identity()
    began = time.time()
    session.write_state("Starting", process=process)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    program = None
    error = ""
    try:
        program = start_program(
            record["entry"],
            record["arguments"],
            work=session.work,
            log=session.log,
            launch=folder / "launch.json",
            dataset_path=dataset_path,
            dataset=dataset,
        )
        session.write_state("Running", process=process, program=program.pid, started_at=began)
        code = program.wait()
        status = "Exited" if code == 0 else "Failed"
        kill_group(program)
    except _Stop:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if program is not None:
            end_program(program)
        code = program.returncode if program is not None else -signal.SIGTERM
        status = "Stopped"
    except OSError as failure:
        code, status, error = 1, "Failed", f"{record['entry']} could not be started: {failure}"
    ended = time.time()
    last = f"stopped ({how_it_ended(code)})" if status == "Stopped" else f"ended with {how_it_ended(code)}"
    try:
        _append(
            session.log, f"{error}\n" * bool(error) + f"Session {session.name} {last} after {ended - began:.1f} seconds"
        )
    finally:
        session.write_state(status, process=process, started_at=began, ended_at=ended, exit_status=code)


if __name__ == "__main__":
    supervise(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
