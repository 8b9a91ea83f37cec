"""A folder that cannot be read is named, and never left out in silence. Root may read all, so the refusal is that of `os.scandir`."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from nsml.engine.snapshot import copy_code, list_snapshot
from nsml.errors import RunFailed
from nsml.store.copies import copy_out
from nsml.store.datasets import push_dataset
from nsml.store.home import open_home
from nsml.store.photographs import photographs_below


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a package inside that cannot be read."""
    folder = tmp_path / "project"
    (folder / "package").mkdir(parents=True)
    (folder / "main.py").write_text("import package\n")
    scandir = os.scandir

    def refuse(path: Any = ".") -> Any:
        if os.path.basename(path) == "package":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    return folder


def test_a_session_is_said_to_lack_it(project: Path) -> None:
    snapshot = list_snapshot(project)
    assert snapshot.files == ["main.py"]
    assert snapshot.left_out == [("package", "it cannot be read: Permission denied")]


def test_code_that_lacks_it_is_not_run(project: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"cannot be copied to .*: Permission denied"):
        copy_code(project, tmp_path / "work")


def test_a_copy_that_would_lack_it_is_not_made(project: Path, tmp_path: Path) -> None:
    with pytest.raises(PermissionError):
        copy_out(project, tmp_path / "target", force=True)
    assert not (tmp_path / "target").exists()


def test_photographs_in_it_are_missed(project: Path) -> None:
    with pytest.raises(PermissionError):
        photographs_below(project)


def test_a_dataset_of_it_alone_is_not_called_empty(project: Path) -> None:
    (project / "main.py").unlink()
    with pytest.raises(PermissionError):
        push_dataset(open_home(), "FUNDUS", project)
