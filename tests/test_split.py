"""Training and validation."""

import warnings as python_warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.catalog import Sample, read_catalog
from dataprep.split import Split, SplitError, split_folds, split_samples, split_table


def samples_of(patients: list[tuple[str, int, int]]) -> list[Sample]:
    """From (patient, label, images)."""
    return [Sample(Path(f"{p}_{label}_{n}.jpg"), label, p, "R") for p, label, images in patients for n in range(images)]


def assert_no_leak(samples: list[Sample], split: Split) -> None:
    assert sorted([*split.train, *split.validation]) == list(range(len(samples)))
    assert split.train.tolist() == sorted(split.train) and split.validation.tolist() == sorted(split.validation)
    sides = [{samples[i].patient for i in side} for side in (split.train, split.validation)]
    assert not sides[0] & sides[1]


def by_class(samples: list[Sample], side: np.ndarray, classes: int) -> np.ndarray:
    return np.bincount([samples[i].label for i in side], minlength=classes)


@given(
    fraction=st.sampled_from([0.05, 0.1, 0.2, 0.37, 0.5, 0.8, 0.95]),
    images=st.sampled_from([1, 2, 5]),
    patients=st.lists(st.integers(2, 60), min_size=2, max_size=4),
    seed=st.integers(-5, 2**40),
)
def test_each_class_is_within_a_patient_of_the_fraction_and_on_both_sides(
    fraction: float, images: int, patients: list[int], seed: int
) -> None:
    samples = samples_of([(f"{label}-{n}", label, images) for label, k in enumerate(patients) for n in range(k)])
    split = split_samples(samples, fraction, abs(seed))
    assert_no_leak(samples, split)
    reached = by_class(samples, split.validation, len(patients))
    total = np.array(patients) * images
    assert (np.abs(reached - fraction * total) <= images).all()
    assert (reached > 0).all() and (reached < total).all()
    assert split.warnings == ()


@given(
    counts=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), min_size=4, max_size=40),
    fraction=st.floats(0.02, 0.98),
    seed=st.integers(0, 9),
)
def test_patients_of_mixed_sizes_stay_on_one_side_and_no_class_leaves_training(
    counts: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    samples = samples_of([(f"{n}", label, images) for n, (label, images) in enumerate(counts)])
    split = split_samples(samples, fraction, seed)
    assert_no_leak(samples, split)
    for label in {sample.label for sample in samples}:
        assert by_class(samples, split.train, 3)[label] > 0
        if len({sample.patient for sample in samples if sample.label == label}) > 1:
            assert by_class(samples, split.validation, 3)[label] > 0


@given(
    owners=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=2, max_size=40),
    fraction=st.floats(0.02, 0.98),
)
def test_patients_with_several_classes_stay_on_one_side(owners: list[tuple[int, int]], fraction: float) -> None:
    samples = [Sample(Path(f"{n}.jpg"), label, str(p), "") for n, (p, label) in enumerate(owners)]
    try:
        split = split_samples(samples, fraction)
    except SplitError:
        # Each patient alone has photographs of some class.
        of_class = [{p for p, label in owners if label == each} for each in range(4)]
        assert all({p} in of_class for p, _ in owners)
        return
    assert len(split.validation)
    assert_no_leak(samples, split)
    assert {samples[i].label for i in split.train} == {label for _, label in owners}


def test_a_seed_always_gives_the_same_split_and_another_seed_another() -> None:
    samples = samples_of([(f"{n}", n % 2, 2) for n in range(40)])
    again = [split_samples(samples, 0.25, seed).validation.tolist() for seed in (3, 3, 4)]
    assert again[0] == again[1] != again[2]


def test_large_patients_are_as_likely_in_validation_as_small_ones() -> None:
    samples = samples_of([(f"{n}", n % 2, 1 + 4 * (n % 4 < 2)) for n in range(80)])
    is_large = np.array([int(sample.patient) % 4 < 2 for sample in samples])
    shares = [is_large[split_samples(samples, 0.2, seed).validation].mean() for seed in range(60)]
    assert abs(np.mean(shares) - is_large.mean()) < 0.06


def test_a_class_with_one_patient_is_in_training_and_its_absence_is_explained() -> None:
    samples = samples_of([*((f"{n}", n % 2, 2) for n in range(20)), ("only", 2, 3)])
    for seed in range(10):
        split = split_samples(samples, 0.5, seed, ("NORMAL", "AMD", "RVO"))
        (warning,) = split.warnings
        assert warning == (
            "RVO is missing from validation and not counted in its figures: its 3 photographs are of 1 patient"
        )


def test_one_patient_cannot_be_split() -> None:
    with pytest.raises(SplitError, match="one patient"):
        split_samples(samples_of([("a", 0, 3), ("a", 1, 3)]))


def test_classes_of_one_patient_each_leave_no_photograph_to_validate() -> None:
    with pytest.raises(SplitError, match="no photograph is left to validate"):
        split_samples(samples_of([("a", 0, 3), ("b", 1, 3)]))


def test_folds_hold_each_sample_once_and_keep_patients_whole() -> None:
    samples = samples_of([(f"{n}", n % 3, 1 + n % 3) for n in range(45)])
    splits = [split_folds(samples, 4, fold, seed=1) for fold in range(4)]
    for split in splits:
        assert_no_leak(samples, split)
    assert sorted(np.concatenate([split.validation for split in splits])) == list(range(len(samples)))
    assert split_folds(samples, 4, 2, seed=1).validation.tolist() == splits[2].validation.tolist()


def test_a_fold_without_a_class_in_training_is_refused_and_one_without_it_in_validation_warns() -> None:
    samples = samples_of([*((f"{n}", n % 2, 2) for n in range(20)), ("only", 2, 3)])
    refused = 0
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("error")
        for fold in range(5):
            try:
                (warning,) = split_folds(samples, 5, fold, classes=("NORMAL", "AMD", "RVO")).warnings
                assert warning.startswith("RVO is missing from validation")
            except SplitError as error:
                assert "RVO would be missing from training" in str(error)
                refused += 1
    assert refused == 1


def test_more_folds_than_patients_are_refused() -> None:
    with pytest.raises(SplitError, match="fewer folds"):
        split_folds(samples_of([(f"{n}", n % 2, 2) for n in range(20)]), 30, 0)


def test_the_table_counts_images_and_patients_of_both_sides() -> None:
    samples = samples_of([("a", 0, 2), ("b", 0, 1), ("c", 1, 3), ("d", 1, 1)])
    table = split_table(samples, Split(np.array([0, 1, 3, 4, 5]), np.array([2, 6])), ("NORMAL", "AMD"))
    assert [line.split() for line in table.splitlines()[1:]] == [
        ["NORMAL", "2", "1", "1", "1"],
        ["AMD", "3", "1", "1", "1"],
        ["all", "5", "2", "2", "2"],
    ]
    assert len({len(line) for line in table.splitlines()}) == 1


def test_korean_classes_stand_in_line() -> None:
    samples = samples_of([("a", 0, 2), ("b", 0, 1), ("c", 1, 3), ("d", 1, 1)])
    table = split_table(samples, Split(np.array([0, 1, 3, 4, 5]), np.array([2, 6])), ("정상", "황반변성"))
    # A Korean letter is two columns wide.
    assert len({len(line.encode("cp949")) for line in table.splitlines()}) == 1


def test_one_patient_is_named_also_where_there_are_folds() -> None:
    with pytest.raises(SplitError, match=r"all photographs are of one patient.*--patient-pattern"):
        split_folds(samples_of([("a", 0, 3)]), 5, 0)


def test_the_three_rvo_photographs_of_odir_are_on_both_sides_or_explained(fundus_photographs: Path) -> None:
    samples = list(read_catalog(fundus_photographs / "ODIR_FUNDUS" / "train" / "train_data").samples)
    split = split_samples(samples)
    assert_no_leak(samples, split)
    assert (by_class(samples, split.validation, 4) > 0).all()
    warnings = [warning for fold in range(5) for warning in split_folds(samples, 5, fold).warnings]
    assert warnings and all("its 3 photographs are of 3 patients" in warning for warning in warnings)
