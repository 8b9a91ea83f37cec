"""A session on several datasets at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import PROGRAM, Nsml, make_dataset, start_and_wait, wait_until

SHOW = "print('PATHS', nsml.DATASET_PATH, nsml.DATASET_NAME, os.path.join(nsml.DATASET_PATH, 'train'))\n"


@pytest.fixture
def second(nsml: Nsml, project: Path, tmp_path: Path, dataset: str) -> str:
    """Another dataset beside FUNDUS, and a program that prints what it sees of both."""
    nsml("dataset", "push", "SECOND", str(make_dataset(tmp_path / "second")))
    (project / "main.py").write_text(PROGRAM.replace("model = {", SHOW + "model = {"))
    return "SECOND"


def test_its_dataset_path_is_a_list(nsml: Nsml, home: Path, second: str) -> None:
    name = start_and_wait(nsml, dataset="FUNDUS,SECOND")
    shown = next(line for line in nsml("logs", name).out.splitlines() if line.startswith("PATHS"))
    first, other = (str(home / "datasets" / n / "training") for n in ("FUNDUS", "SECOND"))
    assert shown == f"PATHS {[first, other]} FUNDUS {first}/train"


def test_it_is_named_after_and_scored_on_the_first(nsml: Nsml, second: str) -> None:
    name = start_and_wait(nsml, dataset="FUNDUS,SECOND")
    assert name == "tester/FUNDUS/1" and nsml("submit", name, "best").out.splitlines()[-1] == "Done"
    assert "tester" in nsml("dataset", "board", "FUNDUS").out and "tester" not in nsml("dataset", "board", "SECOND").out


def test_a_fork_sees_them_too(nsml: Nsml, second: str) -> None:
    forked = nsml("fork", start_and_wait(nsml, dataset="FUNDUS,SECOND"), "-c", "1").out.split()[1]
    assert "'" in nsml("logs", "-f", forked).out.split("PATHS")[1].splitlines()[0]


def test_a_dataset_that_is_not_there_is_named(nsml: Nsml, dataset: str) -> None:
    refused = nsml("run", "-d", "FUNDUS,NOWHERE")
    assert refused.status == 2 and "there is no dataset NOWHERE" in refused.err


@pytest.fixture
def forked(nsml: Nsml, second: str) -> str:
    """A fork of a session on both datasets; the first is submitted."""
    first = start_and_wait(nsml, dataset="FUNDUS,SECOND")
    assert nsml("submit", first, "best").status == 0
    name = nsml("fork", first, "-c", "1").out.split()[1]
    nsml("logs", "-f", name)
    return name


def test_renamed_datasets_go_on_in_sessions_forks_submits_and_on_the_board(nsml: Nsml, forked: str, home: Path) -> None:
    assert nsml("dataset", "rename", "SECOND", "OTHER").status == 0
    assert nsml("dataset", "rename", "FUNDUS", "EYES").status == 0
    assert nsml("submit", "EYES/2", "best").out.endswith("Done\n")
    assert nsml("fork", "EYES/2").out == "Session tester/EYES/3 is started\n"
    assert nsml("logs", "-f", "EYES/3").out.endswith("seconds\n")
    assert nsml("resume", "EYES/1").status == 0
    assert nsml("logs", "-f", "EYES/1").out.count("ended with exit status 0") == 2
    assert "fork of tester/EYES/1, checkpoint 1" in nsml("ps", "-a").out
    assert {r["session"] for r in json.loads(nsml("dataset", "board", "--mine", "-j", "EYES").out)} == {
        "tester/EYES/1",
        "tester/EYES/2",
    }
    assert "FUNDUS" not in nsml("command", "EYES/1").out


def test_a_session_can_be_named_by_its_datasets_former_name(nsml: Nsml, forked: str) -> None:
    nsml("dataset", "rename", "FUNDUS", "EYES")
    assert nsml("model", "ls", "-j", "FUNDUS/1").out == nsml("model", "ls", "-j", "EYES/1").out
    refused = nsml("run", "-d", "FUNDUS")
    assert refused.status == 2 and "dataset FUNDUS was renamed; it is EYES now" in refused.err


@pytest.mark.parametrize("stop_at", range(1, 4))
def test_a_rename_that_is_interrupted_goes_on_when_it_is_called_again(
    nsml: Nsml, forked: str, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    from nsml.store import datasets
    from nsml.store.home import open_home

    calls = []
    real = datasets.os.rename

    def rename(source: Path, target: Path) -> None:
        if isinstance(source, Path) and not source.name.startswith("."):  # not of a file that is written
            calls.append(source)
            if len(calls) == stop_at:
                raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(datasets.os, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            datasets.rename_dataset(open_home(), "FUNDUS", "EYES")
    assert "'nsml dataset rename FUNDUS EYES' finishes it" in nsml("dataset", "rename", "FUNDUS", "X").err
    assert nsml("dataset", "rename", "FUNDUS", "EYES").status == 0
    assert nsml("submit", "EYES/2", "best").out.endswith("Done\n")
    assert json.loads(nsml("dataset", "board", "-j", "EYES").out)[0]["session"].startswith("tester/EYES/")


@pytest.mark.parametrize("command", [("rm", "-f"), ("rename",)])
@pytest.mark.parametrize("name", ["FUNDUS", "SECOND"])
def test_a_dataset_that_a_session_uses_is_neither_removed_nor_renamed(
    nsml: Nsml, second: str, project: Path, command: tuple[str, ...], name: str
) -> None:
    (project / "waits.py").write_text("import time; time.sleep(90)")
    nsml("run", "-d", "FUNDUS,SECOND", "-e", "waits.py")
    wait_until(lambda: "Running" in nsml("ps").out)
    refused = nsml("dataset", *command, name, *(["NEW"] if command == ("rename",) else []))
    assert refused.status == 2 and f"session tester/FUNDUS/1 uses dataset {name} (Running)" in refused.err
    nsml("stop", "-f", "FUNDUS/1")
    assert nsml("dataset", *command, name, *(["NEW"] if command == ("rename",) else [])).status == 0


def test_a_dataset_is_not_removed_under_a_submit(nsml: Nsml, second: str) -> None:
    from nsml.store.home import open_home
    from nsml.store.submissions import close_submission, open_submission

    folder = open_submission(open_home(), second)
    assert "a submit uses dataset SECOND" in nsml("dataset", "rm", "-f", second).err
    close_submission(folder)
    assert nsml("dataset", "rm", "-f", second).status == 0


def test_no_dataset_is_renamed_to_none(nsml: Nsml, dataset: str) -> None:
    refused = nsml("dataset", "rename", dataset, "none")
    assert refused.status == 2 and "none means 'no dataset'" in refused.err
