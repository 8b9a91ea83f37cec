"""`nsml report`: a session's program writes a page on a checkpoint, and nothing of the session changes besides."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from helpers import PROGRAM, Ended, Nsml, start_and_wait

from nsml.cli.main import main

WRITES = """
if args.mode == "report":
    print("epoch of the checkpoint:", model["epoch"])
    nsml.save("never")
    nsml.report(summary=True, step=99, x=1)
    if "--fails" in sys.argv:
        sys.exit(3)
    folder = os.environ["NSML_REPORT"]
    with open(os.path.join(folder, "picture.png"), "w") as file:
        file.write("p")
    if "--silent" not in sys.argv:
        with open(os.path.join(folder, "report.html"), "w") as file:
            file.write(str(model["epoch"]) + str(os.path.isdir(os.path.join(nsml.DATASET_PATH, "train"))))
"""
KNOWING = (
    PROGRAM.replace("import os\n", "import os\nimport sys\n")
    .replace("parse_args()", "parse_known_args()[0]")
    .replace('args.mode == "test"', 'args.mode in ("test", "report")')
    + WRITES
)


@pytest.fixture
def report(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Nsml:
    """`nsml report ...` in this process."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["nsml", "report", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as raised:
            main()
        return Ended(int(str(raised.value.code)), *capfd.readouterr())

    return run


@pytest.fixture
def session(project: Path, nsml: Nsml, dataset: str, request: pytest.FixtureRequest) -> str:
    """The name of a session, with checkpoints 0, 1 and best, whose program writes reports."""
    (project / "main.py").write_text(KNOWING)
    return start_and_wait(nsml, "-a", getattr(request, "param", "--epoch 2"))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_report_is_written_into_the_sessions_folder_and_nothing_else_changes(
    session: str, report: Nsml, home: Path
) -> None:
    folder = home / "sessions" / session
    before = everything(folder)
    ended = report(session, "0")
    assert ended.status == 0, ended.err
    page = folder / "reports" / "0" / "report.html"
    assert ended.out.splitlines() == [
        "nsml: report on checkpoint 0",
        "epoch of the checkpoint: 0",
        "nsml.save: nothing is saved during a submit or a report",
        f"Report on {session}, checkpoint 0: {page}",
    ]
    assert page.read_text() == "0True"
    after = everything(folder)
    assert {name: after.pop(name) for name in list(after) if name.startswith("reports/")}.keys() == {
        "reports/0/report.html", "reports/0/picture.png"
    }  # fmt: skip
    assert after == before
    assert [path.name for path in (folder / "reports").iterdir()] == ["0"]


def test_without_a_name_it_is_on_best_and_a_new_report_takes_the_place_of_the_old(
    session: str, report: Nsml, home: Path, tmp_path: Path
) -> None:
    assert report(session).status == 0
    folder = home / "sessions" / session / "reports" / "best"
    (folder / "stale.png").write_text("old")
    ended = report(f"{session}:best", "--out", str(tmp_path / "pages"))
    assert ended.status == 0, ended.err
    assert sorted(path.name for path in folder.iterdir()) == ["picture.png", "report.html"]
    assert ended.out.splitlines()[-1] == f"2 files copied to {tmp_path / 'pages'}"
    assert (tmp_path / "pages" / "report.html").read_text() == "1True"
    again = report(session, "--out", str(tmp_path / "pages"))
    assert again.status == 2 and "-f" in again.err


def test_the_browser_is_opened_only_where_it_is_asked_for(
    session: str, report: Nsml, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or False)
    report(session)
    assert opened == []
    ended = report(session, "best", "--open")
    assert opened == [(home / "sessions" / session / "reports" / "best" / "report.html").as_uri()]
    assert ended.status == 0 and "no browser" in ended.err


@pytest.mark.parametrize(
    ("session", "message"),
    [("--epoch 1 --fails", "main.py ended with exit status 3"), ("--epoch 1 --silent", "wrote no .html file")],
    indirect=["session"],
)
def test_a_report_that_fails_leaves_the_one_before_it(session: str, report: Nsml, home: Path, message: str) -> None:
    folder = home / "sessions" / session / "reports" / "best"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("before")
    ended = report(session)
    assert ended.status == 1
    assert message in ended.err and len(ended.err.splitlines()[-1:]) == 1
    assert everything(home / "sessions" / session / "reports") == {"best/report.html": b"before"}


def test_a_program_without_the_mode_is_refused_in_one_line_and_not_started(trained: str, report: Nsml) -> None:
    ended = report(trained)
    assert (ended.status, ended.out) == (2, "")
    assert "does not know --mode report" in ended.err and len(ended.err.splitlines()) == 1


def test_a_checkpoint_named_twice_or_missing_is_an_error(trained: str, report: Nsml) -> None:
    assert "already names a checkpoint" in report(f"{trained}:0", "1").err
    assert "no checkpoint 'other'" in report(trained, "other").err


def test_by_hand_the_mode_report_loads_the_checkpoint_that_is_named(
    session: str, python: Nsml, tmp_path: Path, home: Path
) -> None:
    (tmp_path / "out").mkdir()
    ended = python(
        "main.py", "--mode", "report", "--iteration", "0", NSML_DATASET="FUNDUS", NSML_REPORT=str(tmp_path / "out")
    )
    assert ended.status == 0, ended.err
    assert "report on checkpoint 0" in ended.err
    assert (tmp_path / "out" / "report.html").read_text() == "0True"
    assert [name for name in os.listdir(home / "sessions" / "tester" / "FUNDUS") if name.isdecimal()] == ["1"]


def test_the_marks_of_lesions_are_no_training_files(nsml: Nsml, tmp_path: Path) -> None:
    for name in ("train_data/AMD/a.jpg", "train_data/NORMAL/b.jpg", "lesions/AMD/a.png"):
        (tmp_path / "set" / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / "train" / name).write_text("x")
    assert nsml("dataset", "push", "MARKED", str(tmp_path / "set")).status == 0
    (row,) = json.loads(nsml("dataset", "ls", "-j").out)
    assert row["train_files"] == 2
