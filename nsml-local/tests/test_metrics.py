"""The built-in scorers from files, the order of the board, and the interval between submissions."""

import json
import math
from pathlib import Path

import numpy
import pytest
from helpers import Nsml, make_dataset, start_and_wait
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from nsml.errors import PredictionsRefused
from nsml.scoring.metrics import METRICS, score_files
from nsml.scoring.predictions import Kind, Wanted, check_predictions
from nsml.store.home import open_home
from nsml.store.submissions import open_submission, record_score


def _files(folder: Path, labels: list[object], predictions: list[str]) -> tuple[Path, Path]:
    for name, values in (("labels", labels), ("predictions", predictions)):
        (folder / name).write_text("".join(f"d,{n},{value}\n" for n, value in enumerate(values)))
    return folder / "predictions", folder / "labels"


def test_accuracy_and_f1_are_those_of_scikit_learn(tmp_path: Path) -> None:
    labels, predictions = [0, 1, 2, 2, 1], [0, 2, 2, 2, 1]
    files = _files(tmp_path, [*labels], [*map(str, predictions)])
    assert score_files("accuracy", *files).score == pytest.approx(reference.accuracy_score(labels, predictions))
    assert score_files("f1", *files).score == pytest.approx(reference.f1_score(labels, predictions, average="macro"))


def test_rmse_is_that_of_numpy(tmp_path: Path) -> None:
    files = _files(tmp_path, [1.5, -2, 3], ["1.0", "-2.5", "3.5"])
    assert score_files("rmse", *files).score == pytest.approx(float(numpy.sqrt(numpy.mean([0.25] * 3))))


def test_auroc_takes_the_probability_of_the_positive_class(tmp_path: Path) -> None:
    files = _files(tmp_path, [0, 0, 1, 1], ["0.1", "0.6", "0.5", "0.9"])
    assert score_files("auroc", *files).score == 0.75


def test_auroc_takes_a_row_of_probabilities(tmp_path: Path) -> None:
    rows = numpy.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.5, 0.2, 0.3]])
    labels = [0, 1, 2, 2]
    files = _files(tmp_path, [*labels], [" ".join(map(str, row)) for row in rows])
    expected = reference.roc_auc_score(labels, rows, multi_class="ovr")
    assert score_files("auroc", *files).score == pytest.approx(expected)


def test_log_loss_is_the_mean_of_the_negative_logarithms(tmp_path: Path) -> None:
    files = _files(tmp_path, [0, 1], ["0.2 0.8", "0.4 0.6"])
    assert score_files("logloss", *files).score == pytest.approx(-(math.log(0.2) + math.log(0.6)) / 2)


@pytest.mark.parametrize("metric", METRICS)
def test_an_image_without_a_prediction_is_refused_by_every_scorer(tmp_path: Path, metric: str) -> None:
    with pytest.raises(PredictionsRefused, match="1 images have none"):
        score_files(metric, *_files(tmp_path, [0, 1, 1], ["0", "1"]))


@pytest.mark.parametrize("part", [{"d,0", "d,1"}, {"d,2", "d,3"}])
@pytest.mark.parametrize(
    ("metric", "right", "wrong"),
    [
        ("rmse", "1", "1e200"),
        ("accuracy", "1", "2"),
        ("auroc", "0.5 0.5", "0.5 0.2 0.3"),
        ("auroc", "0.5 0.5", "0.5"),
        ("logloss", "0.5 0.5", "-1 2"),
    ],
)
def test_a_wrong_prediction_is_refused_whether_it_is_in_the_part_that_counts_or_not(
    tmp_path: Path, metric: str, right: str, wrong: str, part: set[str]
) -> None:
    files = _files(tmp_path, [0, 1, 0, 1], [wrong, right, right, right])
    with pytest.raises(PredictionsRefused):
        score_files(metric, *files, part=part)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_are_written_so_that_they_are_read_back_exactly(values: list[float]) -> None:
    assert [float(line) for line in check_predictions(values, Wanted(Kind.NUMBER, 0), len(values))] == values


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.NUMBER, math.nan),
        (Kind.NUMBER, math.inf),
        (Kind.NUMBER, "1"),
        (Kind.PROBABILITIES, 1.5),
        (Kind.PROBABILITIES, -0.1),
        (Kind.PROBABILITIES, [0.5, 0.5, 0.0]),
        (Kind.PROBABILITIES, [0.5, math.nan]),
    ],
)
def test_what_a_scorer_cannot_take_is_refused(kind: Kind, value: object) -> None:
    with pytest.raises(PredictionsRefused, match="image 1"):
        check_predictions([0.5, value], Wanted(kind, 2), 2)


def test_label_numbers_are_no_probabilities_and_the_refusal_says_what_infer_must_return() -> None:
    with pytest.raises(PredictionsRefused, match=r"label numbers.* infer must return a row of 4 probabilities"):
        check_predictions(numpy.array([1, 0, 1]), Wanted(Kind.PROBABILITIES, 4), 3)
    assert check_predictions([0, 0.5, 1], Wanted(Kind.PROBABILITIES, 2), 3) == ["0.0", "0.5", "1.0"]


@pytest.mark.parametrize("metric", ["auroc", "logloss"])
def test_one_number_for_three_classes_or_more_is_refused_after_infer_and_by_the_scorer(
    tmp_path: Path, metric: str
) -> None:
    with pytest.raises(PredictionsRefused, match=r"one number, 0\.5, for image 0; infer must return a row of 3"):
        check_predictions([0.5, 0.1, 0.2], Wanted(Kind.PROBABILITIES, 3), 3)
    with pytest.raises(PredictionsRefused, match=f"1 number, not a row of 3 .* as {metric} needs"):
        score_files(metric, *_files(tmp_path, [0, 1, 2], ["0.1", "0.2", "0.9"]))


def test_a_dataset_is_scored_by_the_metric_it_was_pushed_with(nsml: Nsml, tmp_path: Path, project: Path) -> None:
    nsml("dataset", "push", "N", str(make_dataset(tmp_path / "n", labels=[0, 1, 2, 3])), "--metric", "rmse")
    program = (project / "main.py").read_text().replace("int(image.mean()) % 4", "image.mean() - 99")
    (project / "main.py").write_text(program)
    assert nsml("submit", start_and_wait(nsml, dataset="N"), "best").out.splitlines()[0] == "Score: 1"


def test_the_lowest_score_ranks_first_where_lower_is_better(nsml: Nsml, tmp_path: Path) -> None:
    nsml("dataset", "push", "N", str(make_dataset(tmp_path / "n")), "--lower-is-better")
    home = open_home()
    for user, score in (("a", 2.0), ("b", 1.0), ("a", 0.5), ("c", 1.0)):
        record_score(open_submission(home, "N"), user=user, session=f"{user}/N/1", checkpoint="x", score=score)
    rows = json.loads(nsml("dataset", "board", "-j", "N").out)
    assert [(r["user"], r["score"]) for r in rows] == [("a", 0.5), ("b", 1.0), ("c", 1.0)]


def test_ones_own_submissions_are_listed_in_their_order(nsml: Nsml, dataset: str) -> None:
    home = open_home()
    for user, score in (("tester", 2.0), ("other", 9.0), ("tester", 1.0)):
        record_score(open_submission(home, dataset), user=user, session=f"{user}/N/1", checkpoint="x", score=score)
    assert [r["score"] for r in json.loads(nsml("dataset", "board", "--mine", "-j", dataset).out)] == [2.0, 1.0]


def test_a_second_submission_within_the_interval_is_refused_but_a_dry_run_is_not(nsml: Nsml, tmp_path: Path) -> None:
    nsml("dataset", "push", "N", str(make_dataset(tmp_path / "n")), "--every", "1h")
    name = start_and_wait(nsml, dataset="N")
    assert nsml("submit", name, "best").status == 0
    refused = nsml("submit", name, "0")
    assert refused.status == 2 and "a submission every 1 hour; wait" in refused.err
    assert nsml("submit", "-t", name, "0").status == 0


def test_a_failed_submit_does_not_count_against_the_interval(nsml: Nsml, tmp_path: Path, project: Path) -> None:
    nsml("dataset", "push", "N", str(make_dataset(tmp_path / "n")), "--every", "1h")
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(program.replace("return [int", "return [9 + int"))
    bad = start_and_wait(nsml, dataset="N")
    (project / "main.py").write_text(program)
    good = start_and_wait(nsml, dataset="N")
    assert nsml("submit", bad, "best").status == 1
    assert nsml("submit", good, "best").status == 0


@pytest.mark.parametrize(
    ("kind", "pairs", "written"),
    [
        (Kind.CLASS, [(0.1, 1), (0.9, 0)], ["1", "0"]),
        (Kind.NUMBER, [(0.1, 2.5), (0.9, 3)], ["2.5", "3.0"]),
        (Kind.PROBABILITIES, [(0.1, 0), (0.9, 1)], ["0.1", "0.9"]),
        (Kind.PROBABILITIES, [(0.25, 0.75), (1, 0)], ["0.25 0.75", "1.0 0.0"]),
    ],
)
def test_of_pairs_of_a_probability_and_an_answer_the_one_that_the_scorer_takes_counts(
    kind: Kind, pairs: list[tuple[float, float]], written: list[str]
) -> None:
    assert check_predictions(pairs, Wanted(kind, 2), 2) == written
