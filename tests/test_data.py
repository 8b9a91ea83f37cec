"""Who trains and who validates, as the settings say."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataprep.catalog import read_catalog
from dataprep.split import SplitError
from model.data import split_catalog
from tests import small_network

SETTINGS = small_network.settings(classes=("NORMAL", "AMD"), folds=2)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 patients with both eyes, every fourth with AMD."""
    folder = tmp_path_factory.mktemp("train_data")
    for number in range(40):
        name, code = ("AMD", "AMD") if number % 4 == 0 else ("NORMAL", "NOR")
        for eye in "RL":
            path = folder / name / f"Wide_{code}_{number}_{eye}.jpg"
            path.parent.mkdir(exist_ok=True)
            assert cv2.imwrite(str(path), np.full((8, 8, 3), number, np.uint8))
    return folder


def patients(folder: Path, **changed: object) -> tuple[list[str], list[str]]:
    """Of each photograph on both sides."""
    settings = replace(SETTINGS, **changed)  # type: ignore[arg-type]
    catalog = read_catalog(folder, settings.classes)
    split = split_catalog(catalog, settings)
    train, validation = ([catalog.samples[index].patient for index in side] for side in (split.train, split.validation))
    return train, validation


def test_a_split_by_patient_keeps_both_eyes_on_one_side(photographs: Path) -> None:
    train, validation = patients(photographs)
    assert not set(train) & set(validation)


def test_a_split_by_file_has_patients_on_both_sides(photographs: Path) -> None:
    train, validation = patients(photographs, split="file")
    assert set(train) & set(validation)


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_a_share_leaves_out_training_patients_of_each_class_and_none_that_validate(
    photographs: Path, share: float
) -> None:
    whole, validation = patients(photographs)
    part, same = patients(photographs, share=share)
    assert same == validation
    assert set(part) < set(whole)
    assert all(part.count(patient) == 2 for patient in part)
    catalog = read_catalog(photographs, SETTINGS.classes)
    split = split_catalog(catalog, replace(SETTINGS, share=share))
    for label in (0, 1):
        count = sum(catalog.samples[index].label == label for index in split.train)
        of_whole = sum(catalog.samples[index].label == label for index in split_catalog(catalog, SETTINGS).train)
        assert abs(count - share * of_whole) <= 2


def test_a_share_keeps_a_class_of_one_patient(photographs: Path, tmp_path: Path) -> None:
    shutil.copytree(photographs, tmp_path, dirs_exist_ok=True)
    (tmp_path / "RVO").mkdir()
    shutil.copy(tmp_path / "AMD" / "Wide_AMD_0_R.jpg", tmp_path / "RVO" / "Wide_RVO_99_R.jpg")
    settings = replace(SETTINGS, classes=("NORMAL", "AMD", "RVO"), folds=0, share=0.25)
    catalog = read_catalog(tmp_path, settings.classes)
    train = split_catalog(catalog, settings).train
    assert {catalog.samples[index].label for index in train} == {0, 1, 2}


def test_a_split_of_another_name_is_refused(photographs: Path) -> None:
    with pytest.raises(SplitError, match="split is 'eye'; give one of patient, file"):
        patients(photographs, split="eye")
