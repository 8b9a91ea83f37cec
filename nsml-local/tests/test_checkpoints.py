"""Checkpoints on disk."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from helpers import Nsml

from nsml.errors import Damaged, NsmlError
from nsml.store.checkpoints import (
    Checkpoint,
    checkpoint_names,
    discard_superseded,
    find_checkpoint,
    list_checkpoints,
    remove_checkpoint,
    store,
)


def _store(folder: Path, name: str, content: str = "weights") -> Checkpoint:
    def write(path: Path) -> None:
        path.mkdir()
        (path / "weights.txt").write_text(content)

    return store(folder, name, write, elapsed=1.0, summary={"val/score": 70.0})


def test_a_checkpoint_holds_what_was_written(tmp_path: Path) -> None:
    _store(tmp_path, "best")
    checkpoint = find_checkpoint(tmp_path, "best", "s")
    assert (checkpoint.model / "weights.txt").read_text() == "weights" and checkpoint.size == 7


def test_saving_a_name_again_replaces_it(tmp_path: Path) -> None:
    _store(tmp_path, "best", "old")
    _store(tmp_path, "best", "new")
    assert [(c.model / "weights.txt").read_text() for c in list_checkpoints(tmp_path) if isinstance(c, Checkpoint)] == [
        "new"
    ]


def test_a_save_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    _store(tmp_path, "best", "old")

    def fail(path: Path) -> None:
        path.mkdir()
        (path / "weights.txt").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        store(tmp_path, "best", fail, elapsed=0, summary={})
    assert (find_checkpoint(tmp_path, "best", "s").model / "weights.txt").read_text() == "old"
    assert [p for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_pipe_in_a_checkpoint_is_refused_and_holds_nobody_up(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        store(tmp_path, "best", lambda path: os.mkfifo(path), elapsed=0, summary={})


def store_twice_and_die_in_between(folder: Path, name: str) -> Checkpoint:
    """As a program leaves it that is killed after its save is whole, and before the one of before is gone."""
    first = _store(folder, name, "old")
    shutil.copytree(first.folder, folder / "kept")
    second = _store(folder, name, "new")
    (folder / "kept").rename(first.folder)
    return second


def test_a_removed_checkpoint_does_not_come_back_as_the_save_before_it(tmp_path: Path) -> None:
    _store(tmp_path, "1")
    remove_checkpoint(store_twice_and_die_in_between(tmp_path, "0"))
    assert checkpoint_names(tmp_path) == ["1"]


def test_a_checkpoint_saved_again_after_it_was_listed_is_not_removed(tmp_path: Path) -> None:
    looked_up = store_twice_and_die_in_between(tmp_path, "0")
    _store(tmp_path, "0", "newest")
    remove_checkpoint(looked_up)
    assert (find_checkpoint(tmp_path, "0", "s").model / "weights.txt").read_text() == "newest"


def test_only_what_a_newer_save_should_have_removed_is_cleared(tmp_path: Path) -> None:
    _store(tmp_path, "1")
    newest = store_twice_and_die_in_between(tmp_path, "0")
    assert len(list(discard_superseded(tmp_path))) == 1
    assert find_checkpoint(tmp_path, "0", "s").folder == newest.folder
    assert checkpoint_names(tmp_path) == ["1", "0"]
    assert list(discard_superseded(tmp_path)) == []


def test_a_single_file_can_be_a_checkpoint(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        path.write_text("x")

    store(tmp_path, "file", write, elapsed=0, summary={})
    checkpoint = find_checkpoint(tmp_path, "file", "s")
    checkpoint.verify()
    assert checkpoint.model.read_text() == "x"


def test_without_a_name_the_newest_by_time_is_chosen(tmp_path: Path) -> None:
    for name in ("9", "10", "2"):
        _store(tmp_path, name)
    assert find_checkpoint(tmp_path, None, "s").name == "2"


def test_checkpoints_are_listed_in_the_order_of_saving(tmp_path: Path) -> None:
    for name in ("9", "10", "best"):
        _store(tmp_path, name)
    assert [c.name for c in list_checkpoints(tmp_path) if isinstance(c, Checkpoint)] == ["9", "10", "best"]


def test_an_unknown_name_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    _store(tmp_path, "9")
    with pytest.raises(NsmlError, match="no checkpoint 'best'; it has 9"):
        find_checkpoint(tmp_path, "best", "s")


@pytest.mark.parametrize("change", [b"Weights", b"weight", b""])
def test_a_changed_file_is_noticed(tmp_path: Path, change: bytes) -> None:
    checkpoint = _store(tmp_path, "best")
    (checkpoint.model / "weights.txt").write_bytes(change)
    with pytest.raises(Damaged, match="best is damaged"):
        find_checkpoint(tmp_path, "best", "s").verify()


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    checkpoint = _store(tmp_path, "best")
    (checkpoint.model / "weights.txt").unlink()
    with pytest.raises(Damaged, match=r"weights\.txt"):
        checkpoint.verify()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"name": "x", "files": 3}'])
def test_a_damaged_manifest_hides_no_other_checkpoint(tmp_path: Path, content: str) -> None:
    _store(tmp_path, "good")
    bad = _store(tmp_path, "bad")
    (bad.folder / "checkpoint.json").write_text(content)
    listed = list_checkpoints(tmp_path)
    assert isinstance(listed[0], Checkpoint) and listed[0].name == "good"
    assert isinstance(listed[1], Damaged) and len(listed) == 2


def test_a_checkpoint_that_cannot_be_removed_is_not_reported_as_removed(
    nsml: Nsml, trained: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from nsml.cli.model import rm

    def read_only(source: object, target: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(source))

    with monkeypatch.context() as patched:
        patched.setattr("nsml.store.checkpoints.os.rename", read_only)
        refused = CliRunner().invoke(rm, ["-f", trained, "0"])
    assert isinstance(refused.exception, OSError)
    assert refused.output == ""
    assert nsml("model", "ls", trained).out.splitlines()[1].startswith("0 ")
