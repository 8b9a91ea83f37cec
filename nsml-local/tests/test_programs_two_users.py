"""Two users, `tester` and `other`, in one home."""

import json
from pathlib import Path

import pytest
from helpers import Nsml
from program_helpers import printed, push, put, scored, train


@pytest.fixture(autouse=True)
def numbers(tmp_path: Path) -> None:
    push(tmp_path)


@pytest.fixture
def two(nsml: Nsml, project: Path) -> None:
    """A session of `tester`, and one of `other` that goes on from its checkpoint."""
    put(project, "library/borrows_from_another_user.py")
    train(nsml)
    started = nsml("run", "-d", "NUMBERS", "-a", "--pretrained tester/NUMBERS/1 --off=-2", NSML_USER="other")
    assert started.out == "Session other/NUMBERS/1 is started\n"
    nsml("logs", "-f", "other/NUMBERS/1")


@pytest.mark.usefixtures("two")
def test_a_program_loads_the_checkpoint_of_another_users_session(nsml: Nsml) -> None:
    assert printed(nsml, "other/NUMBERS/1") == ["5.0 tester/NUMBERS/1 other/NUMBERS/1"]


@pytest.mark.usefixtures("two")
def test_both_users_stand_on_the_board(nsml: Nsml) -> None:
    assert scored(nsml("submit", "NUMBERS/1", "best")) == "Score: 0.75"
    assert scored(nsml("submit", "NUMBERS/1", "best", NSML_USER="other")) == "Score: 1"
    rows = json.loads(nsml("dataset", "board", "-j", "NUMBERS").out)
    assert [(row["rank"], row["user"], row["score"]) for row in rows] == [(1, "other", 1.0), (2, "tester", 0.75)]


@pytest.mark.usefixtures("two")
def test_a_fork_of_another_users_session_gets_a_number_of_ones_own(nsml: Nsml) -> None:
    assert nsml("fork", "tester/NUMBERS/1", NSML_USER="other").out == "Session other/NUMBERS/2 is started\n"
    assert "exit status 0" in nsml("logs", "-f", "other/NUMBERS/2").out
