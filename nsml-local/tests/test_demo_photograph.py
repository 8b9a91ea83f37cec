"""One synthetic photograph: its eye and its lesions; only the lesions depend on the class."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from nsml.demo import CLASSES, draw_photograph
from nsml.errors import NsmlError

PATIENTS = range(6)


def test_image_and_mask_have_the_promised_shapes_and_values() -> None:
    image, lesions, quality = draw_photograph("DMR", seed=1, patient=2, eye="L")
    assert image.dtype == np.uint8 and image.shape == (512, 640, 3)
    assert lesions.dtype == np.uint8 and lesions.shape == (512, 640)
    assert set(np.unique(lesions)) == {0, 255}
    assert 50 < quality <= 100


def test_the_same_arguments_draw_the_same_pixels_and_any_other_argument_draws_others() -> None:
    first = draw_photograph("RVO", 1, 2, "R")
    again = draw_photograph("RVO", 1, 2, "R")
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.lesions, again.lesions)
    for other in (("DMR", 1, 2, "R"), ("RVO", 2, 2, "R"), ("RVO", 1, 3, "R"), ("RVO", 1, 2, "L")):
        assert not np.array_equal(first.image, draw_photograph(*other).image)


def test_the_optic_disc_is_on_the_side_of_its_eye() -> None:
    for eye, side in (("R", 1), ("L", -1)):
        spots = []
        for patient in range(16):
            green = draw_photograph("NORMAL", 5, patient, eye).image[..., 1].astype(np.float32)
            # Bright spots of the disc's size; the mean over patients keeps the one at a fixed position.
            spots.append(cv2.GaussianBlur(green, (0, 0), 9) - cv2.GaussianBlur(green, (0, 0), 27))
        middle = np.mean(spots, axis=0)[170:342, 150:490]  # away from the rim
        brightest = 150 + int(np.unravel_index(middle.argmax(), middle.shape)[1])
        assert 50 < (brightest - 320) * side < 180


def test_both_eyes_of_a_patient_are_more_alike_than_eyes_of_two_patients() -> None:
    def colours(patient: int, eye: str) -> np.ndarray:
        image = draw_photograph("NORMAL", 8, patient, eye).image
        return np.asarray(image[image.max(axis=2) > 25].mean(axis=0))

    right, left = (np.array([colours(patient, eye) for patient in PATIENTS]) for eye in "RL")
    fellows = np.linalg.norm(right - left, axis=1).mean()
    strangers = np.linalg.norm(right - np.roll(left, 1, axis=0), axis=1).mean()
    assert fellows < 0.5 * strangers


@pytest.mark.parametrize("class_name", ["AMD", "RVO", "DMR"])
def test_lesions_differ_visibly_from_the_same_eye_without_them(class_name: str) -> None:
    for patient in PATIENTS:
        ill, healthy = draw_photograph(class_name, 2, patient), draw_photograph("NORMAL", 2, patient)
        change = np.abs(ill.image.astype(int) - healthy.image).mean(axis=2)
        on = ill.lesions > 0
        clear = cv2.dilate(ill.lesions, np.ones((25, 25))) == 0
        assert 0.0005 < on.mean() < 0.15
        assert change[on].mean() > 2 * change[clear].mean()


def test_a_normal_eye_has_no_lesion() -> None:
    assert not any(draw_photograph("NORMAL", 2, patient).lesions.any() for patient in PATIENTS)


def test_amd_lesions_are_at_the_macula_and_dmr_lesions_all_over_the_field() -> None:
    def spread(class_name: str) -> float:
        masks = [draw_photograph(class_name, 2, patient).lesions for patient in PATIENTS]
        return float(np.mean([np.argwhere(mask).std(axis=0).mean() for mask in masks]))

    assert 1.6 * spread("AMD") < spread("DMR")


def test_field_of_view_and_colours_are_those_of_the_same_eye_without_lesions() -> None:
    for patient in PATIENTS:
        normal = draw_photograph("NORMAL", 2, patient).image
        for class_name in CLASSES[1:]:
            image = draw_photograph(class_name, 2, patient).image
            for statistic in (np.mean, np.std):
                assert np.abs(statistic(image, axis=(0, 1)) - statistic(normal, axis=(0, 1))).max() < 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("GLAUCOMA", 0, 0, "R"), "'GLAUCOMA' is unknown: choose one of NORMAL, AMD, RVO, DMR"),
        (("AMD", 0, 0, "X"), "'X' is unknown: choose R or L"),
        (("AMD", -1, 0, "R"), "must be 0 or more"),
        (("AMD", 0, -1, "R"), "must be 0 or more"),
    ],
)
def test_a_bad_argument_is_named(arguments: tuple[str, int, int, str], message: str) -> None:
    with pytest.raises(NsmlError, match=message):
        draw_photograph(*arguments)
