"""The synthetic dataset: its files and patients; the same seed draws the same bytes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nsml.demo import CLASSES, draw_dataset
from nsml.demo.dataset import PROPORTIONS, class_counts, list_entries
from nsml.errors import NsmlError

TRAIN, TEST = 10, 6


def pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8)


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset in `set`, with its lesions in `masks`."""
    folder = tmp_path_factory.mktemp("demo")
    draw_dataset(folder / "set", seed=3, workers=2, train=TRAIN, test=TEST, masks=folder / "masks")
    return folder


def test_the_layout_is_that_of_the_contract(drawn: Path) -> None:
    dataset = drawn / "set"
    assert {path.name for path in (dataset / "train" / "train_data").iterdir()} == set(CLASSES)
    assert len(list((dataset / "train" / "train_data").glob("*/Wide_*_[0-9][0-9][0-9][0-9]_[LR].jpg"))) == TRAIN
    assert {path.name for path in (dataset / "test").iterdir()} == {"test_data", "test_label"}
    for path in (dataset / "train").rglob("*.jpg"):
        assert path.name.split("_")[1] == {"NORMAL": "NOR"}.get(path.parent.name, path.parent.name)


def test_every_photograph_is_640_by_512_in_colour(drawn: Path) -> None:
    photographs = list((drawn / "set").rglob("*.jpg"))
    assert len(photographs) == TRAIN + TEST
    assert {pixels(path).shape for path in photographs} == {(512, 640, 3)}


def test_labels_are_sorted_by_path_with_each_test_photograph_once(drawn: Path) -> None:
    lines = (drawn / "set" / "test" / "test_label").read_text().splitlines()
    rows = [line.split(",") for line in lines]
    assert lines == sorted(lines)
    assert {row[0] for row in rows} == {"test_data"}
    assert [row[1] for row in rows] == sorted(path.name for path in (drawn / "set" / "test" / "test_data").iterdir())
    assert Counter(int(row[2]) for row in rows) == Counter(
        {CLASSES.index(name): count for name, count in class_counts(TEST).items()}
    )


def test_the_same_seed_draws_the_same_bytes_with_any_number_of_workers(drawn: Path, tmp_path: Path) -> None:
    draw_dataset(tmp_path / "set", seed=3, workers=1, train=TRAIN, test=TEST, masks=tmp_path / "masks")
    assert digests(tmp_path) == digests(drawn)


def test_another_seed_draws_other_pictures(drawn: Path, tmp_path: Path) -> None:
    draw_dataset(tmp_path / "set", seed=4, train=4, test=4)
    ours, theirs = (
        {digest for path, digest in digests(folder / "set").items() if path.endswith(".jpg")}
        for folder in (tmp_path, drawn)
    )
    assert not ours & theirs


def test_masks_have_the_paths_of_their_photographs_and_only_normal_ones_are_empty(drawn: Path) -> None:
    labels = dict(line.split(",")[1:] for line in (drawn / "set" / "test" / "test_label").read_text().splitlines())
    photographs = list((drawn / "set").rglob("*.jpg"))
    assert len(list((drawn / "masks").rglob("*.png"))) == len(photographs)
    for path in photographs:
        mask = pixels((drawn / "masks" / path.relative_to(drawn / "set")).with_suffix(".png"))
        normal = path.parent.name == "NORMAL" or labels.get(path.name) == "0"
        assert mask.shape == (512, 640)
        assert set(np.unique(mask)) == ({0} if normal else {0, 255})


def test_with_fewer_lesions_the_same_eyes_show_smaller_ones_in_each_class(drawn: Path, tmp_path: Path) -> None:
    draw_dataset(tmp_path / "set", seed=3, train=TRAIN, test=TEST, masks=tmp_path / "masks", fewest=1e-3)
    for normal in (tmp_path / "set" / "train" / "train_data" / "NORMAL").iterdir():
        assert normal.read_bytes() == (drawn / normal.relative_to(tmp_path)).read_bytes()
    for class_name in set(CLASSES) - {"NORMAL"}:
        masks = sorted((tmp_path / "masks" / "train" / "train_data" / class_name).iterdir())
        fewer, all_of_them = (
            [np.count_nonzero(pixels(folder / mask.relative_to(tmp_path))) for mask in masks]
            for folder in (tmp_path, drawn)
        )
        assert all(0 < few < whole for few, whole in zip(fewer, all_of_them, strict=True))


def test_progress_counts_every_photograph_once(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    draw_dataset(tmp_path / "set", progress=lambda done, total: seen.append((done, total)), train=4, test=4)
    assert seen == [(done, 8) for done in range(1, 9)]


def test_the_default_dataset_has_800_photographs_in_the_competition_s_proportions() -> None:
    train, test = class_counts(600), class_counts(200)
    for name, share in PROPORTIONS.items():
        wanted = share / sum(PROPORTIONS.values())
        assert abs(train[name] / 600 - wanted) < 1 / 600
        assert abs(test[name] / 200 - wanted) < 1 / 200


@given(st.integers(4, 5000))
def test_class_counts_add_up_and_no_class_is_empty(total: int) -> None:
    counts = class_counts(total)
    assert sum(counts.values()) == total
    assert min(counts.values()) >= 1


@given(st.integers(0, 1000))
def test_a_patient_has_one_class_is_in_one_set_and_has_each_eye_once(seed: int) -> None:
    of_patient = defaultdict(list)
    for entry in list_entries(seed, 60, 20):
        of_patient[entry.patient].append(entry)
    for entries in of_patient.values():
        assert len({entry.class_name for entry in entries}) == 1
        assert len({entry.path.parts[0] for entry in entries}) == 1
        assert len({entry.eye for entry in entries}) == len(entries)


def test_most_patients_have_both_eyes() -> None:
    eyes = Counter(entry.patient for entry in list_entries(0, 600, 200))
    assert 0.7 < sum(count == 2 for count in eyes.values()) / len(eyes) < 0.95


def test_patient_numbers_and_test_names_are_independent_of_the_class() -> None:
    entries = list_entries(0, 600, 200)
    for values in (
        {entry.patient: entry.class_name for entry in entries},
        {int(e.path.stem, 16): e.class_name for e in entries if e.path.parts[0] == "test"},
    ):
        in_order = [values[key] == "DMR" for key in sorted(values)]
        half = len(in_order) // 2
        # The shares of DMR in the two halves differ by less than three standard errors.
        assert abs(np.mean(in_order[:half]) - np.mean(in_order[half:])) < 3 * np.sqrt(0.24 * 2 / half)


def test_a_folder_in_use_is_refused_and_unchanged(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(NsmlError, match="absent or empty"):
        draw_dataset(tmp_path, train=4, test=4)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_drawing_that_fails_halfway_leaves_no_files(tmp_path: Path) -> None:
    def give_up(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_dataset(tmp_path / "set", progress=give_up, train=4, test=4, masks=tmp_path / "masks")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train": 3}, "train=3"),
        ({"test": 0}, "test=0"),
        ({"workers": 0}, "workers=0"),
        ({"seed": -1}, "seed -1"),
        ({"fewest": 0}, "fewest=0"),
        ({"fewest": 1.5}, r"fewest=1\.5"),
    ],
)
def test_a_bad_argument_is_named(tmp_path: Path, arguments: dict[str, float], message: str) -> None:
    with pytest.raises(NsmlError, match=message):
        draw_dataset(tmp_path / "set", **arguments)  # type: ignore[arg-type]


def test_importing_the_demo_imports_neither_numpy_nor_opencv() -> None:
    code = "import sys, json, nsml.demo; print(json.dumps([name for name in ('numpy', 'cv2') if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("package", ["numpy", "cv2"])
def test_a_missing_package_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NsmlError, match=rf"{package}.*pip install .*nsml-local\[images\]"):
        draw_dataset(tmp_path / "set")


def test_the_dataset_has_lesion_masks_of_the_training_photographs_only(drawn: Path) -> None:
    photographs = list((drawn / "set" / "train" / "train_data").rglob("*.jpg"))
    marks = [path for path in (drawn / "set").rglob("*.png")]
    assert len(marks) == len(photographs) == TRAIN
    for path in photographs:
        below = path.relative_to(drawn / "set" / "train" / "train_data").with_suffix(".png")
        mask = pixels(drawn / "set" / "train" / "lesions" / below)
        np.testing.assert_array_equal(mask, pixels(drawn / "masks" / "train" / "train_data" / below))
