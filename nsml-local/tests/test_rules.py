"""The rules of a competition: who may submit when, and what the board shows."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers import Nsml, make_dataset, start_and_wait
from hypothesis import given
from hypothesis import strategies as st

from nsml.store.files import write_json
from nsml.store.home import open_home
from nsml.store.processes import identity
from nsml.store.submissions import close_submission, counted_submissions, open_submission, record_failure, record_score
from nsml.wording import period

NAMES = {"session": "tester/D/1", "checkpoint": "best"}


def listed(nsml: Nsml, *options: str) -> list[dict[str, object]]:
    shown: list[dict[str, object]] = json.loads(nsml("dataset", "board", "-j", *options, "D").out)
    return shown


def push(nsml: Nsml, tmp_path: Path, *options: str) -> Path:
    source = make_dataset(tmp_path / "d")
    pushed = nsml("dataset", "push", "D", str(source), *options)
    assert pushed.status == 0, pushed.err
    return source


def test_of_two_submits_at_once_one_passes(nsml: Nsml, tmp_path: Path, project: Path) -> None:
    push(nsml, tmp_path, "--every", "8h")
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(
        program.replace("        return [int", "        import time; time.sleep(1)\n        return [int")
    )
    name = start_and_wait(nsml, dataset="D")
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda checkpoint: nsml("submit", name, checkpoint), ["0", "1", "best"]))
    assert sorted(e.status for e in ended) == [0, 2, 2]
    refusals = [e.err for e in ended if e.status]
    assert all("dataset D allows a submission every 8 hours; wait 8 hours, or" in line for line in refusals), refusals
    assert sorted(["refused" in record for record in listed(nsml, "--all")]) == [False, True, True]


def test_a_submit_that_fails_or_is_killed_leaves_its_turn_to_the_next() -> None:
    home = open_home()
    folders = [open_submission(home, "D", "tester", at) for at in (1.0, 2.0)]
    # The first of two is the one with the lower number, whichever asks first.
    assert [counted_submissions(home, "D", "tester", folder) for folder in folders] == [[], [1.0]]
    assert counted_submissions(home, "D", "tester") == [1.0, 2.0]
    assert counted_submissions(home, "D", "another", folders[1]) == []
    record_failure(folders[0], user="tester", **NAMES, error="no lens")
    close_submission(folders[0])
    assert counted_submissions(home, "D", "tester", folders[1]) == []
    write_json(folders[1] / "process.json", {**identity(), "boot": "0", "user": "tester", "at": 2.0})
    assert counted_submissions(home, "D", "tester") == []


def test_a_submit_that_has_just_scored_and_not_yet_ended_counts_once() -> None:
    home = open_home()
    folder = open_submission(home, "D", "tester", 5.0)
    record_score(folder, user="tester", **NAMES, score=1.0, at=5.0)
    assert counted_submissions(home, "D", "tester") == [5.0]
    close_submission(folder)
    assert counted_submissions(home, "D", "tester") == [5.0]


def test_a_refused_submit_is_listed_with_its_reason_and_asking_again_is_counted(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path, "--every", "90m")
    name = start_and_wait(nsml, dataset="D")
    assert nsml("submit", name, "best").status == 0
    for _ in range(3):
        refused = nsml("submit", name, "0")
        assert refused.status == 2 and "allows a submission every 1 hour 30 minutes; wait" in refused.err
    scored, failed = listed(nsml, "--all")
    assert scored["score"] == 100.010001 and failed["refused"] == 3 and failed["checkpoint"] == "0"
    row = nsml("dataset", "board", "--all", "D").out.splitlines()[-1]
    assert "tester" in row and "refused" in row and "every 1 hour 30 minutes" in row and row.endswith("(3 times)")
    assert "refused" in nsml("dataset", "board", "--mine", "D").out
    assert [entry.name for entry in (open_home().submissions / "D").iterdir()].count("4") == 1  # the last of the four


def test_the_submissions_of_all_users_are_listed(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path)
    home = open_home()
    for user in ("a", "b"):
        record_score(open_submission(home, "D"), user=user, **NAMES, score=1.0)
    record_failure(open_submission(home, "D"), user="b", **NAMES, error="no lens")
    assert [(r["number"], r["user"], r.get("error")) for r in listed(nsml, "--all")] == [
        ("1", "a", None), ("2", "b", None), ("3", "b", "no lens"),
    ]  # fmt: skip
    assert listed(nsml, "--mine") == []
    both = nsml("dataset", "board", "--all", "--mine", "D")
    assert both.status == 2 and "exclude each other" in both.err


def test_a_submit_on_wrong_labels_is_in_the_list(nsml: Nsml, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "d")
    (source / "test" / "test_label").write_text("test_data,000.png,0\n")
    nsml("dataset", "push", "D", str(source))
    nsml("submit", start_and_wait(nsml, dataset="D"), "best")
    (failed,) = listed(nsml, "--mine")
    assert "labels of dataset D are wrong" in str(failed["error"])


def test_the_number_of_scores_by_other_labels_is_said(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path)
    home = open_home()
    for labels, user in (("old", "a"), ("old", "b"), ("older", "b")):
        by = {"labels": labels, "scorer": "fundus"}
        record_score(open_submission(home, "D"), user=user, **NAMES, score=1.0, scored_by=by)
    shown = nsml("dataset", "board", "D").out
    assert "3 of 3 submissions are not ranked, as scored with other labels or another scorer" in shown


@pytest.mark.parametrize("changed", ["test/test_label/answers.txt", "evaluation/weights.txt"])
def test_a_change_of_any_file_that_the_scorer_reads_is_another_scorer(nsml: Nsml, tmp_path: Path, changed: str) -> None:
    source = make_dataset(tmp_path / "d")
    (source / "test" / "test_label").unlink()
    for name in ("test/test_label/answers.txt", "evaluation/weights.txt"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("1\n")
    (source / "evaluation" / "evaluation.py").write_text("print(1)\n")
    nsml("dataset", "push", "D", str(source))
    nsml("submit", start_and_wait(nsml, dataset="D"), "best")
    for text, outdated in (("1\n", False), ("2\n", True)):
        (source / changed).write_text(text)
        nsml("dataset", "rm", "-f", "D")
        nsml("dataset", "push", "D", str(source))
        assert [r["outdated"] for r in listed(nsml)] == [outdated]


@given(st.integers(min_value=1, max_value=10**7))
def test_a_period_is_said_to_the_second(seconds: int) -> None:
    units = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
    words = period(seconds).split()
    parts = [(int(count), units[unit.removesuffix("s")]) for count, unit in zip(words[::2], words[1::2], strict=True)]
    assert sum(count * unit for count, unit in parts) == seconds
    assert all(unit.endswith("s") == (count != "1") for count, unit in zip(words[::2], words[1::2], strict=True))
