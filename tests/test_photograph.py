"""One photograph -> one small image."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from dataprep.local_average import subtract_local_average
from dataprep.photograph import (
    PhotographError,
    Preparation,
    prepare_array,
    prepare_blank,
    prepare_file,
    prepare_marks,
)
from dataprep.retina import find_retina

PLAIN = Preparation(crop=False, local_average=False, mask=False)
CROP = Preparation(local_average=False, mask=False)


def exact_local_average(image: np.ndarray, sigma: float, gain: float = 4.0, offset: float = 128.0) -> np.ndarray:
    pixels = image.astype(np.float64)
    return np.clip(gain * (pixels - ndimage.gaussian_filter(pixels, (sigma, sigma, 0), mode="mirror")) + offset, 0, 255)


def some_photographs(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*_FUNDUS/test/test_data/*.jpg"))
    return files[::25]


# Local average


@pytest.mark.parametrize("shape", [(128, 128), (256, 256), (512, 512), (333, 277), (1024, 768)])
def test_the_local_average_is_within_its_error_budget_of_a_true_gaussian(draw_fundus, shape) -> None:
    image = draw_fundus(*shape, radius=0.7)
    sigma = max(shape) / 30
    error = np.abs(subtract_local_average(image, sigma) - exact_local_average(image, sigma))
    assert error.mean() <= 0.5
    assert np.percentile(error, 99.9) <= 4


@pytest.mark.parametrize("size", [128, 512])
def test_the_local_average_of_real_photographs_is_within_the_same_budget(fundus_photographs, size) -> None:
    for path in some_photographs(fundus_photographs)[::4]:
        image = prepare_file(path, Preparation(size=size, local_average=False, mask=False))
        error = np.abs(subtract_local_average(image, size / 30) - exact_local_average(image, size / 30))
        assert error.mean() <= 0.5, path.name
        assert np.percentile(error, 99.9) <= 4, path.name


@pytest.mark.parametrize("gain", [0.5, 1.0, 7.5, 32.0])
@pytest.mark.parametrize("offset", [0.0, 100.0, 255.0])
def test_gain_and_offset_are_those_of_the_formula(draw_fundus, gain, offset) -> None:
    image = draw_fundus(96, 96, radius=0.8)
    error = np.abs(subtract_local_average(image, 4, gain, offset) - exact_local_average(image, 4, gain, offset))
    assert error.mean() <= max(0.5, gain / 4)


def test_within_a_mask_only_the_pixels_inside_count() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(90, 110, (120, 120, 3)).astype(np.uint8)
    inside = np.zeros((120, 120), np.uint8)
    cv2.circle(inside, (60, 60), 50, 255, -1)
    results = []
    for surround in (0, 255):
        surrounded = image.copy()
        surrounded[inside == 0] = surround
        results.append(subtract_local_average(surrounded, 4, inside=inside)[inside > 0])
    assert (results[0] == results[1]).all()
    weights = np.maximum(ndimage.gaussian_filter((inside > 0).astype(float), 4), 1e-9)
    average = ndimage.gaussian_filter(np.where(inside[..., None] > 0, image, 0.0), (4, 4, 0)) / weights[..., None]
    exact = np.clip(4 * (image - average) + 128, 0, 255)[inside > 0]
    assert np.abs(results[0] - exact).mean() < 1.0


# The retina


@pytest.mark.parametrize("light", [1.0, 0.3, 0.06])
@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.42, 0.55)])
def test_the_retina_is_located_in_bright_and_in_almost_black_photographs(draw_fundus, light, centre) -> None:
    retina = find_retina(draw_fundus(300, 400, radius=0.4, centre=centre, light=light))
    assert retina.has_surround
    x, y = centre[0] * 400, centre[1] * 300
    assert retina.box == pytest.approx((x - 120, y - 120, x + 120, y + 120), abs=4)


def test_text_does_not_count_as_retina(draw_fundus) -> None:
    image = draw_fundus(600, 800, radius=0.35)
    cv2.putText(image, "OD 2019-11-03", (5, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255), 3)
    cv2.rectangle(image, (770, 560), (790, 590), (255, 255, 255), -1)
    assert find_retina(image).box == pytest.approx((190, 90, 610, 510), abs=6)


@pytest.mark.parametrize("frame", ["around black", "around the retina"])
def test_white_borders_do_not_count_as_retina(draw_fundus, frame) -> None:
    image = draw_fundus(300, 300, radius=0.4, surround=255 if frame == "around the retina" else 0)
    image = cv2.copyMakeBorder(image, 30, 50, 40, 60, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    retina = find_retina(image)
    assert retina.has_surround
    assert retina.box == pytest.approx((70, 60, 310, 300), abs=4)


@pytest.mark.parametrize("level", [0, 1, 90, 255])
def test_where_nothing_stands_out_the_whole_image_is_the_retina(level) -> None:
    retina = find_retina(np.full((50, 80, 3), level, np.uint8))
    assert not retina.has_surround
    assert retina.box == (0, 0, 80, 50)


def test_the_retina_of_every_real_photograph_is_located_and_large(fundus_photographs) -> None:
    for path in some_photographs(fundus_photographs):
        image = cv2.imread(str(path))
        retina = find_retina(image)
        assert retina.has_surround and retina.side > 0.85 * max(image.shape), path.name


# Files and arrays


@pytest.mark.parametrize("preparation", [Preparation(), Preparation(size=96, local_average=False), PLAIN, CROP])
@pytest.mark.parametrize("shape", [(130, 170), (500, 640), (1201, 1603)])
def test_a_file_and_its_decoded_array_are_prepared_alike(draw_fundus, tmp_path, preparation, shape) -> None:
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), draw_fundus(*shape), [cv2.IMWRITE_JPEG_QUALITY, 90])
    from_file = prepare_file(path, preparation).astype(int)
    from_array = prepare_array(cv2.imread(str(path)), preparation)
    assert from_file.shape == (preparation.size, preparation.size, 3)
    difference = np.abs(from_file - from_array)
    assert difference.mean() < (2.0 if preparation.local_average else 1.0)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_real_files_and_their_decoded_arrays_are_prepared_alike(fundus_photographs, size) -> None:
    differences = []
    for path in some_photographs(fundus_photographs):
        from_file = prepare_file(path, Preparation(size=size)).astype(int)
        differences.append(np.abs(from_file - prepare_array(cv2.imread(str(path)), Preparation(size=size))).mean())
    assert np.mean(differences) < 1.5
    assert max(differences) < 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [16, 200])
def test_exif_orientation_is_applied_as_by_opencv_at_every_scale(draw_fundus, tmp_path, orientation, size) -> None:
    _, encoded = cv2.imencode(".jpg", draw_fundus(240, 320, centre=(0.4, 0.5)))
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + bytes(4)
    segment = b"Exif\0\0" + tiff
    path = tmp_path / "a.jpg"
    content = encoded.tobytes()
    path.write_bytes(content[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + content[2:])
    decoded = cv2.imread(str(path))
    assert decoded.shape == ((320, 240, 3) if orientation > 4 else (240, 320, 3))
    preparation = Preparation(size=size, crop=False, local_average=False, mask=False)
    difference = np.abs(prepare_file(path, preparation).astype(int) - prepare_array(decoded, preparation))
    assert difference.mean() < 1.0


@pytest.mark.parametrize("extension", ["png", "bmp", "tif", "jpg"])
def test_every_format_is_averaged_down_and_not_sampled(tmp_path, extension) -> None:
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 200
    cv2.imwrite(str(tmp_path / f"a.{extension}"), stripes)
    prepared = prepare_file(tmp_path / f"a.{extension}", Preparation(16, crop=False, local_average=False, mask=False))
    assert np.abs(prepared.astype(int) - 100).max() <= 3


def test_a_small_retina_in_a_large_photograph_is_decoded_finely_enough(draw_fundus, tmp_path) -> None:
    small = draw_fundus(400, 400, radius=0.45)
    image = np.zeros((1200, 1600, 3), np.uint8)
    image[600:1000, 900:1300] = small
    cv2.imwrite(str(tmp_path / "a.png"), image)
    preparation = Preparation(size=256, local_average=False)
    prepared = prepare_file(tmp_path / "a.png", preparation).astype(int)
    assert np.abs(prepared - prepare_array(small, preparation)).mean() < 4


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff\xd8\xff\xe0\x00\x10JFIF"])
def test_an_unreadable_file_is_one_line_that_names_it(tmp_path, content) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotographError, match=r"a\.jpg: ") as caught:
        prepare_file(path, Preparation())
    assert "\n" not in str(caught.value)


def test_missing_and_truncated_files_are_unreadable(draw_fundus, tmp_path) -> None:
    with pytest.raises(PhotographError, match="No such file"):
        prepare_file(tmp_path / "gone.jpg", Preparation())
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), draw_fundus())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(PhotographError, match="truncated"):
        prepare_file(path, Preparation())


def test_grey_and_bgra_arrays_are_prepared_as_bgr(draw_fundus) -> None:
    image = draw_fundus()
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    as_bgr = prepare_array(np.stack([grey] * 3, axis=-1), Preparation())
    assert (prepare_array(grey, Preparation()) == as_bgr).all()
    assert (prepare_array(grey[..., None], Preparation()) == as_bgr).all()
    bgra = np.dstack([image, np.full(image.shape[:2], 7, np.uint8)])
    assert (prepare_array(bgra, Preparation()) == prepare_array(image, Preparation())).all()


def test_views_of_any_strides_are_prepared_and_left_unchanged(draw_fundus) -> None:
    image = draw_fundus()
    before = image.copy()
    mirrored = prepare_array(image[:, ::-1], Preparation())
    assert (mirrored == prepare_array(np.ascontiguousarray(image[:, ::-1]), Preparation())).all()
    image.flags.writeable = False
    prepare_array(image, Preparation())
    assert (image == before).all()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((9, 9, 3), np.float32), "must be uint8, not float32"),
        (np.zeros((9, 9, 3), np.uint16), "must be uint8, not uint16"),
        (np.zeros((9, 9, 2), np.uint8), r"not \(9, 9, 2\)"),
        (np.zeros((0, 9, 3), np.uint8), r"not \(0, 9, 3\)"),
        (np.zeros(9, np.uint8), r"not \(9, 1\)|not \(9,\)"),
        (np.zeros((2, 9, 9, 3), np.uint8), r"not \(2, 9, 9, 3\)"),
        ([[1, 2], [3, 4]], "not list"),
        (None, "not NoneType"),
    ],
)
def test_an_array_that_is_no_image_is_refused(image, message) -> None:
    with pytest.raises(PhotographError, match=message):
        prepare_array(image, Preparation())


@given(
    height=st.integers(12, 60),
    width=st.integers(12, 60),
    size=st.sampled_from([8, 24, 64]),
    crop=st.booleans(),
    local_average=st.booleans(),
    mask=st.booleans(),
    seed=st.integers(0, 5),
)
def test_an_image_of_any_size_gives_the_prepared_size(height, width, size, crop, local_average, mask, seed) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    prepared = prepare_array(image, Preparation(size, crop, local_average, mask))
    assert prepared.shape == (size, size, 3) and prepared.dtype == np.uint8


# The steps


def test_each_step_can_be_switched_off(draw_fundus) -> None:
    image = draw_fundus(256, 256, radius=0.35)
    plain = prepare_array(image, PLAIN)
    assert np.abs(plain.astype(int) - cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA)).max() <= 1
    cropped = prepare_array(image, CROP)
    assert (plain.max(axis=2) > 20).mean() < 0.45 < 0.7 < (cropped.max(axis=2) > 20).mean()
    masked = prepare_array(image, Preparation(local_average=False))
    assert (masked[:2] == 0).all() and (masked.max(axis=2) > 20).mean() < (cropped.max(axis=2) > 20).mean()
    evened = prepare_array(image, Preparation(mask=False))
    assert np.abs(evened[10:-10].mean() - 128) < 12
    whole = prepare_array(image, Preparation(crop=False))
    assert (whole[:15] == 128).all() and (whole[64] != 128).any()


def test_the_aspect_ratio_is_unchanged(draw_fundus) -> None:
    prepared = prepare_array(draw_fundus(200, 400, radius=0.45), PLAIN)
    assert (prepared[:30] == 0).all() and (prepared[-30:] == 0).all() and (prepared[64] > 0).any()


def test_no_bright_halo_is_left_along_the_rim(draw_fundus) -> None:
    image = draw_fundus(512, 512, noise=0.0)
    masked = prepare_array(image, Preparation(size=256)).astype(float)
    rows, columns = np.mgrid[:256, :256] - 127.5
    radius = np.hypot(rows, columns)
    rim, middle = masked[(radius > 116) & (radius < 122)], masked[radius < 60]
    assert abs(np.median(rim) - np.median(middle)) < 6
    halo = prepare_array(image, Preparation(size=256, mask=False)).astype(float)[(radius > 116) & (radius < 122)]
    assert np.median(halo) > np.median(middle) + 20


def test_outside_the_mask_is_grey_and_black_without_local_average(draw_fundus) -> None:
    image = draw_fundus()
    assert (prepare_array(image, Preparation())[0, 0] == 128).all()
    assert (prepare_array(image, Preparation(local_average=False))[0, 0] == 0).all()
    assert (prepare_blank(Preparation(size=40)) == np.full((40, 40, 3), 128, np.uint8)).all()
    assert (prepare_blank(Preparation(local_average=False)) == 0).all()


# Marks


@pytest.mark.parametrize("preparation", [Preparation(96), Preparation(64, crop=False), Preparation(48, mask=False)])
@pytest.mark.parametrize("shape", [(320, 400), (900, 1200)])
def test_marks_lie_where_the_prepared_image_shows_what_they_mark(draw_fundus, shape, preparation) -> None:
    image = draw_fundus(*shape, noise=0)
    spot = round(0.42 * shape[1]), round(0.6 * shape[0])
    marks = np.zeros(shape, np.uint8)
    cv2.circle(marks, spot, shape[0] // 16, 255, -1)
    with_spot = image.copy()
    with_spot[marks > 0] = 255
    result, _ = prepare_marks(image, marks, preparation)
    plain = Preparation(preparation.size, preparation.crop, local_average=False, mask=preparation.mask)
    changed = np.abs(prepare_array(with_spot, plain).astype(int) - prepare_array(image, plain)).max(axis=2)
    np.testing.assert_array_equal(result > 0.9, changed > 0.9 * changed.max())


def test_the_retina_is_what_the_preparation_shows_of_it(draw_fundus) -> None:
    image = draw_fundus(320, 400)
    _, retina = prepare_marks(image, np.zeros((320, 400), np.uint8), Preparation(96))
    shown = (prepare_array(image, Preparation(96, local_average=False)) > 0).any(axis=2)
    np.testing.assert_array_equal(retina > 0.5, shown)


def test_marks_of_another_size_are_refused(draw_fundus) -> None:
    with pytest.raises(PhotographError, match=r"\(10, 10\)"):
        prepare_marks(draw_fundus(320, 400), np.zeros((10, 10), np.uint8), Preparation(96))


def test_a_strip_is_no_photograph() -> None:
    with pytest.raises(PhotographError, match="60000x8 pixels: a strip shows no eye"):
        prepare_array(np.zeros((8, 60_000, 3), np.uint8), Preparation(64))
