"""The statistics of `nsml compare` against scikit-learn and SciPy, and its input file."""

from __future__ import annotations

import csv
import io
import math
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from nsml.comparing.bootstrap import Estimate, compare, draw_patients
from nsml.comparing.figures import NAMES, Figures
from nsml.comparing.matching import Pair, match
from nsml.comparing.predictions_file import Predictions, read_predictions
from nsml.comparing.verdict import McNemar, judge, mcnemar, patients_needed
from nsml.errors import Damaged, NsmlError
from nsml.scoring.fundus import fundus_score

SEEDS = st.integers(0, 2**32 - 1)


def answers(seed: int, samples: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities with many ties, some classes absent."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(rng.integers(1, classes + 1), size=samples)
    return labels, rng.integers(0, 6, (samples, classes)) / 5


def coins(seed: int, patients: int, each: int = 1, first: float = 0.7, second: float = 0.8) -> Pair:
    """Two classes. A and B are right with these probabilities, for all samples of a patient or none."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(2, size=patients), each)
    sides = []
    for chance in (first, second):
        right = np.repeat(rng.random(patients) < chance, each)
        sides.append(np.eye(2)[np.where(right, labels, 1 - labels)])
    return Pair(("no", "yes"), labels, np.repeat(np.arange(patients), each), sides[0], sides[1], 0, 0)


@settings(max_examples=50)
@given(SEEDS, st.integers(1, 40), st.integers(2, 6))
def test_the_figures_are_those_of_scikit_learn_and_the_scorer(seed: int, samples: int, classes: int) -> None:
    labels, probabilities = answers(seed, samples, classes)
    result = dict(zip(NAMES, Figures(labels, np.arange(samples), probabilities).observed(), strict=True))
    predicted = probabilities.argmax(axis=1)
    present = np.unique(labels)
    assert result["accuracy"] == pytest.approx(accuracy_score(labels, predicted))
    assert result["balanced_accuracy"] == pytest.approx(
        recall_score(labels, predicted, labels=present, average="macro")
    )
    if len(present) > 1:
        curves = [roc_auc_score(labels == c, probabilities[:, c]) for c in present]
        assert result["macro_auc"] == pytest.approx(np.mean(curves))
    else:
        assert math.isnan(result["macro_auc"])
    if classes <= 4:
        assert result["fundus_score"] == fundus_score(labels.tolist(), predicted.tolist()).score
    else:
        assert math.isnan(result["fundus_score"])


@given(SEEDS, st.integers(2, 30), st.integers(2, 4))
def test_a_patient_of_weight_two_counts_as_two_patients(seed: int, samples: int, classes: int) -> None:
    labels, probabilities = answers(seed, samples, classes)
    rng = np.random.default_rng(seed)
    patients = np.unique(rng.integers(samples, size=samples), return_inverse=True)[1]
    weights = rng.multinomial(samples, np.full(patients.max() + 1, 1 / (patients.max() + 1)))
    rows = np.repeat(np.arange(samples), weights[patients])
    repeated = Figures(labels[rows], np.arange(len(rows)), probabilities[rows])
    result = Figures(labels, patients, probabilities)(weights[None].astype(float))
    np.testing.assert_allclose(result, repeated(np.ones((1, len(rows)))), rtol=1e-6)


def test_each_resample_draws_as_many_patients_as_there_are() -> None:
    rows = np.concatenate(list(draw_patients(300_000, 10, 0)))
    assert rows.shape == (10, 300_000)
    assert (rows.sum(axis=1) == 300_000).all()
    assert rows.std() == pytest.approx(1, abs=0.01)


def test_the_interval_is_that_of_scipy_where_each_patient_has_one_sample() -> None:
    pair = coins(1, 150)
    result = compare(pair, resamples=20_000)["accuracy"].difference
    gains = (pair.second.argmax(1) == pair.labels) * 1.0 - (pair.first.argmax(1) == pair.labels)
    wanted = stats.bootstrap((gains,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(5))
    assert result.value == pytest.approx(gains.mean())
    assert result.standard_error == pytest.approx(wanted.standard_error, rel=0.03)
    assert (result.low, result.high) == pytest.approx(tuple(wanted.confidence_interval), abs=0.01)


def test_a_second_identical_photograph_of_each_patient_does_not_narrow_the_interval() -> None:
    one, two = (compare(coins(2, 100, each))["accuracy"].difference for each in (1, 2))
    assert two == one


def test_exchanging_a_and_b_mirrors_the_difference() -> None:
    pair = coins(3, 80)
    there = compare(pair)
    back = compare(Pair(pair.classes, pair.labels, pair.patients, pair.second, pair.first, 0, 0))
    for name in there:
        assert back[name].difference.value == pytest.approx(-there[name].difference.value)
        assert back[name].difference.low == pytest.approx(-there[name].difference.high)
        assert back[name].first == there[name].second


def test_the_same_predictions_give_the_same_intervals_each_time() -> None:
    assert compare(coins(4, 60)) == compare(coins(4, 60))


def test_a_validation_set_of_one_class_has_no_auc() -> None:
    pair = coins(5, 40)
    result = compare(Pair(pair.classes, pair.labels * 0, pair.patients, pair.first, pair.second, 0, 0))
    assert math.isnan(result["macro_auc"].difference.value)
    assert not math.isnan(result["accuracy"].difference.low)


def test_more_than_four_classes_have_no_fundus_score() -> None:
    labels, probabilities = answers(6, 40, 5)
    pair = Pair(tuple("abcde"), labels, np.arange(40), probabilities, probabilities, 0, 0)
    assert list(compare(pair, 50)) == ["accuracy", "balanced_accuracy", "macro_auc"]


def test_nineteen_of_twenty_intervals_hold_the_true_difference() -> None:
    # A and B are right on both photographs of a patient or on none; an interval over photographs would be too narrow.
    inside = 0
    for seed in range(300):
        result = compare(coins(seed, 120, each=2), resamples=300, seed=seed)["accuracy"].difference
        inside += result.low <= 0.1 <= result.high
    # Of 300 draws at 0.95, 271 to 296 with a probability of 99.9 %.
    assert 271 <= inside <= 296


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemars_test_is_the_exact_binomial_test(only_first: int, only_second: int) -> None:
    right, wrong = [0.9, 0.1], [0.1, 0.9]
    first = np.array([right] * only_first + [wrong] * only_second + [right, wrong])
    second = np.array([wrong] * only_first + [right] * only_second + [right, wrong])
    labels = np.zeros(len(first), np.int64)
    result = mcnemar(Pair(("a", "b"), labels, np.arange(len(first)), first, second, 0, 0))
    assert (result.only_first, result.only_second) == (only_first, only_second)
    discordant = only_first + only_second
    assert result.p == pytest.approx(stats.binomtest(only_first, discordant).pvalue if discordant else 1.0)


@given(st.floats(0.001, 0.3), st.floats(0.001, 0.1), st.integers(20, 1000))
def test_the_patients_needed_are_those_of_a_power_analysis(effect: float, error: float, patients: int) -> None:
    number = patients_needed(-effect, error, patients)
    assert number is not None

    def power(patients_used: float) -> float:
        """The chance that a z-test of level 5 % rejects, with this effect and an error that shrinks by the square root."""
        shift = effect / (error * math.sqrt(patients / patients_used))
        edge = stats.norm.isf(0.025)
        return float(stats.norm.sf(edge - shift) + stats.norm.cdf(-edge - shift))

    if number > 100:
        assert power(number) >= 0.8 - 1e-9
        assert power(number / 1.13) < 0.8


def verdict_of(value: float, low: float, high: float, patients: int = 389, p: float = 0.2, differing: int = 40) -> str:
    estimate = Estimate(value, low, high, (high - low) / 3.92)
    return judge(estimate, McNemar(differing // 2, differing - differing // 2, p), patients).sentence


def test_an_uncertain_difference_comes_with_the_number_of_patients_needed() -> None:
    assert verdict_of(0.018, -0.006, 0.041) == (
        "B is 1.8 points better, 95 % interval -0.6 to 4.1, 389 patients: the difference may be chance; "
        "about 1,400 patients would show a difference of this size."
    )


def test_a_significant_difference_names_the_better_checkpoint() -> None:
    assert (
        verdict_of(-0.05, -0.08, -0.02, p=0.001)
        == "A is 5.0 points better, 95 % interval 2.0 to 8.0, 389 patients: the difference is unlikely to be chance."
    )


@pytest.mark.parametrize("value", [0.0, 0.0004, -0.0004])
def test_a_difference_near_zero_comes_without_a_number_of_patients(value: float) -> None:
    assert verdict_of(value, -0.02, 0.02).endswith(
        "A and B are equally good to a tenth of a point, 95 % interval -2.0 to 2.0, 389 patients: the difference may be chance; "
        "no practical number of patients would show a difference of this size."
    )


def test_the_verdict_says_when_both_are_right_on_the_same_samples() -> None:
    assert verdict_of(0.0, 0.0, 0.0, p=1.0, differing=0).startswith(
        "A and B are right on the same samples, 389 patients: "
    )


def test_few_patients_never_give_a_verdict_however_large_the_difference() -> None:
    sentence = verdict_of(0.5, 0.3, 0.7, patients=12, p=0.001)
    assert "12 patients: a verdict needs at least 20 patients; use about 20." in sentence


def test_an_interval_without_zero_is_not_enough_if_mcnemars_test_disagrees() -> None:
    sentence = verdict_of(0.02, 0.002, 0.04, p=0.125)
    assert "the difference may be chance (McNemar's exact test: p = 0.12); about" in sentence


@settings(max_examples=25)
@given(SEEDS)
def test_the_number_of_patients_needed_exceeds_the_number_used(seed: int) -> None:
    rng = random.Random(seed)
    pair = coins(seed, rng.randrange(2, 60), first=rng.random(), second=rng.random())
    verdict = judge(compare(pair, 200)["accuracy"].difference, mcnemar(pair), pair.patient_count)
    assert verdict.significant or verdict.patients_needed is None or verdict.patients_needed > pair.patient_count


def predictions(samples: str, labels: list[int], patients: str = "", classes: str = "ab") -> Predictions:
    """One sample per letter, each of its own patient unless given, with probability 0.25 for class 0."""
    rows = np.tile([0.25, 0.75] + [0.0] * (len(classes) - 2), (len(samples), 1))
    return Predictions(tuple(samples), tuple(patients or samples), tuple(classes), np.array(labels, np.int64), rows)


def test_samples_are_matched_by_name_and_classes_by_theirs() -> None:
    pair = match(predictions("pqr", [0, 0, 1]), predictions("rsq", [0, 0, 1], classes="ba"), ("A", "B"))
    assert (pair.only_first, pair.only_second) == (1, 1)
    assert pair.labels.tolist() == [0, 1]
    assert pair.second.tolist() == [[0.75, 0.25]] * 2


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (predictions("xy", [0, 1]), "no validation sample in common"),
        (predictions("py", [1, 1]), "sample 'p' has another label in A than in B"),
        (predictions("py", [0, 1], "zy"), "sample 'p' has another patient in A than in B"),
        (predictions("py", [0, 1], classes="ac"), "A has a, b and B has a, c"),
    ],
)
def test_predictions_that_cannot_be_paired_are_refused(second: Predictions, message: str) -> None:
    with pytest.raises(NsmlError, match=message):
        match(predictions("pq", [0, 1]), second, ("A", "B"))


HEADER = "sample,patient,label,NORMAL,AMD"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "the first line must be sample,patient,label and the names of two or more classes"),
        (["sample,patient,label,NORMAL"], "line 1: the first line must be"),
        (["patient,sample,label,NORMAL,AMD"], "line 1: the first line must be"),
        (["sample,patient,label,NORMAL,NORMAL"], "a class name is repeated or empty"),
        ([HEADER], "the file has no sample"),
        ([HEADER, "a,1,AMD,0.5"], "line 2: 4 columns, expected 5"),
        ([HEADER, "a,1,AMD,nan,0"], "line 2: 'nan' is not a probability between 0 and 1"),
        ([HEADER, "a,1,AMD,1,0", "b,1,AMD,inf,0"], "line 3: 'inf' is not a probability"),
        ([HEADER, "a,1,AMD,1.01,0"], "'1.01' is not a probability"),
        ([HEADER, "a,1,AMD,-0.01,0"], "'-0.01' is not a probability"),
        ([HEADER, "a,1,AMD,,0"], "'' is not a probability"),
        ([HEADER, f"a,1,AMD,{'x' * 500},0"], r"'x{57}\.\.\.' is not a probability"),
        ([HEADER, "a,1,1,0.5,0.5"], "label '1' is not one of the classes 'NORMAL, AMD'"),
        ([HEADER, "a,1,AMD,0,1", "a,2,AMD,0,1"], "line 3: sample 'a' appears twice"),
        ([HEADER, ",1,AMD,0,1"], "the sample is empty"),
        ([HEADER, "a,,AMD,0,1"], "the patient is empty"),
        ([HEADER, '"a,1,AMD,0,1'], "unexpected end of data"),
        ([HEADER, f"{'a' * 200_000},1,AMD,0,1"], "field larger than field limit"),
        ([HEADER, *(f"{n},1,AMD,0,1" for n in range(100_001))], "the limit is 200,000 probabilities"),
    ],
    ids=range(19),
)
def test_an_invalid_file_gives_one_line(tmp_path: Path, lines: list[str], message: str) -> None:
    path = tmp_path / "validation.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(Damaged, match=rf"^THE FILE.*{message}.*'nsml compare --help' shows the format$") as raised:
        read_predictions(path, "THE FILE")
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 300


def test_a_file_of_100_mb_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "validation.csv"
    with open(path, "wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(Damaged, match="THE FILE has 100 MB, the limit is 16 MB"):
        read_predictions(path, "THE FILE")


def read_text(content: bytes) -> Predictions:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "validation.csv"
        path.write_bytes(content)
        return read_predictions(path, "it")


@given(st.binary() | st.binary().map(lambda tail: b"sample,patient,label,a,b\nx,1,a,0,1\n" + tail))
def test_any_bytes_are_read_or_give_one_line(content: bytes) -> None:
    try:
        result = read_text(content)
    except Damaged as error:
        assert "\n" not in str(error) and "\r" not in str(error)
    else:
        assert len(result.samples) == len(set(result.samples)) == len(result.labels) == len(result.probabilities)


NAMES_OF_SAMPLES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=12)


@given(
    st.dictionaries(NAMES_OF_SAMPLES, st.tuples(NAMES_OF_SAMPLES, st.integers(0, 1), st.floats(0, 1)), min_size=1),
    st.lists(NAMES_OF_SAMPLES, min_size=2, max_size=2, unique=True),
)
def test_a_file_with_any_names_is_read_as_written(rows: dict[str, tuple[str, int, float]], classes: list[str]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sample", "patient", "label", *classes])
    writer.writerows([sample, who, classes[label], share, 1 - share] for sample, (who, label, share) in rows.items())
    result = read_text(text.getvalue().encode())
    assert result.samples == tuple(rows) and result.classes == tuple(classes)
    assert list(zip(result.patients, result.labels, result.probabilities[:, 0], strict=True)) == list(rows.values())
