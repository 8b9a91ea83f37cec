"""Changed bytes in a home: what is damaged is named by every command that lists it, and everything else works."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nsml.errors import Damaged
from nsml.store.checkpoints import whole_checkpoint
from nsml.store.home import Home
from nsml.store.sessions import list_sessions
from stress.corruption import Change, changes, fill, losses
from stress.homes import DATASET, new_home, nsml, using

Filled = tuple[Home, list[Path]]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    home = new_home(tmp_path_factory.mktemp("damage") / "home")
    with using(home.path):
        return home, fill(home)


@pytest.fixture(autouse=True)
def used(filled: Filled, home: Path) -> Iterator[None]:
    with using(filled[0].path):
        yield


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), changes)
def test_a_change_at_random_is_named_and_hides_nothing_else(
    filled: Filled, data: st.DataObject, change: Change
) -> None:
    home, files = filled
    assert list(losses(home, data.draw(st.sampled_from(files)), change)) == []


@pytest.mark.parametrize(
    "name", ["session.json", "checkpoint.json", "metrics.jsonl", "log-cut.json", "submission.json", "weights"]
)
@pytest.mark.parametrize("kind", ["flip", "cut", "lose", "insert", "empty"])
def test_each_kind_of_change_of_each_kind_of_file_is_named(filled: Filled, name: str, kind: str) -> None:
    home, files = filled
    path = next(path for path in files if path.name == name)
    assert list(losses(home, path, Change(kind, 0.4, 0.01, 0x20))) == []


@pytest.mark.parametrize("name", ["session.json", "state.json", "submission.json", "metrics.jsonl"])
def test_a_folder_in_place_of_a_file_is_named(filled: Filled, name: str) -> None:
    path = next(path for path in filled[1] if path.name == name)
    path.rename(path.with_name("aside"))
    path.mkdir()
    try:
        checked = nsml("doctor")
        assert checked.status == 1 and f"{path} is damaged (Is a directory)" in checked.out
    finally:
        path.rmdir()
        path.with_name("aside").rename(path)


def test_a_checkpoint_whose_files_are_gone_is_named_and_the_one_before_is_taken(filled: Filled) -> None:
    from nsml.store.checkpoints import find_checkpoint, store

    session = list_sessions(filled[0])[0]
    later = store(session.checkpoints, "later", lambda path: path.write_text("x") and None, elapsed=0.0, summary={})
    later.model.unlink()
    listed = nsml("model", "ls", str(session.name))
    assert f"checkpoint later is damaged: {later.model} is missing" in listed.err and "best" in listed.out
    assert whole_checkpoint(session.checkpoints, None, "s").name == "best"
    with pytest.raises(Damaged, match="later is damaged"):
        whole_checkpoint(session.checkpoints, "later", "s")
    assert nsml("model", "rm", "-f", str(session.name), "later").out == "Checkpoint later is removed\n"
    assert find_checkpoint(session.checkpoints, None, "s").name == "best"


def test_a_damaged_session_keeps_no_other_from_being_stopped_or_removed(filled: Filled) -> None:
    from nsml.store.sessions import create_session

    home = filled[0]
    made = [create_session(home, "cho", DATASET, {"entry": "main.py", "arguments": []}) for _ in range(2)]
    for session in made:
        session.write_state("Exited", exit_status=0)
    (made[0].folder / "state.json").write_text("{")
    stopped = nsml("stop", "-f", f"cho/{DATASET}/*")
    assert stopped.status == 0 and "is damaged" in stopped.err
    assert nsml("status").status == 0
    assert nsml("rm", "-f", f"cho/{DATASET}/*").out.count("is removed") == 2


def test_a_manifest_that_names_a_file_outside_its_checkpoint_is_damaged(filled: Filled) -> None:
    from nsml.store.checkpoints import store
    from nsml.store.files import read_json, write_json

    session = list_sessions(filled[0])[0]
    checkpoint = store(session.checkpoints, "odd", lambda path: path.write_text("x") and None, elapsed=0.0, summary={})
    manifest = read_json(checkpoint.folder / "checkpoint.json")
    manifest["files"][0]["path"] = "../../../session.json"
    write_json(checkpoint.folder / "checkpoint.json", manifest)
    pulled = nsml("model", "pull", str(session.name), "odd", os.devnull)
    assert pulled.status == 1 and "checkpoint.json is damaged" in pulled.err
    checkpoint.folder.rename(checkpoint.folder.with_name(".removed"))
