"""A photograph's pixels, whatever the depth and the format of its file: the same in training, audit and what is fed at submit."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from dataprep.header import EXTENSIONS, PhotographError, read_header
from dataprep.photograph import Preparation, prepare_array, prepare_file
from dataprep.pixels import eight_bits, read_file, read_pixels
from evidence.audit.measure import decode
from nsml.scoring.photographs import Photographs
from nsml.scoring.pixels import read_pixels as submitted_pixels
from nsml.store.photographs import ENDINGS

PLAIN = Preparation(64, crop=False, local_average=False, mask=False)


def encoded(ending: str, image: np.ndarray) -> bytes:
    written, content = cv2.imencode(ending, image)
    assert written
    return content.tobytes()


def with_sbit(png: bytes, *bits: int) -> bytes:
    """A PNG that says how many bits of its pixels are significant."""
    chunk = b"sBIT" + bytes(bits)
    return png[:33] + struct.pack(">I", len(bits)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[33:]


def packed_tiff(image: np.ndarray, bits: int) -> bytes:
    """A grey TIFF of 9 to 15 bits a pixel, without a gap between them."""
    rows = b""
    for row in image:
        text = "".join(format(int(value), f"0{bits}b") for value in row)
        text += "0" * (-len(text) % 8)
        rows += int(text, 2).to_bytes(len(text) // 8, "big")
    height, width = image.shape
    entries = [(256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
    entries += [(278, 3, height), (279, 4, len(rows))]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<I", 8 + len(rows)) + rows + struct.pack("<H", len(entries)) + directory + bytes(4)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def grey(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def deep(image: np.ndarray, bits: int) -> np.ndarray:
    """8-bit pixels as a camera of more bits saves them in 16."""
    return (image.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)


def alpha(image: np.ndarray) -> np.ndarray:
    return np.dstack([image, np.full(image.shape[:2], np.iinfo(image.dtype).max, image.dtype)])


def grey_alpha_png(image: np.ndarray) -> bytes:
    """PNG's colour type 4 in 16 bits, which OpenCV does not write."""
    rows = np.dstack([image, np.full_like(image, 65535)]).astype(">u2")
    pixels = b"".join(b"\0" + row.tobytes() for row in rows)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 16, 4, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(c)) + name + c + struct.pack(">I", zlib.crc32(name + c)) for name, c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# How each makes a file of 8-bit BGR pixels, and whether its pixels are grey.
FILES: dict[str, tuple[Callable[[np.ndarray], bytes], bool]] = {
    **{
        f"{ending} of {bits} bits": (lambda image, e=ending, b=bits: encoded(e, deep(image, b)), False)
        for ending in (".png", ".tif", ".ppm", ".jp2")
        for bits in (9, 10, 12, 14, 16)
    },
    "grey .png of 12 bits": (lambda image: encoded(".png", deep(grey(image), 12)), True),
    "grey .tif of 14 bits": (lambda image: encoded(".tif", deep(grey(image), 14)), True),
    "grey .pgm of 10 bits": (lambda image: encoded(".pgm", deep(grey(image), 10)), True),
    ".png of 12 bits with transparency": (lambda image: encoded(".png", alpha(deep(image, 12))), False),
    "grey .png of 16 bits with transparency": (lambda image: grey_alpha_png(deep(grey(image), 16)), True),
    "packed .tif of 10 bits": (lambda image: packed_tiff(deep(grey(image), 10), 10), True),
    "packed .tif of 12 bits": (lambda image: packed_tiff(deep(grey(image), 12), 12), True),
    "packed .tif of 14 bits": (lambda image: packed_tiff(deep(grey(image), 14), 14), True),
    ".tif of fractions": (lambda image: encoded(".tif", image.astype(np.float32) / 255), False),
    "grey .tif of fractions": (lambda image: encoded(".tif", grey(image).astype(np.float32) / 255), True),
    ".tif of floats up to 255": (lambda image: encoded(".tif", image.astype(np.float32)), False),
    "grey .tif of 32 bits": (lambda image: encoded(".tif", deep(grey(image), 12).astype(np.int32)), True),
    "big .tif": (lambda image: saved(Image.fromarray(image[..., ::-1]), "TIFF", big_tiff=True), False),
    "big .tif of 12 bits": (lambda image: saved(Image.fromarray(deep(grey(image), 12)), "TIFF", big_tiff=True), True),
    ".png of 12 bits that says so": (lambda image: with_sbit(encoded(".png", deep(image, 12)), 12, 12, 12), False),
    ".png of 16 bits of which 12 count": (lambda image: with_sbit(encoded(".png", deep(image, 16)), 12, 12, 12), False),
    "CMYK .tif": (lambda image: saved(Image.fromarray(image[..., ::-1]).convert("CMYK"), "TIFF"), False),
    "CMYK .jpg": (lambda image: saved(Image.fromarray(image[..., ::-1]).convert("CMYK"), "JPEG", quality=95), False),
    ".png with a palette": (lambda image: saved(Image.fromarray(grey(image)).convert("P"), "PNG"), True),
    ".gif": (lambda image: saved(Image.fromarray(grey(image)), "GIF"), True),
    ".webp": (lambda image: saved(Image.fromarray(image[..., ::-1]), "WEBP", lossless=True), False),
    ".bmp": (lambda image: encoded(".bmp", image), False),
    ".pfm": (lambda image: encoded(".pfm", image.astype(np.float32)), False),
    ".jpg": (lambda image: encoded(".jpg", image), False),
}


def fed(path: Path) -> np.ndarray:
    result = Photographs([path])[0]
    assert isinstance(result, np.ndarray)
    return result


@pytest.mark.parametrize("name", FILES)
def test_pixels_of_every_depth_are_those_of_8_bits_in_training_in_the_audit_and_at_submit(
    draw_fundus, tmp_path: Path, name: str
) -> None:
    image = draw_fundus(120, 160)
    make, is_grey = FILES[name]
    wanted = cv2.cvtColor(grey(image), cv2.COLOR_GRAY2BGR) if is_grey else image
    path = tmp_path / "photograph"
    path.write_bytes(make(image))
    content = path.read_bytes()
    pixels = read_pixels(content, read_header(path))
    assert pixels.dtype == np.uint8 and pixels.shape == image.shape
    assert np.abs(pixels.astype(int) - wanted).mean() < (4 if ".jpg" in name else 2)
    np.testing.assert_array_equal(decode(content, 8 * 160), pixels)
    np.testing.assert_array_equal(fed(path), pixels)
    assert np.abs(prepare_file(path, PLAIN).astype(int) - prepare_array(fed(path), PLAIN)).max() <= 1


def test_a_dark_photograph_that_says_its_depth_stays_dark(draw_fundus) -> None:
    dark = draw_fundus(120, 160) // 8
    for content in (
        with_sbit(encoded(".png", deep(dark, 12)), 12, 12, 12),
        with_sbit(encoded(".png", deep(dark, 16)), 16, 16, 16),
        b"P6\n160 120\n4095\n" + deep(dark, 12)[..., ::-1].astype(">u2").tobytes(),
    ):
        assert np.abs(read_pixels(content, read_header(content)).astype(int) - dark).max() <= 1
    dark_grey = packed_tiff(deep(grey(dark), 12), 12)
    assert np.abs(read_pixels(dark_grey, read_header(dark_grey))[..., 0].astype(int) - grey(dark)).max() <= 1


def test_netpbm_of_fewer_values_than_255_is_scaled_as_it_says() -> None:
    content = b"P5 3 1 # made by hand\n 100\n" + bytes([0, 50, 100])
    assert read_pixels(content, read_header(content))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("highest", [0, 1, 200, 255])
def test_values_that_8_bits_hold_are_left_as_they_are(highest: int) -> None:
    image = np.full((4, 4), highest, np.uint16)
    assert (eight_bits(image) == highest).all()


def test_what_is_no_number_is_black() -> None:
    image = np.array([[np.nan, np.inf, -np.inf, -1.0, 0.5, 1.0]])
    assert eight_bits(image)[0, :, 0].tolist() == [0, 0, 0, 0, 128, 255]


def test_opencv_prints_nothing_on_a_grey_tiff_of_32_bits(capfd: pytest.CaptureFixture[str]) -> None:
    content = encoded(".tif", np.ones((12, 16), np.float32))
    level = cv2.utils.logging.setLogLevel(
        cv2.utils.logging.LOG_LEVEL_WARNING
    )  # as it is where the template is not imported
    assert submitted_pixels(content).max() == 255
    cv2.utils.logging.setLogLevel(level)
    assert read_pixels(content, read_header(content)).max() == 255
    assert capfd.readouterr().err == ""


def test_training_and_submit_read_files_of_the_same_endings() -> None:
    assert EXTENSIONS == ENDINGS


def test_every_ending_is_one_that_opencv_reads(draw_fundus, tmp_path: Path) -> None:
    image = draw_fundus(48, 64)
    jpeg, sun, hdr = encoded(".jpg", image), encoded(".ras", image), encoded(".hdr", image.astype(np.float32) / 255)
    contents = {".jfif": jpeg, ".jif": jpeg, ".jfi": jpeg, ".sr": sun, ".pic": hdr, ".hdr": hdr}
    contents |= {ending: encoded(ending, grey(image)) for ending in (".pgm", ".pbm")}
    contents[".pfm"] = encoded(".pfm", image.astype(np.float32))
    for ending in EXTENSIONS - {".dcm", ".dicom"}:
        path = tmp_path / f"a{ending.upper()}"
        path.write_bytes(contents.get(ending) or encoded(ending, image))
        assert prepare_file(path, PLAIN).std() > 10, ending


@pytest.mark.parametrize("orientation", [0, 1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("shape", [(799, 800), (800, 799), (1601, 1607), (1600, 1599), (1024, 1031)])
def test_a_file_and_its_array_have_one_grid_at_odd_sizes(
    draw_fundus, tmp_path: Path, shape: tuple[int, int], orientation: int
) -> None:
    content = encoded(".jpg", cv2.GaussianBlur(draw_fundus(*shape, noise=0), (0, 0), 4))
    if orientation:
        exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + bytes([0, orientation, 0, 0]) + bytes(4)
        content = content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:]
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert read_header(content).orientation == (orientation or 1)
    for size in (40, 80, 150):
        preparation = Preparation(size, crop=False, local_average=False, mask=False)
        from_file = prepare_file(path, preparation).astype(int)
        assert np.abs(from_file - prepare_array(cv2.imread(str(path)), preparation)).max() <= 3


def test_a_dicom_file_without_a_size_is_damaged() -> None:
    pydicom = pytest.importorskip("pydicom")
    data, written = pydicom.Dataset(), io.BytesIO()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.save_as(written, enforce_file_format=True)
    with pytest.raises(PhotographError, match=r"^damaged: its size is missing$"):
        read_header(written.getvalue())


@pytest.mark.parametrize("photometric", ["RGB", "MONOCHROME2", "MONOCHROME1", "YBR_FULL"])
def test_dicom_is_read_where_pydicom_is_installed(draw_fundus, tmp_path: Path, photometric: str) -> None:
    pydicom = pytest.importorskip("pydicom")
    image = draw_fundus(120, 160)
    path = tmp_path / "a.dcm"
    bits = 12 if photometric.startswith("MONO") else 8
    pixels = deep(grey(image), 12) if bits == 12 else image[..., ::-1]
    if photometric == "MONOCHROME1":
        pixels = 4095 - pixels
    if photometric == "YBR_FULL":
        pixels = cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb)[..., [0, 2, 1]]
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.Rows, data.Columns, data.SamplesPerPixel = 120, 160, 1 if bits == 12 else 3
    data.BitsAllocated, data.BitsStored, data.HighBit = (16, 12, 11) if bits == 12 else (8, 8, 7)
    data.PixelRepresentation, data.PhotometricInterpretation = 0, photometric
    if bits == 8:
        data.PlanarConfiguration = 0
    data.PixelData = np.ascontiguousarray(pixels).tobytes()
    data.save_as(path, enforce_file_format=True)
    wanted = cv2.cvtColor(grey(image), cv2.COLOR_GRAY2BGR) if bits == 12 else image
    read = read_pixels(path.read_bytes(), read_header(path))
    assert np.abs(read.astype(int) - wanted).max() <= 3
    np.testing.assert_array_equal(fed(path), read)


@pytest.mark.parametrize("scale", [257, 256])
def test_8_bits_scaled_to_16_are_those_8_bits(scale: int, tmp_path: Path) -> None:
    dark = np.random.default_rng(1).integers(0, 100, (40, 50, 3), np.uint8)  # no value in the upper half
    cv2.imwrite(str(tmp_path / "a.png"), dark.astype(np.uint16) * scale)
    assert np.abs(read_file(tmp_path / "a.png").astype(int) - dark).max() <= (scale == 256)
