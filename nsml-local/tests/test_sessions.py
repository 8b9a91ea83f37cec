"""Sessions on disk: numbers, states, damage."""

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers import Nsml, lose, wait_until

from nsml.errors import NsmlError
from nsml.store import files
from nsml.store.home import open_home
from nsml.store.names import SessionName
from nsml.store.processes import identity, is_alive
from nsml.store.sessions import Session, create_session, find_session, list_sessions

RECORD = {"entry": "main.py", "arguments": []}


def test_sessions_created_at_once_get_different_numbers() -> None:
    home = open_home()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: create_session(home, "me", "D", RECORD).name.number, range(24)))
    assert sorted(made) == list(range(1, 25))


def test_processes_that_meet_an_empty_home_at_once_all_get_a_session(home: Path) -> None:
    code = (
        "from nsml.store.home import open_home; from nsml.store.sessions import create_session\n"
        "print(create_session(open_home(), 'me', 'D', {'entry': 'm.py', 'arguments': []}).name.number)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert sorted(int(p.communicate()[0]) for p in started) == [1, 2, 3, 4, 5, 6]


def test_a_session_whose_process_is_gone_is_lost() -> None:
    session = create_session(open_home(), "me", "D", RECORD)
    gone = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    session.write_state("Running", process=identity(gone.pid))
    assert session.status() == "Running"
    gone.communicate(b"\n")
    assert session.status() == "Lost"


def test_a_process_number_given_to_another_process_is_not_taken_for_the_session() -> None:
    mine = identity()
    assert is_alive(mine)
    assert not is_alive({**mine, "started": mine["started"] - 3600, "ticks": mine.get("ticks", 0) - 3600})


def test_a_killed_supervisor_makes_its_session_lost(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "sleep.py").write_text("import time; print('here'); time.sleep(60)")
    nsml("run", "-d", dataset, "-e", "sleep.py")
    session = find_session(open_home(), SessionName("tester", dataset, 1))
    wait_until(lambda: session.status() == "Running" and session.log.exists())
    lose(session)
    assert "Lost" in nsml("ps", "-a").out


@pytest.mark.parametrize("content", ["", "{", "null", '{"entry": 3}'])
def test_a_damaged_session_is_one_warning_and_hides_no_other(nsml: Nsml, trained: str, content: str) -> None:
    home = open_home()
    broken = create_session(home, "tester", "FUNDUS", RECORD)
    (broken.folder / "session.json").write_text(content)
    listed = nsml("ps", "-a")
    assert listed.status == 0 and trained in listed.out and listed.err.count("is damaged") == 1


def test_sessions_are_listed_by_number_not_by_text() -> None:
    home = open_home()
    for _ in range(11):
        create_session(home, "me", "D", RECORD)
    assert [s.name.number for s in list_sessions(home)] == list(range(1, 12))


def test_an_unknown_session_is_an_error_that_lists_the_numbers() -> None:
    home = open_home()
    create_session(home, "me", "D", RECORD)
    with pytest.raises(NsmlError, match="numbers of me/D are 1"):
        find_session(home, SessionName("me", "D", 7))


def test_a_home_of_a_newer_format_is_refused_and_left_alone(home: Path, nsml: Nsml) -> None:
    (home / "home.json").write_text('{"format": 99}')
    before = sorted(home.rglob("*"))
    refused = nsml("ps")
    assert refused.status == 2 and "newer" in refused.err
    assert sorted(home.rglob("*")) == before and (home / "home.json").read_text() == '{"format": 99}'


def test_the_home_is_readable_by_its_owner_only(home: Path) -> None:
    create_session(open_home(), "me", "D", RECORD)
    assert home.stat().st_mode & 0o077 == 0


def _runs_elsewhere(session: Session, **facts: object) -> None:
    process = {**identity(), "host": "seoul-2", "boot": "00000000-0000-0000-0000-000000000000", **facts}
    (session.folder / "ended").unlink(missing_ok=True)
    session.write_state("Running", process=process, program=os.getpid())


@pytest.mark.parametrize(
    "command", ["resume FUNDUS/1", "rm -f FUNDUS/1", "stop -f FUNDUS/1", "exec FUNDUS/1 x", "doctor --repair"]
)
def test_a_session_of_another_host_that_shares_the_home_is_left_alone(nsml: Nsml, trained: str, command: str) -> None:
    (session,) = list_sessions(open_home())
    _runs_elsewhere(session)
    before = sorted(session.folder.rglob("*"))
    refused = nsml(*command.split())
    assert refused.err == "nsml: session tester/FUNDUS/1 runs on seoul-2, which shares this home; do it there\n"
    assert refused.status == 2 and not refused.out and sorted(session.folder.rglob("*")) == before
    assert "Running on seoul-2" in nsml("ps").out


def test_a_session_of_a_container_that_shares_the_home_is_seen_to_run(nsml: Nsml, trained: str) -> None:
    (session,) = list_sessions(open_home())
    _runs_elsewhere(session, host=socket.gethostname(), boot=identity()["boot"], ticks=0, namespace="pid:[1]")
    assert f"Running on {socket.gethostname()}" in nsml("ps").out


def test_a_session_of_another_host_that_shows_no_life_is_lost(nsml: Nsml, trained: str) -> None:
    (session,) = list_sessions(open_home())
    _runs_elsewhere(session)
    for name in ("state.json", "metrics.jsonl"):
        os.utime(session.folder / name, (time.time() - 3600,) * 2)
    assert "Lost" in nsml("ps", "-a").out and nsml("resume", "FUNDUS/1").status == 0
    nsml("logs", "-f", "FUNDUS/1")


def test_a_damaged_session_that_another_host_may_run_is_not_removed_until_it_is_silent(
    nsml: Nsml, trained: str
) -> None:
    (session,) = list_sessions(open_home())
    _runs_elsewhere(session)
    (session.folder / "state.json").write_text("{")
    before = sorted(session.folder.rglob("*"))
    refused = nsml("rm", "-f", "FUNDUS/1")
    assert refused.status == 2 and refused.err.startswith("nsml: session tester/FUNDUS/1 may run on another host")
    assert refused.err.count("\n") == 1 and sorted(session.folder.rglob("*")) == before
    for name in ("state.json", "metrics.jsonl"):
        os.utime(session.folder / name, (time.time() - 90_000,) * 2)
    assert nsml("rm", "-f", "FUNDUS/1").out == "Session tester/FUNDUS/1 is removed\n"


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_session_of_another_host_runs_whatever_the_clocks_of_the_hosts_say(
    nsml: Nsml, trained: str, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Only the disk's clock counts, by which both see when the session last showed life."""
    (session,) = list_sessions(open_home())
    _runs_elsewhere(session)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3600 * hours)
    monkeypatch.setattr(files, "_ahead", {})
    assert session.state()["on"] == "seoul-2" and session.beats()
    for name in ("state.json", "metrics.jsonl"):
        os.utime(session.folder / name, (now() - 400,) * 2)
    assert session.status() == "Lost"


def test_a_machine_that_was_restarted_has_lost_its_sessions(nsml: Nsml, trained: str) -> None:
    (session,) = list_sessions(open_home())
    _runs_elsewhere(session, host=socket.gethostname())
    assert "Lost" in nsml("ps", "-a").out


def test_a_running_session_shows_life_to_other_hosts(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "wait.py").write_text("import time; time.sleep(60)")
    nsml("run", "-d", dataset, "-e", "wait.py")
    (session,) = list_sessions(open_home())
    wait_until(lambda: session.status() == "Running")
    os.utime(session.folder / "state.json", (0, 0))
    wait_until(lambda: (session.folder / "state.json").stat().st_mtime > 0, seconds=40)
    nsml("stop", "-f", "FUNDUS/1")


def test_a_long_memo_is_whole_after_its_dataset_was_renamed(home: Path) -> None:
    session = create_session(open_home(), "t", "D", {"entry": "main.py", "arguments": [], "of": "t/D/9"})
    session.write_memo(f"fork of t/D/9 {'x' * 3000}")
    session.rename_dataset("D", "E")
    assert (session.folder / "memo.txt").read_text() == f"fork of t/E/9 {'x' * 3000}\n"
