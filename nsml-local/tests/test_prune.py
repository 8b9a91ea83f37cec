"""`nsml prune` frees what nothing needs, and shows it before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from helpers import Nsml

from nsml.engine.pruning import carry_out, plan_pruning
from nsml.errors import Damaged
from nsml.store.checkpoints import checkpoint_names, store
from nsml.store.files import write_json
from nsml.store.home import open_home
from nsml.store.processes import identity
from nsml.store.sessions import Session, create_session
from nsml.store.submissions import close_submission, open_submission, record_score


def _session(*arguments: str, status: str = "Exited", user: str = "tester", names: str = "1 2 best 3") -> Session:
    """A session with checkpoints of 1 kB and a working folder of 5 kB."""
    record: dict[str, Any] = {"kind": "run", "entry": "main.py", "arguments": list(arguments)}
    session = create_session(open_home(), user, "none", record)
    for name in names.split():
        store(session.checkpoints, name, lambda path: _write(path, 1000), elapsed=1, summary={})
    session.work.mkdir()
    (session.work / "cache").write_bytes(b"x" * 5000)
    process = identity() if status in ("Running", "Queued") else {}
    session.write_state(status, **({"process": process} if process else {"exit_status": 0}))
    return session


def _write(path: Path, size: int) -> None:
    path.mkdir()
    (path / "weights").write_bytes(os.urandom(size))


def _left(session: Session) -> tuple[list[str], bool]:
    return checkpoint_names(session.checkpoints), session.work.exists()


def test_the_best_and_the_newest_stay_and_what_is_freed_is_shown_before(nsml: Nsml) -> None:
    session = _session()
    dry = nsml("prune", "--dry-run")
    assert dry.status == 0 and "1 2" in dry.out and "would free 7.0 kB of 1 session\n" in dry.out
    asked = nsml("prune")
    assert asked.status == 1 and "no terminal to confirm" in asked.err
    assert _left(session) == (["1", "2", "best", "3"], True)
    assert nsml("prune", "-f").out.endswith("freed 7.0 kB\n")
    assert _left(session) == (["best", "3"], False)
    assert nsml("prune", "-f").err == "nothing can be removed of 1 session\n"


def test_a_name_of_keep_that_no_session_has_is_said(nsml: Nsml) -> None:
    _session()
    shown = nsml("prune", "--dry-run", "--keep", "bset,last,work")
    assert shown.err == "warning: --keep bset: none of these sessions has a checkpoint of that name\n"
    assert "would free" in shown.out


@pytest.mark.parametrize(
    ("keep", "left"),
    [("best", ["best"]), ("last", ["3"]), ("1,best", ["1", "best"]), ("none", ["3"]), ("2,work", ["2"])],
)
def test_keep_names_what_stays_and_the_newest_does_where_there_is_none_of_it(
    nsml: Nsml, keep: str, left: list[str]
) -> None:
    session = _session()
    assert nsml("prune", "-f", "--keep", keep, "none/1").status == 0
    assert _left(session) == (left, "work" in keep)


@pytest.mark.parametrize("status", ["Running", "Queued"])
def test_a_session_that_has_not_ended_is_not_touched(nsml: Nsml, status: str) -> None:
    session = _session(status=status)
    shown = nsml("prune", "-f", "none/1")
    assert f"it is {status}" in shown.out
    assert _left(session) == (["1", "2", "best", "3"], True)


def test_only_ones_own_sessions_are_pruned_without_names(nsml: Nsml) -> None:
    _session()
    other = _session(user="other")
    nsml("prune", "-f")
    assert len(_left(other)[0]) == 4
    nsml("prune", "-f", "other/none/1")
    assert _left(other)[0] == ["best", "3"]


def test_a_submitted_checkpoint_stays(nsml: Nsml) -> None:
    session = _session()
    folder = open_submission(open_home(), "none")
    record_score(folder, user="tester", session=str(session.name), checkpoint="2", score=1.0)
    assert "a checkpoint is being submitted" in nsml("prune", "--dry-run").out
    close_submission(folder)
    assert "stays: 2 is submitted" in nsml("prune", "-f").out
    assert _left(session)[0] == ["2", "best", "3"]
    (folder / "submission.json").write_text("{")
    assert "a submission cannot be read" in nsml("prune", "-f", "--keep", "none").out
    assert len(_left(session)[0]) == 3


@pytest.mark.parametrize(
    ("status", "own", "stays"), [("Queued", "", True), ("Running", "5", True), ("Exited", "", True), ("Exited", "5", False)]
)  # fmt: skip
def test_the_checkpoint_that_a_fork_starts_from_stays_until_the_fork_has_its_own(
    nsml: Nsml, status: str, own: str, stays: bool
) -> None:
    source, fork = _session(), _session(status=status, names=own)
    write_json(fork.folder / "launch.json", {"source": str(source.name), "checkpoint": "1"})
    nsml("prune", "-f", "none/1")
    assert ("1" in _left(source)[0]) == stays


def test_what_arguments_or_code_of_another_session_name_stays(nsml: Nsml) -> None:
    named, loaded, free = _session(), _session(), _session("--other", "none/33")
    _session("--members", "tester/none/1:1", "none/1:2")
    reader = _session()
    reader.code.mkdir()
    (reader.code / "main.py").write_text("nsml.load(checkpoint='1', session='tester/none/2')\n")
    shown = nsml("prune", "-f").out
    assert "stays: 1 is named by tester/none/4, 2 is named by tester/none/4" in shown
    assert len(_left(named)[0]) == len(_left(loaded)[0]) == 4
    assert _left(free)[0] == ["best", "3"]


def test_nothing_goes_where_a_checkpoint_that_is_to_stay_is_damaged(nsml: Nsml) -> None:
    session = _session()
    (newest,) = session.checkpoints.glob("3@*")
    (newest / "model" / "weights").write_bytes(b"y" * 1000)
    shown = nsml("prune", "-f", "--keep", "last")
    assert shown.status == 1 and shown.out.endswith("freed 0 B\n")
    assert shown.err.startswith("nsml: tester/none/1 is left as it is: checkpoint 3 is damaged")
    other = _session()
    (newest,) = other.checkpoints.glob("3@*")
    (newest / "model" / "weights").write_bytes(b"y" * 1000)
    warning, error = nsml("prune", "-f", "--keep", "last").err.splitlines()
    assert warning.startswith("warning: tester/none/1 is left as") and error.startswith("nsml: tester/none/2 is left")
    assert len(_left(session)[0]) == 4
    with pytest.raises(Damaged):
        carry_out(plan_pruning(open_home(), [session], ["last"])[0])


def test_a_working_folder_that_is_a_link_leads_nowhere(nsml: Nsml, tmp_path: Path) -> None:
    session = _session()
    os.rename(session.work, tmp_path / "elsewhere")
    session.work.symlink_to(tmp_path / "elsewhere")
    nsml("prune", "-f")
    assert (tmp_path / "elsewhere" / "cache").exists()


def test_an_empty_name_to_keep_is_refused_in_one_line(nsml: Nsml) -> None:
    refused = nsml("prune", "--keep", "best,,")
    assert refused.status == 2 and refused.err.count("\n") == 1


def test_a_session_is_resumed_without_its_working_folder(nsml: Nsml, trained: str) -> None:
    nsml("prune", "-f", trained)
    assert nsml("model", "ls", trained).out.count("\n") == 2
    assert nsml("resume", trained).status == 0
    assert "with exit status 0" in nsml("logs", "-f", trained).out.splitlines()[-1]
