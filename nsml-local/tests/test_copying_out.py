"""`nsml pull`, `download`, `model pull`, and what is removed: `rm`, `model rm`."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import Nsml, start_and_wait

from nsml.engine.resources import set_side_by_side
from nsml.errors import NsmlError
from nsml.store.copies import copy_out
from nsml.store.home import open_home


def test_pull_copies_the_uploaded_files(nsml: Nsml, trained: str, tmp_path: Path, project: Path) -> None:
    assert nsml("pull", trained, str(tmp_path / "out")).status == 0
    assert (tmp_path / "out" / "main.py").read_text() == (project / "main.py").read_text()


def test_download_copies_what_the_session_wrote(nsml: Nsml, dataset: str, project: Path, tmp_path: Path) -> None:
    (project / "write.py").write_text(
        "import os; os.makedirs('plots'); open('plots/a.txt', 'w').write('a'); open('b.txt', 'w')"
    )
    name = start_and_wait(nsml, "-e", "write.py")
    nsml("download", name, str(tmp_path / "all"))
    nsml("download", name, str(tmp_path / "some"), "-s", "plots")
    assert sorted(p.name for p in (tmp_path / "all").iterdir()) == ["b.txt", "main.py", "plots", "write.py"]
    assert [p.name for p in (tmp_path / "some").iterdir()] == ["a.txt"]


def test_download_says_how_many_links_and_pipes_it_leaves_out(nsml: Nsml, trained: str, tmp_path: Path) -> None:
    work = open_home().sessions / trained / "work"
    os.mkfifo(work / "pipe")
    (work / "to_a_folder").symlink_to("/etc")
    (work / "to_nothing").symlink_to("/nothing")
    downloaded = nsml("download", trained, str(tmp_path / "out"))
    assert downloaded.status == 0 and downloaded.err.startswith("3 left out, as no regular file (a link, a pipe)")
    assert nsml("download", trained, str(tmp_path / "some"), "-s", "main.py").err == ""


def test_model_pull_copies_to_user_dataset_number_checkpoint_model(nsml: Nsml, trained: str, project: Path) -> None:
    nsml("model", "pull", trained, "best", "./")
    assert (project / "tester_FUNDUS_1" / "best" / "model" / "model.json").exists()


@pytest.mark.parametrize("hook", ["pass", "os.rmdir(path)"])
def test_a_checkpoint_without_a_file_is_pulled_as_an_empty_folder(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path, hook: str
) -> None:
    (project / "main.py").write_text(
        f"import nsml, os\ndef save(path):\n    {hook}\nnsml.bind(save=save)\nnsml.save(1)\n"
    )
    name = start_and_wait(nsml)
    pulled = nsml("model", "pull", name, "1", str(tmp_path))
    folder = tmp_path / "tester_FUNDUS_1" / "1" / "model"
    assert (pulled.status, pulled.out) == (0, f"0 files copied to {folder}\n")
    assert pulled.err == f"warning: checkpoint 1 of session {name} is empty\n"
    assert folder.is_dir() and not any(folder.iterdir())
    (open_home().sessions / name / "checkpoints" / "1@1" / "model").rmdir()  # as older versions stored it
    assert nsml("model", "pull", name, "1", str(tmp_path / "again")).status == 0


@pytest.mark.parametrize("command", [["pull"], ["download"], ["model", "pull"]], ids=" ".join)
def test_nothing_is_overwritten_unless_it_is_asked_for(
    nsml: Nsml, trained: str, tmp_path: Path, command: list[str]
) -> None:
    words = [*command, trained, *(["best"] if command[0] == "model" else []), str(tmp_path / "out")]
    assert nsml(*words).status == 0
    refused = nsml(*words)
    assert refused.status == 2 and "already exists" in refused.err
    assert nsml(*words, "-f").status == 0


@pytest.mark.parametrize("subpath", ["..", "../code", "/etc"])
def test_download_takes_nothing_from_outside_the_working_folder(
    nsml: Nsml, trained: str, tmp_path: Path, subpath: str
) -> None:
    refused = nsml("download", trained, str(tmp_path / "out"), "-s", subpath)
    assert refused.status == 2 and "outside" in refused.err


def test_a_link_in_the_target_is_not_followed_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_text("new")
    (tmp_path / "elsewhere").write_text("old")
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NsmlError, match="link"):
        copy_out(tmp_path / "source", tmp_path / "target", force=True)
    assert (tmp_path / "elsewhere").read_text() == "old"


def test_a_link_that_a_session_left_is_not_copied(nsml: Nsml, dataset: str, project: Path, tmp_path: Path) -> None:
    (project / "link.py").write_text("import os; os.symlink('/etc/hostname', 'leak')")
    nsml("download", start_and_wait(nsml, "-e", "link.py"), str(tmp_path / "out"))
    assert not (tmp_path / "out" / "leak").exists()


def test_a_checkpoint_whose_name_leaves_its_folder_is_pulled_inside_it(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path
) -> None:
    (project / "odd.py").write_text(
        "import nsml; nsml.save('../../odd', save_fn=lambda d: open(d + '/f', 'w').close())"
    )
    name = start_and_wait(nsml, "-e", "odd.py")
    nsml("model", "pull", name, "../../odd", str(tmp_path / "a" / "b"))
    assert [p.relative_to(tmp_path).parts[:2] for p in (tmp_path / "a").rglob("f")] == [("a", "b")]


def test_rm_shows_what_it_will_remove_and_asks(nsml: Nsml, trained: str) -> None:
    asked = nsml("rm", trained)
    assert asked.status == 1 and "-f does not ask" in asked.err
    assert trained in asked.out and trained in nsml("ps", "-a").out


def test_rm_takes_a_pattern_and_numbers_are_never_given_again(nsml: Nsml, dataset: str) -> None:
    for _ in range(3):
        start_and_wait(nsml)
    assert nsml("rm", "-f", "FUNDUS/?").out.count("is removed") == 3
    assert len(nsml("ps", "-a").out.splitlines()) == 1
    assert nsml("run", "-d", dataset).out == "Session tester/FUNDUS/4 is started\n"


def test_rm_refuses_a_session_that_runs(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "sleep.py").write_text("import time; time.sleep(60)")
    nsml("run", "-d", dataset, "-e", "sleep.py")
    refused = nsml("rm", "-f", "FUNDUS/1")
    assert refused.status == 2 and "nsml stop" in refused.err
    assert "nsml stop" in nsml("rm", "FUNDUS/1").err  # without asking first
    nsml("stop", "-f", "FUNDUS/1")


@pytest.fixture
def full(nsml: Nsml, trained: str, project: Path, home: Path) -> Iterator[None]:
    """A session runs for which each later one has to wait, while `trained` has ended."""
    set_side_by_side(open_home(home), 1)
    (project / "sleep.py").write_text("import time; time.sleep(60)")
    nsml("run", "--env", "current", "-e", "sleep.py")
    yield
    nsml("stop", "-f", "none/1")


@pytest.fixture
def queued_fork(nsml: Nsml, trained: str, full: None) -> str:
    """A fork of `trained` from its checkpoint 1, which waits for another session."""
    forked = nsml("fork", trained, "-c", "1")
    assert "is queued" in forked.out
    return forked.out.split()[1]


@pytest.mark.parametrize("command", [["rm", "-f"], ["model", "rm", "-f"]], ids=" ".join)
def test_what_a_queued_fork_starts_from_is_not_removed_before_the_fork_is_stopped(
    nsml: Nsml, trained: str, queued_fork: str, command: list[str]
) -> None:
    words = [*command, trained, *(["?"] if command[0] == "model" else [])]
    refused = nsml(*words)
    assert refused.status == 2 and len(refused.err.splitlines()) == 1 and refused.out == ""
    assert f"{queued_fork}, which is Queued, starts from it" in refused.err
    assert nsml("stop", "-f", queued_fork).status == 0
    assert nsml(*words).status == 0


def test_a_checkpoint_that_no_queued_fork_starts_from_is_removed(nsml: Nsml, trained: str, queued_fork: str) -> None:
    assert nsml("model", "rm", "-f", trained, "0").out == "Checkpoint 0 is removed\n"


def test_the_checkpoint_from_which_its_session_waits_to_be_resumed_is_not_removed(
    nsml: Nsml, trained: str, full: None
) -> None:
    nsml("resume", trained)
    newest = json.loads(nsml("model", "ls", "-j", trained).out)[-1]["checkpoint"]
    refused = nsml("model", "rm", "-f", trained, newest)
    assert refused.status == 2 and refused.out == ""
    assert f"checkpoint {newest} of session {trained} is not removed: {trained}, which is Queued, starts" in refused.err


def test_an_older_checkpoint_of_a_session_that_waits_to_be_resumed_is_removed(
    nsml: Nsml, trained: str, full: None
) -> None:
    nsml("resume", trained)
    assert nsml("model", "rm", "-f", trained, "0").out == "Checkpoint 0 is removed\n"


def test_rm_leaves_the_score_on_the_board(nsml: Nsml, trained: str) -> None:
    nsml("submit", trained, "best")
    nsml("rm", "-f", trained)
    assert len(json.loads(nsml("dataset", "board", "-j", "FUNDUS").out)) == 1


@pytest.mark.parametrize(("pattern", "left"), [("0", ["1", "best"]), ("?", ["best"]), ("*", [])])
def test_model_rm_takes_a_name_or_a_pattern(nsml: Nsml, trained: str, pattern: str, left: list[str]) -> None:
    assert nsml("model", "rm", "-f", trained, pattern).status == 0
    assert [c["checkpoint"] for c in json.loads(nsml("model", "ls", "-j", trained).out)] == left


def test_a_checkpoint_named_with_a_star_is_removed_alone(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "stars.py").write_text("import nsml; nsml.save('*'); nsml.save('1')")
    name = start_and_wait(nsml, "-e", "stars.py")
    nsml("model", "rm", "-f", name, "*")
    assert [c["checkpoint"] for c in json.loads(nsml("model", "ls", "-j", name).out)] == ["1"]
