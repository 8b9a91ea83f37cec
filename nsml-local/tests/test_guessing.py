"""A submission beside guessing: predictions of one class, and what the same answer for every photograph reaches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pytest
from helpers import Nsml, make_dataset, start_and_wait
from hypothesis import given, settings
from hypothesis import strategies as st

from nsml.scoring.guessing import best_constant, one_answer
from nsml.scoring.metrics import METRICS, score_files
from nsml.scoring.predictions import Kind
from nsml.store.files import read_json, write_json
from nsml.store.home import open_home
from nsml.store.submissions import open_submission, record_score

LABELS = [0, 0, 0, 0, 1, 1, 2, 3]
SHARES = st.lists(st.floats(0.01, 1), min_size=4, max_size=4).map(lambda row: [p / sum(row) for p in row])
ANSWERS: dict[Kind, Any] = {Kind.CLASS: st.integers(0, 3), Kind.NUMBER: st.floats(-9, 9), Kind.PROBABILITIES: SHARES}


@settings(max_examples=30, deadline=None)
@given(data=st.data(), metric=st.sampled_from([*METRICS]))
def test_no_same_answer_for_every_photograph_scores_better_than_the_one_that_is_shown(
    data: st.DataObject, metric: str
) -> None:
    result = METRICS[metric]
    labels = [*data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=12)), 0, 1]
    answer = data.draw(ANSWERS[result.kind])
    constant = best_constant(result.kind, labels, 4)
    tried, best = (result.compute(labels, [each] * len(labels)).score for each in (answer, constant))
    assert best <= tried + 1e-9 if result.lower_is_better else best >= tried - 1e-9


def test_the_constant_answer_of_a_known_case_has_its_score(tmp_path: Path) -> None:
    files = tmp_path / "predictions", tmp_path / "labels"
    for path in files:
        path.write_text("".join(f"d,{n},{label}\n" for n, label in enumerate(LABELS)))
    assert score_files("fundus", *files).constant == pytest.approx(50 + 0.25 / 100 + 0.75 / 1e6)
    assert score_files("accuracy", *files).constant == 0.5
    assert score_files("rmse", *files).constant == pytest.approx(numpy.std(LABELS))


@pytest.mark.parametrize(
    ("text", "kind", "answer"),
    [
        ("d,{n}.png,2\n", Kind.CLASS, "2"),
        ("2\n", Kind.CLASS, "2"),
        ("d,{n},0.5 0.2 0.3\n", Kind.PROBABILITIES, "0"),
        ("d,{n},0.{n}\n", Kind.PROBABILITIES, "0"),
        ("d,{n},0.9{n}\n", Kind.PROBABILITIES, "1"),
        ("d,{n},1.5\n", Kind.NUMBER, "1.5"),
        ("0.{n},3\n", None, "3"),
        ("{n}.png\tlow\n", None, "low"),
        ("d,{n}\x1c\u2028.png,2\n", Kind.CLASS, "2"),
    ],
)
def test_one_class_is_recognised_in_every_form_of_predictions(
    tmp_path: Path, text: str, kind: Kind | None, answer: str
) -> None:
    file = tmp_path / "predictions"
    file.write_text("".join(text.format(n=n % 5) for n in range(6)))
    assert one_answer(file, kind) == {"one_class": answer, "predictions": 6}
    file.write_text(("id,label\n" if kind is None else "") + "".join(text.format(n=n % 5) for n in range(5)))
    assert one_answer(file, kind) == {}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("d,0,1\n" * 9 + "d,9,0\n", Kind.CLASS),
        ("d,0,0.1 0.9\n" * 9 + "d,9,0.9 0.1\n", Kind.PROBABILITIES),
        ("d,0,0.1\n" * 9 + "d,9,0.9\n", Kind.PROBABILITIES),
        ("d,0,0.1\n" * 9 + "d,9,0.2\n", Kind.NUMBER),
        ("0,\n" * 9, None),
        ("\0" * 99, None),
        ("", None),
    ],
)
def test_different_answers_and_what_are_none_are_not_one_class(tmp_path: Path, text: str, kind: Kind | None) -> None:
    (tmp_path / "predictions").write_text(text)
    assert one_answer(tmp_path / "predictions", kind) == {}


@pytest.fixture
def collapsed(nsml: Nsml, project: Path, tmp_path: Path) -> str:
    """A session on a dataset of eight test photographs, half of class 0, that answers 0 for all of them."""
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(program.replace("int(image.mean()) % 4", "0"))
    assert nsml("dataset", "push", "FUNDUS", str(make_dataset(tmp_path / "eight", LABELS))).status == 0
    return start_and_wait(nsml)


def test_a_collapsed_network_is_named_in_submit_and_on_the_board(nsml: Nsml, collapsed: str) -> None:
    ended = nsml("submit", collapsed, "best")
    assert ended.out == "Score: 50.00250075\nDone\n"
    assert "warning: all 8 predictions are of one class, 0 (NORMAL): the network may have collapsed; " in ended.err
    assert "\nthe same answer for every photograph reaches at best 50.00250075\n" in ended.err
    assert "\nnot above the same answer for every photograph\n" in ended.err
    board = nsml("dataset", "board", "FUNDUS").out
    assert "  50.00250075 *  " in board and "\n* all predictions are of one class\n" in board
    assert "The same answer for every photograph reaches at best 50.00250075\n" in board
    (row,) = json.loads(nsml("dataset", "board", "-j", "FUNDUS").out)
    assert (row["one_class"], row["constant"]) == ("0", 50.00250075)
    assert "all predictions are 0 (NORMAL)" in nsml("dataset", "board", "--mine", "FUNDUS").out


def test_a_dry_run_warns_of_one_class_and_tells_nothing_of_the_labels(nsml: Nsml, collapsed: str) -> None:
    ended = nsml("submit", "-t", collapsed, "best")
    assert "warning: all 8 predictions are of one class, 0 (NORMAL): " in ended.err
    assert "the same answer for every photograph" not in ended.err + ended.out


def test_a_network_that_tells_the_classes_apart_gets_no_warning(nsml: Nsml, trained: str) -> None:
    ended = nsml("submit", trained, "best")
    assert "the same answer for every photograph reaches at best 25.00250075" in ended.err
    assert "not above" not in ended.err and "one class" not in ended.err
    assert "*" not in nsml("dataset", "board", "FUNDUS").out


def test_where_a_lower_score_is_better_the_constant_answer_is_the_mean(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(program.replace("int(image.mean()) % 4", "0.875"))
    source = make_dataset(tmp_path / "eight", LABELS)
    assert nsml("dataset", "push", "FUNDUS", str(source), "--metric", "rmse").status == 0
    ended = nsml("submit", start_and_wait(nsml), "best")
    constant = ended.out.split()[1]
    assert float(constant) == pytest.approx(numpy.std(LABELS))
    assert "warning: all 8 predictions are the same, 0.875: " in ended.err
    assert f"at best {constant}\nnot below the same answer for every photograph\n" in ended.err


def test_with_a_scorer_of_the_organisers_one_class_is_warned_of_without_a_score_of_guessing(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(program.replace("int(image.mean()) % 4", "0"))
    source = make_dataset(tmp_path / "eight", LABELS)
    (source / "evaluation").mkdir()
    (source / "evaluation" / "evaluation.py").write_text("import sys\nprint(0.5)\n")
    assert nsml("dataset", "push", "FUNDUS", str(source)).status == 0
    ended = nsml("submit", start_and_wait(nsml), "best")
    assert "warning: all 8 predictions are of one class, 0: " in ended.err
    assert "the same answer" not in ended.err + nsml("dataset", "board", "FUNDUS").out


def test_scoring_anew_renews_the_score_of_guessing(nsml: Nsml, collapsed: str, tmp_path: Path) -> None:
    nsml("submit", collapsed, "best")
    make_dataset(tmp_path / "eight", [0, 0, 0, 0, 0, 0, 2, 3])
    nsml("dataset", "rm", "-f", "FUNDUS")
    nsml("dataset", "push", "FUNDUS", str(tmp_path / "eight"))
    nsml("dataset", "rescore", "FUNDUS")
    (row,) = json.loads(nsml("dataset", "board", "-j", "FUNDUS").out)
    assert row["score"] == row["constant"] == 75.0033336667 and row["one_class"] == "0"


def test_records_that_know_nothing_of_guessing_stay_on_the_board(nsml: Nsml, dataset: str) -> None:
    folder = open_submission(open_home(), dataset)
    record_score(folder, user="a", session="a/FUNDUS/1", checkpoint="best", score=70.0)
    record = read_json(folder / "submission.json")
    odd = {"constant": "high", "one_class": 3}
    for more in ({}, odd):
        remaining = {name: value for name, value in record.items() if name not in odd}
        write_json(folder / "submission.json", remaining | more)
        (row,) = json.loads(nsml("dataset", "board", "-j", dataset).out)
        assert (row["score"], row["constant"], row["one_class"]) == (70.0, None, None)


def test_compare_shows_the_submitted_scores_beside_guessing(nsml: Nsml, collapsed: str) -> None:
    nsml("submit", collapsed, "best")
    shown = nsml("compare", collapsed, f"{collapsed}:0").out
    remarks = "all predictions are 0 (NORMAL), not above the same answer for every photograph"
    constant = "the same answer for every photograph reaches at best 50.00250075"
    assert f"\nSubmitted: A 50.00250075 ({remarks}); {constant}\n" in shown
    submitted = json.loads(nsml("compare", "-j", collapsed, f"{collapsed}:0").out)["submitted"]
    assert submitted["first"]["beats_constant"] is False and submitted["second"] is None
    nsml("dataset", "rm", "-f", "FUNDUS")
    assert "Submitted: A" in nsml("compare", collapsed, f"{collapsed}:0").out
