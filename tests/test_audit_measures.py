"""What the audit reads from one photograph: text, camera, looks, and hashes that tell copies from other eyes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.catalog import Sample, read_catalog
from dataprep.retina import find_retina
from evidence.audit.duplicates import exact_duplicates
from evidence.audit.fingerprint import NEAR, fingerprints, near_pairs
from evidence.audit.measure import decode, measure, measure_all, read_camera
from evidence.audit.text import find_text

Draw = Callable[..., np.ndarray]


def jpeg(image: np.ndarray, quality: int = 90) -> bytes:
    written, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert written
    return content.tobytes()


def with_exif(content: bytes, order: str, make: bytes, model: bytes) -> bytes:
    """A JPEG with an EXIF segment that names a camera."""
    start = 8 + 2 + 2 * 12 + 4
    entries, texts = b"", b""
    for tag, text in ((271, make + b"\0"), (272, model + b"\0")):
        if len(text) <= 4:
            entries += struct.pack(order + "HHI", tag, 2, len(text)) + text.ljust(4, b"\0")
        else:
            entries += struct.pack(order + "HHII", tag, 2, len(text), start + len(texts))
            texts += text
    mark = b"II*\0" if order == "<" else b"MM\0*"
    tiff = mark + struct.pack(order + "IH", 8, 2) + entries + bytes(4) + texts
    segment = b"Exif\0\0" + tiff
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + content[2:]


@pytest.mark.parametrize("order", ["<", ">"])
def test_make_and_model_are_read_from_exif(draw_fundus: Draw, order: str) -> None:
    plain = jpeg(draw_fundus(60, 80))
    assert read_camera(plain) == ""
    assert read_camera(with_exif(plain, order, b"Topcon", b"NW400")) == "Topcon NW400"
    assert read_camera(with_exif(plain, order, b"Canon", b"Canon CR-2")) == "Canon CR-2"
    assert read_camera(with_exif(plain, order, b"ZX", b"a\x1b[2Jb")) == "ZX a[2Jb"


@given(
    st.binary(max_size=120), st.sampled_from([b"", b"\xff\xd8\xff\xe1\x00\x60Exif\0\0", b"II*\0", b"MM\0*\0\0\0\x08"])
)
def test_no_content_makes_the_camera_reader_fail(content: bytes, start: bytes) -> None:
    assert read_camera(start + content).isprintable()


@pytest.mark.parametrize("surround", [0, 245])
@pytest.mark.parametrize("place", [(6, 24), (6, 310), (330, 24)])
def test_text_beside_the_retina_is_located(draw_fundus: Draw, surround: int, place: tuple[int, int]) -> None:
    image = draw_fundus(320, 460, surround=surround, radius=0.42)
    retina = find_retina(image)
    assert len(find_text(image, retina)) == 0
    colour = (255, 255, 255) if surround == 0 else (0, 0, 0)
    cv2.putText(image, "L 04/11/61", place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    boxes = find_text(image, find_retina(image))
    assert len(boxes) >= 1
    assert all(place[0] - 4 <= x and y <= place[1] + 6 and y + h >= place[1] - 16 for x, y, _, h in boxes)


def test_a_notch_noise_and_a_single_mark_are_no_text(draw_fundus: Draw) -> None:
    image = draw_fundus(320, 460)
    cv2.rectangle(image, (350, 60), (362, 74), (60, 90, 150), -1)
    cv2.circle(image, (20, 20), 6, (255, 255, 255), -1)
    image = cv2.imdecode(np.frombuffer(jpeg(image, 30), np.uint8), cv2.IMREAD_COLOR)
    assert len(find_text(image, find_retina(image))) == 0


def test_a_large_photograph_is_decoded_at_a_reduced_scale_and_a_small_one_is_not(draw_fundus: Draw) -> None:
    assert decode(jpeg(draw_fundus(1240, 1600))).shape == (620, 800, 3)
    assert decode(jpeg(draw_fundus(200, 300))).shape == (200, 300, 3)


def test_black_and_white_photographs_have_no_hash(draw_fundus: Draw, tmp_path: Path) -> None:
    for name, image in {
        "black": np.full((90, 120, 3), 2, np.uint8),
        "white": np.full((90, 120, 3), 250, np.uint8),
        "dark": draw_fundus(90, 120, light=0.08),
    }.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    black, white, dark = (measure(tmp_path / f"{name}.png", near=False) for name in ("black", "white", "dark"))
    assert black.almost_black and white.almost_white and dark.almost_black
    assert not white.almost_black and not black.almost_white


def test_sharpness_falls_with_blur_and_hardly_depends_on_the_size(draw_fundus: Draw, tmp_path: Path) -> None:
    image = draw_fundus(800, 1000, noise=0)
    values = []
    for number, variant in enumerate(
        [
            image,
            cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA),
            cv2.GaussianBlur(image, (0, 0), 9),
        ]
    ):
        cv2.imwrite(str(tmp_path / f"{number}.png"), variant)
        values.append(measure(tmp_path / f"{number}.png", near=False).sharpness)
    assert 0.6 < values[1] / values[0] < 1.7
    assert values[2] < values[0] / 3


def test_a_strip_that_would_shrink_to_nothing_is_measured(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "strip.png"), np.full((2, 6000, 3), 90, np.uint8))
    assert measure(tmp_path / "strip.png", near=False).sharpness >= 0


def test_colours_are_means_and_deviations_of_the_whole_photograph(draw_fundus: Draw, tmp_path: Path) -> None:
    image = draw_fundus(90, 120)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    pixels = image.reshape(-1, 3).astype(float)
    np.testing.assert_allclose(
        measure(tmp_path / "a.png", near=False).colours, [*pixels.mean(axis=0), *pixels.std(axis=0)], rtol=1e-9
    )


def test_an_unreadable_photograph_is_its_reason_and_the_order_is_unchanged(draw_fundus: Draw, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(4)]
    for number, path in enumerate(paths):
        path.write_bytes(jpeg(draw_fundus(60 + number, 80)))
    paths[1].write_bytes(b"")
    calls: list[tuple[int, int]] = []
    results = measure_all(paths, near=False, progress=lambda done, total: calls.append((done, total)))
    assert results[1] == "the file is empty"
    assert [result.height for result in results if not isinstance(result, str)] == [60, 62, 63]
    assert calls == [(number, 4) for number in range(1, 5)]


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "recompressed": lambda image: image,
    "half the size": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "larger": lambda image: cv2.resize(image, None, fx=1.6, fy=1.6),
    "mirrored": lambda image: image[:, ::-1],
    "upside down": lambda image: image[::-1],
    "turned by half": lambda image: image[::-1, ::-1],
    "brighter": lambda image: np.clip(image * 1.2, 0, 255).astype(np.uint8),
    "with a border": lambda image: cv2.copyMakeBorder(image, 30, 0, 80, 60, cv2.BORDER_CONSTANT),
}


@pytest.mark.parametrize("copy", COPIES)
def test_copies_are_near_and_other_eyes_are_not(draw_fundus: Draw, copy: str) -> None:
    pytest.importorskip("imagehash")
    images = [draw_fundus(480, 600, seed=seed) for seed in range(6)]
    copies = [cv2.imdecode(np.frombuffer(jpeg(COPIES[copy](i), 75), np.uint8), cv2.IMREAD_COLOR) for i in images]
    pairs, bits = near_pairs(np.array([fingerprints(image) for image in images + copies]))
    assert sorted(map(tuple, pairs.tolist())) == [(number, number + 6) for number in range(6)]
    assert (bits <= NEAR).all()


def test_copies_of_real_photographs_are_detected_and_no_pair_of_other_patients(fundus_photographs: Path) -> None:
    pytest.importorskip("imagehash")
    samples = read_catalog(fundus_photographs / "ODIR_FUNDUS" / "train" / "train_data").samples[::6]
    images = [cv2.imread(str(sample.path)) for sample in samples]
    small = [cv2.resize(image[:, ::-1], None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA) for image in images]
    copies = [cv2.imdecode(np.frombuffer(jpeg(image, 70), np.uint8), cv2.IMREAD_COLOR) for image in small]
    pairs, _ = near_pairs(np.array([fingerprints(image) for image in images + copies]))
    right = pairs[:, 0] + len(images) == pairs[:, 1]
    assert right.sum() >= 0.97 * len(images)
    assert right.all()


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 12), rows=st.integers(1, 5), threshold=st.integers(0, 16))
def test_near_pairs_are_those_that_counting_bits_one_by_one_gives(
    seed: int, count: int, rows: int, threshold: int
) -> None:
    prints = np.random.default_rng(seed).random((count, 4, 16)) < 0.5
    pairs, bits = near_pairs(prints, threshold, rows)
    expected = {}
    for first in range(count):
        for second in range(first + 1, count):
            nearest = min(int((prints[first, 0] != prints[second, position]).sum()) for position in range(4))
            if nearest <= threshold:
                expected[first, second] = nearest
    assert dict(zip(map(tuple, pairs.tolist()), bits.tolist(), strict=True)) == expected


def test_three_copies_of_a_file_are_three_pairs(draw_fundus: Draw, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(5)]
    for number, path in enumerate(paths):
        path.write_bytes(jpeg(draw_fundus(60, 80, seed=0 if number < 3 else number)))
    samples = [Sample(path, number % 2, str(number), "R") for number, path in enumerate(paths[:4])]
    measures = [measure(path, near=False) for path in paths]
    pairs = exact_duplicates(samples, measures)
    assert sorted(map(tuple, pairs.across_patients.tolist())) == [(0, 1), (0, 2), (1, 2)]
    assert pairs.within_class.tolist() == [[0, 2]]
    assert len(pairs.across_classes) == 2 and len(pairs.train_and_test) == 0


def test_the_dates_burned_into_real_photographs_are_detected_and_nothing_else(fundus_photographs: Path) -> None:
    samples = read_catalog(fundus_photographs / "ODIR_FUNDUS" / "train" / "train_data").samples
    dated = {f"Odir_NOR_{name}.jpg" for name in ("2355_R", "2844_L", "2844_R", "2991_L", "2991_R")}
    paths = [sample.path for sample in samples if sample.path.name in dated] + [s.path for s in samples[::8]]
    results = measure_all(paths, near=False)
    assert {path.name for path, r in zip(paths, results, strict=True) if not isinstance(r, str) and r.text} == dated
