"""Links, `..`, absolute and colliding names: nothing is read from outside the folders that are meant, and nothing is written there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsml.engine.snapshot import take_snapshot
from nsml.errors import NsmlError
from nsml.store.checkpoints import list_checkpoints, store
from nsml.store.copies import copy_out
from nsml.store.datasets import push_dataset
from nsml.store.home import open_home
from nsml.store.sessions import Session, create_session
from stress.homes import Ended, nsml

SECRET = "the secret"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "outside" / "secret.txt"
    path.parent.mkdir()
    path.write_text(SECRET)
    return path


@pytest.fixture(autouse=True)
def nothing_changed_outside(secret: Path) -> Iterator[None]:
    yield
    assert [path.name for path in secret.parent.iterdir()] == ["secret.txt"] and secret.read_text() == SECRET


def _texts(folder: Path) -> list[str]:
    return [path.read_text() for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    made = create_session(open_home(), "tester", "D", {"entry": "main.py", "arguments": []})
    made.write_state("Exited", exit_status=0)
    for folder in (made.code, made.work):
        folder.mkdir()
        (folder / "main.py").write_text("print()")
    return made


def test_links_to_a_secret_of_every_kind_are_not_copied_with_the_code(tmp_path: Path, secret: Path) -> None:
    project = tmp_path / "project"
    (project / "inner").mkdir(parents=True)
    (project / "main.py").write_text("print()")
    (project / "absolute").symlink_to(secret)
    (project / "relative").symlink_to(os.path.relpath(secret, project))
    (project / "inner" / "chain").symlink_to("../absolute")
    (project / "folder").symlink_to(secret.parent)
    (project / "itself").symlink_to("itself")
    os.mkfifo(project / "pipe")
    snapshot = take_snapshot(project, tmp_path / "code")
    assert snapshot.files == ["main.py"] and SECRET not in _texts(tmp_path / "code")
    assert {name for name, _ in snapshot.left_out} == {
        "absolute",
        "relative",
        "inner/chain",
        "folder",
        "itself",
        "pipe",
    }


def test_names_that_a_disk_might_confuse_travel_side_by_side(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    names = ["A.py", "a.py", "é.py", "e\u0301.py"]
    for name in names:
        (project / name).write_text(name)
    take_snapshot(project, tmp_path / "code")
    assert sorted(_texts(tmp_path / "code")) == sorted((project / name).read_text() for name in os.listdir(project))


@pytest.mark.parametrize("command", [["pull"], ["download"]], ids=" ".join)
@pytest.mark.parametrize("kind", ["file", "folder", "target"])
def test_nothing_is_written_through_a_link(
    session: Session, tmp_path: Path, secret: Path, command: list[str], kind: str
) -> None:
    target = tmp_path / "target"
    if kind == "target":
        (session.code / "secret.txt").write_text("overwritten")
        (session.work / "secret.txt").write_text("overwritten")
        target.mkdir()
        (target / "secret.txt").symlink_to(secret)
    else:
        for folder in (session.code, session.work):
            (folder / "inner").mkdir()
            (folder / "inner" / "secret.txt").write_text("overwritten")
        target.mkdir()
        (target / "inner").symlink_to(secret.parent) if kind == "folder" else None
        if kind == "file":
            (target / "inner").mkdir()
            (target / "inner" / "secret.txt").symlink_to(secret)
    ended = nsml(*command, "-f", str(session.name), str(target))
    assert _is_one_line(ended) and "link" in ended.err


def test_a_session_that_left_links_and_a_loop_gives_only_its_own_files(
    session: Session, tmp_path: Path, secret: Path
) -> None:
    (session.work / "file").symlink_to(secret)
    (session.work / "folder").symlink_to(secret.parent)
    (session.work / "loop").symlink_to(".")
    (session.work / "itself").symlink_to("itself")
    assert nsml("download", str(session.name), str(tmp_path / "all")).status == 0
    assert _texts(tmp_path / "all") == ["print()"]
    for sub in ("file", "folder", "folder/secret.txt", "itself/x"):
        assert _is_one_line(nsml("download", str(session.name), str(tmp_path / "some"), "-s", sub))
    assert not (tmp_path / "some").exists()


@pytest.mark.parametrize("name", ["../../../x", "/abs", "a/../../b", "..", "A", "a", "a\\..\\b", "x" * 255, "\n"])
def test_a_checkpoint_of_any_name_lies_in_its_session_and_is_pulled_into_the_folder(
    session: Session, tmp_path: Path, name: str
) -> None:
    store(session.checkpoints, name, lambda path: path.write_text("w") and None, elapsed=0.0, summary={})
    assert [path.parent for path in session.checkpoints.iterdir()] == [session.checkpoints]
    assert nsml("model", "pull", str(session.name), name, str(tmp_path / "out")).status == 0
    assert _texts(tmp_path / "out") == ["w"]


def test_two_checkpoints_whose_names_differ_in_case_are_two(session: Session) -> None:
    for name in ("best", "BEST", "Best"):
        store(
            session.checkpoints, name, lambda path, text=name: path.write_text(text) and None, elapsed=0.0, summary={}
        )
    folders = {path.name.lower() for path in session.checkpoints.iterdir()}
    assert len(folders) == len(list_checkpoints(session.checkpoints)) == 3


def test_a_folder_that_links_to_itself_is_pushed_once(tmp_path: Path) -> None:
    inside = tmp_path / "d" / "train" / "train_data" / "A"
    inside.mkdir(parents=True)
    (inside / "a.txt").write_text("a")
    (inside / "loop").symlink_to("..")
    (inside / "itself").symlink_to("itself")
    pushed = push_dataset(open_home(), "LOOP", tmp_path / "d")
    assert pushed.record()["train_files"] == 2
    assert nsml("dataset", "show", "LOOP").status == 0


def test_an_entry_file_that_is_a_link_out_of_the_folder_is_refused(
    tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "main.py").symlink_to(secret)
    (project / "itself.py").symlink_to("itself.py")
    monkeypatch.chdir(project)
    assert "must be inside" in nsml("run").err
    assert _is_one_line(nsml("run", "-e", "itself.py"))


def test_a_target_that_is_a_link_to_itself_is_refused(session: Session, tmp_path: Path) -> None:
    (tmp_path / "target").symlink_to("target")
    assert _is_one_line(nsml("pull", str(session.name), str(tmp_path / "target")))
    with pytest.raises(NsmlError):
        copy_out(session.code, tmp_path / "target", force=True)


def _is_one_line(ended: Ended) -> bool:
    return ended.status in (1, 2) and len(ended.err.splitlines()) == 1 and ended.err.startswith("nsml: ")


def test_the_home_in_a_code_folder_does_not_travel_and_is_no_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "main.py").write_text("print()")
    monkeypatch.setenv("NSML_HOME", str(project / "home"))
    (open_home().datasets / "D" / "hidden").mkdir(parents=True)
    (open_home().datasets / "D" / "hidden" / "test_label").write_text(SECRET)
    assert take_snapshot(project, tmp_path / "code").files == ["main.py"]
    pushed = nsml("dataset", "push", "ME", str(project))
    assert _is_one_line(pushed) and "the home of nsml" in pushed.err


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history", "bin/activate_this.py"])
def test_an_environment_does_not_travel_whatever_its_name(project: Path, tmp_path: Path, mark: str) -> None:
    for folder in ("tf215", "tools/.keras"):
        for name in (mark, "lib/python3.11/site-packages/keras/big.py", "share/doc.txt"):
            (project / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (project / folder / name).write_text("")
    (project / "venv").mkdir()
    (project / "venv" / "model.py").write_text("")
    snapshot = take_snapshot(project, tmp_path / "code")
    assert snapshot.files == ["main.py", "venv/model.py"]
    assert snapshot.left_out == [("tf215", "a virtual environment"), ("tools/.keras", "a virtual environment")]


def test_a_project_that_is_its_own_environment_travels_without_it(project: Path, tmp_path: Path) -> None:
    for name in ("pyvenv.cfg", "bin/python", "lib/python3.11/site-packages/x.py", "model/net.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("")
    snapshot = take_snapshot(project, tmp_path / "code")
    assert set(snapshot.files) == {"main.py", "pyvenv.cfg", "model/net.py"}
    assert [name for name, _ in snapshot.left_out] == ["bin", "lib"]
