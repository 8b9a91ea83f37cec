"""Random rotation, zoom, shifts and flips."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from dataprep.augment import ROTATION, SHIFT, ZOOM, affine_parameters, augment, uniform


def images(n: int, height: int = 40, width: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, 3)).astype(np.uint8)


@settings(max_examples=20)
@given(
    height=st.integers(2, 90),
    width=st.integers(2, 90),
    strength=st.floats(0.01, 1),
    seed=st.integers(-(2**63), 2**63),
    epoch=st.integers(0, 10_000),
)
def test_a_warp_agrees_with_scipy(height, width, strength, seed, epoch) -> None:
    batch = images(2, height, width)
    warped = augment(batch, seed, epoch, [5, 9], strength)
    maps = affine_parameters(seed, epoch, [5, 9], strength, (height, width))
    assert warped.dtype == np.float32 and warped.shape == batch.shape
    for image, result, matrix in zip(batch, warped, maps, strict=True):
        # SciPy's axes are rows first.
        linear, offset = matrix[::-1, 1::-1], matrix[::-1, 2]
        for channel in range(3):
            pixels = image[..., channel].astype(np.float64)
            surround = np.median(pixels[[0, 0, -1, -1], [0, -1, 0, -1]])
            exact = ndimage.affine_transform(pixels, linear, offset, order=1, mode="grid-constant", cval=surround)
            assert np.abs(result[..., channel] - exact).max() <= 0.01


def test_strength_zero_changes_nothing() -> None:
    batch = images(3)
    assert (augment(batch, 1, 2, np.arange(3), 0.0) == batch).all()
    assert affine_parameters(1, 2, [0], 0.0, (40, 40)).tolist() == [[[1, 0, 0], [0, 1, 0]]]


def test_an_image_is_augmented_alike_in_every_batch() -> None:
    batch = images(6)
    whole = augment(batch, 7, 3, np.arange(6), 1.0)
    for part in ([4], [5, 0], [2, 1, 3]):
        assert (augment(batch[part], 7, 3, part, 1.0) == whole[part]).all()


@pytest.mark.parametrize("other", [(8, 3, 0), (7, 4, 0), (7, 3, 1)])
def test_seed_epoch_and_index_each_change_the_warp(other) -> None:
    seed, epoch, index = other
    assert (affine_parameters(7, 3, [0], 1.0, (40, 40)) != affine_parameters(seed, epoch, [index], 1.0, (40, 40))).any()


def test_the_images_given_are_left_unchanged() -> None:
    batch = images(2)
    batch.flags.writeable = False
    before = batch.copy()
    augment(batch, 0, 0, [0, 1], 1.0)
    assert (batch == before).all()


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_rotation_zoom_shift_and_flips_are_spread_over_their_documented_ranges(strength) -> None:
    size, n = 101, 4000
    maps = np.concatenate(
        [affine_parameters(5, epoch, np.arange(n // 4), strength, (size, size)) for epoch in range(4)]
    )
    linear = maps[:, :, :2]
    mirrored = np.linalg.det(linear) < 0
    zoom = np.sqrt(np.abs(np.linalg.det(linear)))
    shift = linear @ np.full(2, (size - 1) / 2) + maps[:, :, 2] - (size - 1) / 2
    unmirrored = np.where(mirrored[:, None, None], np.diag([-1.0, 1.0]) @ linear, linear)
    # What is left of two flips is half a turn, which a rotation of 45 degrees cannot be mistaken for.
    angle = np.degrees(np.arctan2(unmirrored[:, 1, 0], unmirrored[:, 0, 0]))
    turned = np.abs(angle) > 90
    angle = (angle + 90) % 180 - 90
    flip = strength / 2
    assert mirrored.mean() == pytest.approx(2 * flip * (1 - flip), abs=0.03)
    assert turned.mean() == pytest.approx(flip, abs=0.03)
    for values, limit in [
        (angle, ROTATION),
        (np.log(zoom), np.log(ZOOM)),
        (shift[:, 0], SHIFT * size),
        (shift[:, 1], SHIFT * size),
    ]:
        limit *= strength
        assert stats.kstest(values, stats.uniform(-limit, 2 * limit).cdf).pvalue > 1e-4


def test_the_draws_of_neighbouring_images_and_epochs_are_unrelated() -> None:
    shifts = np.stack([affine_parameters(0, epoch, np.arange(2000), 1.0, (64, 64))[:, :, 2] for epoch in range(3)])
    flat = np.concatenate([shifts[..., 0], shifts[..., 1], shifts[:, np.r_[1:2000, 0], 0]])
    assert np.abs(np.corrcoef(flat) - np.eye(len(flat))).max() < 0.09


def test_what_comes_in_from_beyond_has_the_colour_of_the_corners() -> None:
    batch = np.full((8, 40, 40, 3), (10, 128, 250), np.uint8)
    batch[:, 10:30, 10:30] = 60
    warped = augment(batch, 0, 0, np.arange(8), 1.0)
    assert (warped[:, [0, 0, -1, -1], [0, -1, 0, -1]] == (10, 128, 250)).all()


def test_more_draws_leave_the_first_as_they_are() -> None:
    assert (uniform(1, 2, [3, 4], 9)[:6] == uniform(1, 2, [3, 4], 6)).all()
