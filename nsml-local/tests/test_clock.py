"""The machine's clock set forward or back while sessions run, and a machine that was restarted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import Nsml, make_dataset, start_and_wait, wait_until

from nsml.store.files import read_json, write_json
from nsml.store.home import open_home
from nsml.store.processes import identity, is_alive
from nsml.store.sessions import Session, create_session

HOUR = 3600.0
RECORD = {"entry": "main.py", "arguments": []}
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="no /proc tells here when a process began")


@pytest.fixture
def session() -> Session:
    return create_session(open_home(), "me", "D", RECORD)


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with its input."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process


@on_linux
@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_session_runs_on_when_the_clock_is_set(session: Session, other: subprocess.Popen[bytes], step: float) -> None:
    written = identity(other.pid)
    # The system counts a start in seconds since its own, and tells it by the clock of the moment at which it is asked.
    session.write_state("Running", process={**written, "started": written["started"] + step})
    assert session.status() == "Running"
    other.communicate(b"\n")
    assert session.status() == "Lost"


@on_linux
def test_after_a_restart_of_the_machine_the_same_number_is_another_process(session: Session) -> None:
    session.write_state("Running", process={**identity(), "boot": "00000000-0000-0000-0000-000000000000"})
    assert session.status() == "Lost"


@on_linux
def test_a_process_that_has_ended_and_waits_to_be_asked_is_not_alive(other: subprocess.Popen[bytes]) -> None:
    written = identity(other.pid)
    assert other.stdin is not None
    other.stdin.close()
    wait_until(lambda: Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    assert not is_alive(written)


def test_what_a_version_wrote_that_knew_the_clock_only_is_still_read() -> None:
    mine = {name: identity()[name] for name in ("pid", "started")}
    assert is_alive(mine)
    assert not is_alive({**mine, "started": mine["started"] - HOUR})


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_session_that_never_began_is_lost_whatever_the_clock_was_then(session: Session, step: float) -> None:
    record = read_json(session.folder / "session.json")
    assert session.status() == "Starting"
    write_json(session.folder / "session.json", {**record, "created_at": record["created_at"] + step})
    assert session.status() == "Lost"


def test_nobody_waits_longer_for_a_submit_because_the_clock_was_set_back(nsml: Nsml, tmp_path: Path) -> None:
    nsml("dataset", "push", "N", str(make_dataset(tmp_path / "n")), "--every", "1h")
    name = start_and_wait(nsml, dataset="N")
    assert nsml("submit", name, "best").status == 0
    assert "wait" in nsml("submit", name, "best").err
    (written,) = open_home().submissions.glob("N/*/submission.json")
    record = read_json(written)
    write_json(written, {**record, "at": record["at"] + 5 * HOUR})
    assert nsml("submit", name, "best").status == 0


def test_what_was_done_by_a_clock_that_was_ahead_was_done_just_now(nsml: Nsml, trained: str) -> None:
    path = open_home().path / "sessions" / trained / "session.json"
    record = read_json(path)
    write_json(path, {**record, "created_at": record["created_at"] + HOUR})
    listed = nsml("ps", "-a")
    assert "just now" in listed.out and listed.err == ""
