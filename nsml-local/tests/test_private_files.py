"""Who may read a home, and what a home that one may only read does."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import Ended, Nsml, run_command, start_and_wait

NOBODY = 65534
# Root writes where the permissions forbid it, unless it gives up the right to.
_WITHOUT_RIGHTS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        monkeypatch.setenv("NSML_HOME", f"{folder}/home")
        yield Path(folder, "home")


def test_the_home_and_the_files_that_are_written_into_it_are_their_owners_alone(
    reachable: Path, nsml: Nsml, dataset: str
) -> None:
    name = start_and_wait(nsml)
    assert nsml("submit", name, "best").status == 0
    # The code is a copy of the user's files, the model is what the program wrote, and a photograph is a link to the user's.
    files = [path for path in reachable.rglob("*") if path.is_file() and not path.is_symlink()]
    ours = [path for path in files if not {"code", "work", "model"} & set(path.parts)]
    assert len(ours) > 10
    assert reachable.stat().st_mode & 0o777 == 0o700
    assert [path for path in ours if path.stat().st_nlink == 1 and path.stat().st_mode & 0o077] == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user")
def test_another_user_of_the_machine_can_read_nothing(reachable: Path, nsml: Nsml, dataset: str) -> None:
    start_and_wait(nsml)
    paths = [str(path) for path in [reachable, *reachable.rglob("*")]]
    assert len(paths) > 20
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Of threads, of which the child uses none.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.write(writing, b"%d" % sum(map(_can_read, [str(reachable.parent), *paths])))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 20) == b"1"  # the folder around the home
    os.close(reading)
    os.close(writing)


def _can_read(path: str) -> bool:
    try:
        os.listdir(path)
        return True
    except NotADirectoryError:
        pass
    except OSError:
        return False
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True


@pytest.fixture
def read_only(nsml: Nsml, dataset: str, home: Path) -> Iterator[str]:
    """A home with an ended session, which is its name, that nothing can be written into."""
    name = start_and_wait(nsml)
    folders = [path for path in [home, *home.rglob("*")] if path.is_dir() and not path.is_symlink()]
    for folder in folders:
        folder.chmod(0o500)
    yield name
    for folder in folders:
        folder.chmod(0o700)


def without_rights(project: Path, *arguments: str) -> Ended:
    root = os.geteuid() == 0
    if root and not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and there is no setpriv to give that up")
    return run_command([*(_WITHOUT_RIGHTS if root else []), sys.executable, "-m", "nsml", *arguments], project)


@pytest.mark.parametrize(
    "command", ["ps -a", "logs {}", "model ls {}", "dataset ls", "dataset board FUNDUS", "plot {}"]
)
def test_a_home_that_can_only_be_read_is_read(read_only: str, project: Path, command: str) -> None:
    assert without_rights(project, *command.format(read_only).split()).status == 0


def test_labels_that_cannot_be_read_are_not_called_wrong(nsml: Nsml, trained: str, project: Path, home: Path) -> None:
    labels = home / "datasets" / "FUNDUS" / "hidden" / "test" / "test_label"
    labels.chmod(0)
    refused = without_rights(project, "submit", trained, "best")
    assert refused.status == 1 and "starting the program" not in refused.err
    (line,) = refused.err.splitlines()
    assert (
        "the labels of dataset FUNDUS cannot be read (Permission denied), so nothing can be scored; its organiser"
        in line
    )
    assert without_rights(project, "submit", "-t", trained, "best").status == 0


def test_scores_are_shown_where_the_labels_cannot_be_read(nsml: Nsml, trained: str, project: Path, home: Path) -> None:
    nsml("submit", trained, "best")
    labels = home / "datasets" / "FUNDUS" / "hidden" / "test" / "test_label"
    labels.chmod(0)
    assert "100.01" in without_rights(project, "ps", "-a").out
    board = without_rights(project, "dataset", "board", "FUNDUS")
    assert board.status == 0 and "100.01" in board.out
    assert f"warning: {labels} cannot be read (Permission denied), so scores may be of other labels" in board.err
    checked = without_rights(project, "doctor")
    assert "1 session" in checked.out and "Permission denied; " not in checked.err


def test_ps_names_reports_that_cannot_be_read(nsml: Nsml, trained: str, project: Path, home: Path) -> None:
    reports = home / "sessions" / trained / "metrics.jsonl"
    reports.chmod(0)
    shown = without_rights(project, "ps", "-a")
    assert shown.status == 0 and trained in shown.out
    assert shown.err.startswith(f"warning: {reports} cannot be read (Permission denied); change its permissions")


@pytest.mark.parametrize(
    "command",
    [
        "run -d FUNDUS",
        "memo {} words",
        "tag {} +word",
        "rm -f {}",
        "prune -f",
        "submit {} best",
        "resume {}",
        "fork {}",
        "login somebody",
    ],
)
def test_a_command_that_would_write_into_it_says_so_in_one_line_and_fails(
    read_only: str, project: Path, command: str
) -> None:
    ended = without_rights(project, *command.format(read_only).split())
    assert ended.status == 1
    (line,) = ended.err.splitlines()
    assert "Permission denied" in line
    assert "NSML_HOME" in line
