"""Patients, eyes, what a random split tears apart, and the line in the training log."""

from __future__ import annotations

import itertools
import subprocess
import sys
from math import comb
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.catalog import Sample
from dataprep.patients import expected_torn, glance, read_patients, same_content

ROOT = Path(__file__).resolve().parent.parent


def sample(patient: str, eye: str, label: int = 0, name: str = "") -> Sample:
    return Sample(Path(name or f"{patient}{eye}{label}.jpg"), label, patient, eye)


def test_patients_in_two_classes_both_eyes_and_several_pictures_are_listed() -> None:
    samples = [sample("1", "R"), sample("1", "L", 1), sample("2", "R"), sample("2", "R"), sample("x/y.jpg", "")]
    patients = read_patients(samples)
    assert (patients.patients, patients.eyes) == (3, 3)
    assert patients.in_two_classes == {"1": [0, 1]}
    assert patients.both_eyes == {"1": [0, 1]}
    assert patients.several_pictures == {("2", "R"): [2, 3]}


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_the_expected_number_torn_is_the_mean_over_all_splits(sizes: list[int], data: st.DataObject) -> None:
    owners = [owner for owner, size in enumerate(sizes) for _ in range(size)]
    validation = data.draw(st.integers(0, len(owners)))
    torn = 0
    for chosen in itertools.combinations(range(len(owners)), validation):
        there = {owners[index] for index in chosen}
        torn += len(there & {owners[index] for index in range(len(owners)) if index not in chosen})
    assert expected_torn(sizes, len(owners), validation) == pytest.approx(
        torn / comb(len(owners), validation), abs=1e-12
    )


@given(st.lists(st.integers(1, 3), min_size=2, max_size=4))
def test_the_share_seen_before_is_the_mean_over_all_splits(sizes: list[int]) -> None:
    owners = [owner for owner, size in enumerate(sizes) for _ in range(size)]
    validation = round(0.4 * len(owners))
    seen = 0
    for chosen in itertools.combinations(range(len(owners)), validation):
        training = {owners[index] for index in range(len(owners)) if index not in chosen}
        seen += sum(owners[index] in training for index in chosen)
    patients = read_patients([sample(str(owner), "R") for owner in owners], 0.4)
    expected = seen / (validation * comb(len(owners), validation)) if validation else 0
    assert patients.seen_before == pytest.approx(expected, abs=1e-12)


def test_of_single_photographs_no_share_is_seen_before_and_none_is_printed_as_less_than_nothing() -> None:
    for count in range(5, 60):
        assert f"{read_patients([sample(str(n), 'R') for n in range(count)], 0.2).seen_before:.0%}" == "0%"


def test_files_of_the_same_content_are_grouped(tmp_path: Path) -> None:
    contents = [b"a" * 9000, b"b" * 9000, b"a" * 9000, b"a" * 8999 + b"c", b"", b"", b"a" * 9000]
    paths = [tmp_path / str(number) for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    assert sorted(same_content([*paths, tmp_path / "gone", tmp_path / "lost"])) == [[0, 2, 6], [4, 5]]


def test_the_line_of_the_log_counts_and_leaves_out_what_is_not_there(tmp_path: Path) -> None:
    names = [str(tmp_path / f"{number}.jpg") for number in range(4)]
    for name in names:
        Path(name).write_bytes(b"the same")
    Path(names[3]).write_bytes(b"another.")
    first = glance([sample(str(number), "R", name=name) for number, name in enumerate(names)])
    assert first == "audit: 4 patients, 2 exact duplicates; python -m evidence audit shows more"
    samples = [sample("1", "R", name=names[0]), sample("1", "L", 1, name=names[1]), sample("1", "L", 1, name=names[3])]
    assert glance(samples) == (
        "audit: 1 patient, 1 of them in two classes, 1 with both eyes, 1 eye with several photographs, 1 exact duplicate; "
        "python -m evidence audit shows more"
    )


def test_the_line_of_the_log_needs_neither_opencv_nor_scikit_learn() -> None:
    program = (
        "import sys, dataprep.patients; "
        "sys.exit(any(name in sys.modules for name in ('cv2', 'sklearn', 'tensorflow', 'imagehash')))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
