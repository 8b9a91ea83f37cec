"""`nsml doctor --repair`: what is damaged is put aside with a note, what dead writers left is cleared, the rest is left alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from helpers import Nsml, wait_until

from nsml.store.checkpoints import list_checkpoints, store
from nsml.store.home import open_home
from nsml.store.log_cut import write_cut
from nsml.store.metrics import MetricsWriter, read_metrics
from nsml.store.processes import identity
from nsml.store.sessions import Session, create_session, list_sessions
from nsml.store.submissions import open_submission, record_score, submissions_of


def write_weights(path: Path) -> None:
    path.write_text("weights")


@pytest.fixture
def session() -> Session:
    """An ended session with two checkpoints and two values."""
    made = create_session(open_home(), "tester", "FUNDUS", {"entry": "main.py", "arguments": [], "kind": "run"})
    for name in ("1", "2"):
        store(made.checkpoints, name, write_weights, elapsed=0, summary={})
    metrics = MetricsWriter(made.folder)
    for step in (1, 2):
        metrics.append({"step": step, "values": {"loss": 1.0 / step}})
    metrics.close()
    made.write_state("Exited", process=identity(), exit_status=0)
    return made


def change_a_byte(path: Path) -> bytes:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return bytes(content)


def fixed(nsml: Nsml) -> list[str]:
    return [line for line in nsml("doctor", "--repair").out.splitlines() if line.startswith("fixed")]


def put_aside(home: Path) -> dict[str, Path]:
    """What lies in damaged/, by its name; each with a note."""
    result = {}
    for folder in (home / "damaged").iterdir():
        assert (folder / "note.txt").read_text().count("\n") == 3
        (path,) = [path for path in folder.iterdir() if path.name != "note.txt"]
        result[path.name] = path
    return result


def test_in_a_home_in_order_nothing_is_touched(nsml: Nsml, session: Session, home: Path) -> None:
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert fixed(nsml) == []
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_a_damaged_checkpoint_is_put_aside_and_the_others_stay(nsml: Nsml, session: Session, home: Path) -> None:
    folder = next(path for path in session.checkpoints.iterdir() if path.name.startswith("2"))
    content = change_a_byte(folder / "model")
    (line,) = fixed(nsml)
    assert f"{folder}: put aside in " in line
    assert (put_aside(home)[folder.name] / "model").read_bytes() == content
    assert [checkpoint.name for checkpoint in list_checkpoints(session.checkpoints)] == ["1"]  # type: ignore[union-attr]


def test_what_a_program_left_that_was_killed_between_two_saves_is_cleared(nsml: Nsml, session: Session) -> None:
    folder = next(path for path in session.checkpoints.iterdir() if path.name.startswith("2"))
    shutil.copytree(folder, older := folder.with_name("2@0"))
    (line,) = fixed(nsml)
    assert f"{older}: removed, the checkpoint has been saved again" in line
    assert folder.exists() and not older.exists()


def test_damaged_lines_of_metrics_are_put_aside_and_the_others_stay(nsml: Nsml, session: Session, home: Path) -> None:
    content = change_a_byte(session.folder / "metrics.jsonl")
    (line,) = fixed(nsml)
    assert "its readable lines stay" in line
    assert put_aside(home)["metrics.jsonl"].read_bytes() == content
    records, damage = read_metrics(session.folder)
    assert len(records) == 1
    assert damage == ""


@pytest.mark.parametrize("name", ["session.json", "state.json"])
def test_a_damaged_record_no_longer_hides_the_session_or_is_in_its_way(
    nsml: Nsml, session: Session, home: Path, name: str
) -> None:
    change_a_byte(session.folder / name)
    assert len(fixed(nsml)) == 1
    assert "damaged" not in nsml("ps", "-a").err
    aside = put_aside(home)
    # Without its record, nothing of a session can be used: it is put aside as a whole.
    assert set(aside) == ({"1"} if name == "session.json" else {"state.json"})
    assert session.folder.exists() == (name == "state.json")


def test_a_damaged_note_of_what_a_log_leaves_out_is_put_aside(nsml: Nsml, session: Session, home: Path) -> None:
    write_cut(session.log, 6, 106)
    content = change_a_byte(session.log.with_name("log-cut.json"))
    (line,) = fixed(nsml)
    assert "log-cut.json: put aside in " in line
    assert put_aside(home)["log-cut.json"].read_bytes() == content


def test_a_damaged_submission_is_put_aside_and_the_board_is_whole(nsml: Nsml, home: Path) -> None:
    for score in (0.5, 0.9):
        folder = open_submission(open_home(), "FUNDUS")
        record_score(folder, user="tester", session="tester/FUNDUS/1", checkpoint="1", score=score)
    change_a_byte(folder / "submission.json")
    assert len(fixed(nsml)) == 1
    made, warnings = submissions_of(open_home(), "FUNDUS")
    assert [r["score"] for r in made] == [0.5]
    assert warnings == []
    assert "submission.json" in put_aside(home)


def test_only_what_dead_writers_left_is_cleared(nsml: Nsml, session: Session) -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    dead, alive = (session.folder / f".tmp-{pid}-ab" for pid in (ended.pid, os.getpid()))
    dead.mkdir()
    (dead / "half").write_text("half")
    alive.write_text("half")
    (line,) = fixed(nsml)
    assert "removed, its process has ended" in line
    assert not dead.exists()
    assert alive.exists()


def test_a_second_repair_has_nothing_to_do(nsml: Nsml, session: Session, home: Path) -> None:
    change_a_byte(session.folder / "metrics.jsonl")
    change_a_byte(next(session.checkpoints.iterdir()) / "model")
    assert len(fixed(nsml)) == 2
    before = sorted(home.rglob("*"))
    assert fixed(nsml) == []
    assert sorted(home.rglob("*")) == before


def test_a_running_sessions_files_are_left_alone(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "waits.py").write_text("import time; print('on', flush=True); time.sleep(90)")
    nsml("run", "-d", dataset, "-e", "waits.py")
    (session,) = list_sessions(open_home())
    wait_until(lambda: session.log.exists() and "on" in session.log.read_text())
    (session.folder / "metrics.jsonl").write_bytes(b"half a li")
    assert fixed(nsml) == []
    nsml("stop", "-f", "FUNDUS/1")


def test_a_running_session_whose_state_is_damaged_runs_on_and_its_supervisor_writes_the_state_again(
    nsml: Nsml, dataset: str, project: Path, home: Path
) -> None:
    (project / "waits.py").write_text("import time; print('on', flush=True); time.sleep(90)")
    nsml("run", "-d", dataset, "-e", "waits.py")
    (session,) = list_sessions(open_home())
    wait_until(lambda: session.log.exists() and "on" in session.log.read_text())
    before = session.state()
    change_a_byte(session.folder / "state.json")
    refused = nsml("rm", "-f", "FUNDUS/1")
    assert (
        refused.status == 2 and "session tester/FUNDUS/1 has not ended, though its state.json is damaged" in refused.err
    )
    (line,) = fixed(nsml)
    assert "state.json: was damaged; the supervisor of the session, which runs, has written it again" in line
    assert session.state() == before and not (home / "damaged").exists()
    (session.folder / "state.json").unlink()  # as a message about a damaged one advises
    (session.folder / "started.txt").write_text("0")
    assert session.status() == "Lost" and fixed(nsml) == []
    assert psutil.pid_exists(before["program"])
    session.write_state(**before)
    nsml("stop", "-f", "FUNDUS/1")


def test_a_damaged_dataset_is_put_aside(nsml: Nsml, dataset: str, home: Path) -> None:
    change_a_byte(home / "datasets" / dataset / "dataset.json")
    assert len(fixed(nsml)) == 1
    assert list(put_aside(home)) == [dataset]


def test_what_a_program_calls_as_nsml_calls_its_leftovers_stays(
    nsml: Nsml, dataset: str, session: Session, home: Path
) -> None:
    def write(path: Path) -> None:
        (path / ".tmp-999999-cache").mkdir(parents=True)
        (path / ".tmp-999999-cache" / "part").write_text("the program's")
        (path / ".tmp-999998-index").write_text("the program's")

    checkpoint = store(session.checkpoints, "own", write, elapsed=0, summary={})
    photograph = home / "datasets" / dataset / "training" / "train" / ".tmp-999997-shot.jpg"
    photograph.write_text("the organiser's")
    (home / "submissions" / "D" / "1").mkdir(parents=True)
    own = [session.folder.parent, session.checkpoints, home / "submissions" / "D" / "1", home / "datasets"]
    for folder in own:
        (folder / ".tmp-999999-ab").write_text("half")
    assert len([line for line in fixed(nsml) if "its process has ended" in line]) == len(own)
    checkpoint.verify()
    assert photograph.exists()


def test_a_cache_that_a_killed_program_left_half_copied_is_cleared_after_a_day_and_no_link_is_followed(
    nsml: Nsml, home: Path, tmp_path: Path
) -> None:
    cache = home / "output" / "tester" / "cache"
    (cache / "D").mkdir(parents=True)
    (tmp_path / "else").mkdir()
    (cache / "E").symlink_to(tmp_path / "else")
    left, new, elsewhere = (
        cache / "D" / ".tmp-cache-12",
        cache / "D" / ".tmp-cache-34",
        tmp_path / "else" / ".tmp-cache-56",
    )
    for path in (left, new, elsewhere):
        path.mkdir()
    for path in (left, elsewhere):
        os.utime(path, (0, 0))
    (line,) = fixed(nsml)
    assert str(left) in line and [path.exists() for path in (left, new, elsewhere)] == [False, True, True]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"format": 1} and more'])
def test_a_damaged_home_json_stops_no_command_and_is_written_anew(
    nsml: Nsml, session: Session, home: Path, content: bytes
) -> None:
    (home / "home.json").write_bytes(content)
    listed = nsml("ps", "-a")
    assert listed.status == 0
    assert str(session.name) in listed.out
    assert "home.json is damaged; 'nsml doctor --repair' rewrites it" in listed.err
    assert any(line.startswith("fix ") and "home.json is damaged" in line for line in nsml("doctor").out.splitlines())
    assert len(fixed(nsml)) == 1
    assert put_aside(home)["home.json"].read_bytes() == content
    assert nsml("ps", "-a").err == ""


def test_a_damaged_name_of_the_user_is_put_aside_or_given_anew(
    nsml: Nsml, session: Session, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NSML_USER")
    for fix in (("doctor", "--repair"), ("login", "kim")):
        (home / "user.json").write_text("{")
        refused = nsml("whoami")
        assert refused.status == 1
        assert "'nsml login NAME' rewrites it" in refused.err
        nsml(*fix)
        assert nsml("whoami").status == 0
