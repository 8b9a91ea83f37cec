"""Intervals of the scores on a board, and the ranks that they allow."""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from helpers import Nsml, draw_competition, submit_to_competition
from hypothesis import given, settings
from hypothesis import strategies as st

from nsml.comparing.board import allowed_ranks, resampled
from nsml.errors import NsmlError, install
from nsml.scoring.metrics import METRICS
from nsml.scoring.predictions import Kind
from nsml.store.home import open_home


def _predictions(kind: Kind) -> st.SearchStrategy[object]:
    if kind is Kind.CLASS:
        return st.integers(0, 3)
    if kind is Kind.NUMBER:
        return st.integers(-20, 20).map(lambda n: n / 4)
    return st.lists(st.integers(1, 9), min_size=4, max_size=4).map(lambda parts: [part / sum(parts) for part in parts])


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=40)
@given(data=st.data())
def test_a_resample_is_scored_as_the_scorer_scores_its_photographs(metric: str, data: st.DataObject) -> None:
    kind = METRICS[metric].kind
    labels = st.integers(-20, 20) if kind is Kind.NUMBER else st.integers(0, 3)
    pairs = data.draw(st.lists(st.tuples(labels, _predictions(kind)), min_size=2, max_size=30))
    patients = np.array([n // 2 for n in range(len(pairs))])
    weights = data.draw(
        st.lists(st.integers(0, 3), min_size=int(patients.max()) + 1, max_size=int(patients.max()) + 1).filter(any)
    )
    drawn = [pair for pair, patient in zip(pairs, patients, strict=True) for _ in range(weights[patient])]
    (score,) = resampled(metric, pairs, patients)(np.array([weights], float))
    try:
        expected = METRICS[metric].compute(*(list(side) for side in zip(*drawn, strict=True))).score
    except NsmlError:  # a resample of one class
        assert np.isnan(score)
        return
    if metric in ("fundus", "auroc") and len({label for label, _ in drawn}) < len({label for label, _ in pairs}):
        return  # a class is absent from the resample, and so from the scorer's means
    assert score == pytest.approx(expected, abs=1e-5 if metric == "fundus" else 1e-9)


@pytest.mark.parametrize("metric", ["auroc", "logloss"])
def test_one_probability_is_that_of_the_positive_class(metric: str) -> None:
    pairs = [(0, 0.2), (1, 0.7), (0, 0.6), (1, 0.4), (1, 1.0)]
    (score,) = resampled(metric, pairs, np.arange(5))(np.ones((1, 5)))
    expected = METRICS[metric].compute(*(list(side) for side in zip(*pairs, strict=True))).score
    assert score == pytest.approx(expected)


def test_users_that_the_resamples_do_not_tell_apart_share_their_ranks() -> None:
    rng = np.random.default_rng(0)
    right = rng.random((4, 400)) < np.array([0.9, 0.6, 0.6, 0.3])[:, None]
    drawn = rng.integers(400, size=(500, 400))
    values = np.array([np.append(row.mean(), row[drawn].mean(axis=1)) for row in right])
    assert allowed_ranks(values, False) == [(1, 1), (2, 3), (2, 3), (4, 4)]
    assert allowed_ranks(values, True) == [(4, 4), (2, 3), (2, 3), (1, 1)]
    assert allowed_ranks(values[:1], False) == [(1, 1)]
    same = np.array([values[0], values[0]])
    assert allowed_ranks(same, False) == [(1, 2), (1, 2)]


def test_with_many_equal_users_no_chance_difference_is_called_one() -> None:
    """Of 50 programs that guess, pairs alone would be told apart 61 times by an interval of 95 % each."""
    rng = np.random.default_rng(1)
    right = rng.random((50, 300)) < 0.5
    drawn = rng.integers(300, size=(1000, 300))
    values = np.array([np.append(row.mean(), row[drawn].mean(axis=1)) for row in right])
    told_apart = sum(ranks != (1, 50) for ranks in allowed_ranks(values, False))
    assert told_apart <= 2


@pytest.fixture
def competition(nsml: Nsml, tmp_path: Path) -> None:
    pushed = nsml("dataset", "push", "D", str(draw_competition(tmp_path / "d")), "--metric", "accuracy")
    assert pushed.status == 0, pushed.err
    submit_to_competition(open_home())


def test_the_board_shows_intervals_and_which_ranks_they_allow(nsml: Nsml, competition: None) -> None:
    rows = json.loads(nsml("dataset", "board", "-j", "D").out)
    assert [(r["first_rank"], r["last_rank"]) for r in rows] == [(1, 2), (1, 2), (3, 3)]
    # Of 40 patients with two photographs that are nearly always right or wrong together.
    assert rows[0]["low"] == pytest.approx(0.9 - 1.96 * (0.09 / 40) ** 0.5, abs=0.02)
    assert all(r["low"] < r["score"] < r["high"] for r in rows)
    shown = nsml("dataset", "board", "D")
    assert (
        shown.out.splitlines()[0].split("  ")[2].strip() == "Score"
        and "1 to 2" in shown.out
        and "\n   3  c" in shown.out
    )
    assert "95 % intervals from 2,000 resamples of 40 patients" in shown.out and shown.err == ""


def test_the_board_is_written_as_csv(nsml: Nsml, competition: None) -> None:
    written = nsml("dataset", "board", "--csv", "D")
    rows = list(csv.DictReader(io.StringIO(written.out)))
    assert [(row["rank"], row["user"], row["score"], row["last_rank"]) for row in rows] == [
        ("1", "a", "0.9", "2"), ("2", "b", "0.875", "2"), ("3", "c", "0.25", "3"),
    ]  # fmt: skip
    assert rows[0]["private"] == "" and rows[0]["at"] == "2027-01-15T08:00:00+00:00"
    # A spreadsheet would take it as a formula.
    assert rows[0]["checkpoint"] == "'=best"
    everything = list(csv.DictReader(io.StringIO(nsml("dataset", "board", "--csv", "--all", "D").out)))
    assert [row["number"] for row in everything] == ["1", "2", "3"] and "error" in everything[0]
    assert nsml("dataset", "board", "--csv", "--json", "D").status == 2


def test_without_numpy_the_board_says_how_to_get_intervals(
    nsml: Nsml, competition: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hidden" / "numpy").mkdir(parents=True)
    (tmp_path / "hidden" / "numpy" / "__init__.py").write_text("raise ImportError('hidden', name='numpy')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hidden"), prepend=os.pathsep)
    shown = nsml("dataset", "board", "D")
    assert shown.status == 0 and f"numpy is needed to show intervals; {install('compare')}\n" in shown.err
    assert "\n   3  c" in shown.out


def test_few_patients_and_scorers_of_ones_own_have_no_intervals(nsml: Nsml, trained: str) -> None:
    nsml("submit", trained, "best")
    shown = nsml("dataset", "board", "FUNDUS")
    assert "No intervals: they need at least 20 patients, and there are 4" in shown.out and shown.err == ""
    (row,) = json.loads(nsml("dataset", "board", "-j", "FUNDUS").out)
    assert (row["low"], row["first_rank"]) == (None, None)
