"""The competition's score, against scikit-learn."""

from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, multilabel_confusion_matrix, recall_score

from nsml.errors import NsmlError, PredictionsRefused
from nsml.scoring.fundus import fundus_score
from nsml.scoring.metrics import score_files

pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(pairs)
def test_accuracy_is_that_of_scikit_learn(answers: list[tuple[int, int]]) -> None:
    labels, predictions = map(list, zip(*answers, strict=True))
    assert fundus_score(labels, predictions).accuracy == pytest.approx(accuracy_score(labels, predictions))


@given(pairs)
def test_sensitivity_is_the_mean_recall_over_the_classes_present(answers: list[tuple[int, int]]) -> None:
    labels, predictions = map(list, zip(*answers, strict=True))
    recall = recall_score(labels, predictions, labels=sorted(set(labels)), average="macro", zero_division=0)
    assert fundus_score(labels, predictions).sensitivity == pytest.approx(recall)


@given(pairs)
def test_specificity_is_the_mean_over_the_classes_present(answers: list[tuple[int, int]]) -> None:
    labels, predictions = map(list, zip(*answers, strict=True))
    present = sorted(set(labels))
    table = multilabel_confusion_matrix(labels, predictions, labels=present)
    with numpy.errstate(invalid="ignore"):
        each = table[:, 0, 0] / (table[:, 0, 0] + table[:, 0, 1])
    expected = float(numpy.nanmean(each)) if len(present) > 1 else 0.0
    assert fundus_score(labels, predictions).specificity == pytest.approx(expected)


@given(pairs)
def test_the_score_packs_the_three_figures_as_the_contract_says(answers: list[tuple[int, int]]) -> None:
    labels, predictions = map(list, zip(*answers, strict=True))
    result = fundus_score(labels, predictions)
    packed = round(result.accuracy, 4) * 100 + round(result.sensitivity, 4) / 100 + round(result.specificity, 4) / 1e6
    assert result.score == round(packed, 10)


def test_a_perfect_answer_scores_100() -> None:
    assert fundus_score([0, 1, 2, 3], [0, 1, 2, 3]).score == 100.010001


def test_a_known_case_has_its_score() -> None:
    # accuracy 4/6, sensitivities 1/2, 1, 1/2, 1, specificities 3/4, 5/5, 4/4, 4/5
    assert fundus_score([0, 0, 1, 2, 2, 3], [0, 3, 1, 2, 0, 3]).score == round(66.67 + 0.0075 + 0.8875e-6, 10)


def _files(folder: Path, labels: str, predictions: str) -> tuple[Path, Path]:
    (folder / "labels").write_text(labels)
    (folder / "predictions").write_text(predictions)
    return folder / "predictions", folder / "labels"


def test_predictions_are_matched_by_file_not_by_line(tmp_path: Path) -> None:
    assert score_files("fundus", *_files(tmp_path, "d,a,0\nd,b,1\n", "d,b,1\nd,a,0\n")).score == 100.010001


def test_a_file_name_may_hold_a_comma(tmp_path: Path) -> None:
    assert score_files("fundus", *_files(tmp_path, "d,a,b,0\nd,c,1\n", "d,a,b,0\nd,c,1\n")).score == 100.010001


@pytest.mark.parametrize(
    "predictions", ["d,a,0\n", "d,a,0\nd,b,1\nd,c,1\n", "d,a,0\nd,a,0\n", "d,a,0\nd,b,10\n", "d,a,0\nd,b,x\n", ""]
)
def test_predictions_that_do_not_fit_the_test_set_are_refused(tmp_path: Path, predictions: str) -> None:
    with pytest.raises(PredictionsRefused):
        score_files("fundus", *_files(tmp_path, "d,a,0\nd,b,1\n", predictions))


def test_a_label_file_that_is_none_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(NsmlError, match="entry 2"):
        score_files("fundus", *_files(tmp_path, "d,a,0\nd,b\n", "d,a,0\n"))
