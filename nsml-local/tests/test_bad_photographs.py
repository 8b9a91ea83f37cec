"""A test set full of files that are no photographs, or odd ones: the right count, the right order, one warning for each that is none."""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import Nsml, make_dataset, start_and_wait

from nsml.scoring.feed import feed_test_data
from nsml.scoring.photographs import Photographs
from nsml.scoring.pixels import read_pixels
from nsml.scoring.predictions import Kind, Wanted, read_lines
from nsml.store.photographs import photographs_below


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that claims a size, with no more than its first pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


def encoded(ending: str, image: np.ndarray) -> bytes:
    return cv2.imencode(ending, image)[1].tobytes()


PLAIN = np.full((24, 40, 3), 200, np.uint8)
JPEG = encoded(".jpg", PLAIN)
# EXIF says: turn it by a quarter.
EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
ROTATED = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(EXIF) + 2) + EXIF + JPEG[2:]
READABLE = {
    "16 bit.png": (encoded(".png", np.full((24, 40, 3), 51400, np.uint16)), (24, 40, 3)),
    "alpha.png": (encoded(".png", np.full((24, 40, 4), 200, np.uint8)), (24, 40, 3)),
    "grey.png": (encoded(".png", np.full((24, 40), 200, np.uint8)), (24, 40, 3)),
    "line\nbreak.png": (encoded(".png", PLAIN), (24, 40, 3)),
    "plain.jpg": (JPEG, (24, 40, 3)),
    "rotated.jpg": (ROTATED, (40, 24, 3)),
    "separator\u2028\x85.jpg": (JPEG, (24, 40, 3)),
    "눈 👁.jpg": (JPEG, (24, 40, 3)),
    "named wrongly.png": (JPEG, (24, 40, 3)),
}
UNREADABLE = {
    "empty.jpg": b"",
    "text.jpg": b"not a photograph",
    "half.png": encoded(".png", PLAIN)[:40],
    "new\nline.jpg": b"\n",
}


@pytest.fixture
def test_set(tmp_path: Path) -> Path:
    """A folder as DATASET_PATH is at a submit."""
    inside = tmp_path / "submission" / "test" / "test_data"
    inside.mkdir(parents=True)
    for name, (content, _) in READABLE.items():
        (inside / name).write_bytes(content)
    for name, content in UNREADABLE.items():
        (inside / name).write_bytes(content)
    (inside / "itself.jpg").symlink_to("itself.jpg")
    (inside / "nowhere.jpg").symlink_to("gone.jpg")
    (inside / "a folder.jpg").mkdir()
    with open(os.fsencode(inside) + b"/caf\xe9.jpg", "wb") as file:
        file.write(JPEG)
    return tmp_path / "submission"


def test_every_file_gets_its_answer_in_order_and_every_unreadable_one_a_warning(
    test_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = photographs_below(test_set)
    shapes: list[tuple[int, ...]] = []

    def infer(data: Photographs) -> list[int]:
        shapes.extend(image.shape for image in data)
        return [number % 4 for number in range(len(data))]

    output = tmp_path / "predictions.csv"
    total = feed_test_data(infer, test_set, output, Wanted(Kind.CLASS, 4), lambda done, total: None)
    answers = read_lines(output, "the prediction file")
    assert total == len(paths) == len(shapes) == len(answers) == len(READABLE) + len(UNREADABLE) + 3
    wanted = [path.name.replace("\n", "\\n") for path in paths]
    assert list(answers) == [f"test_data,{name}" for name in wanted]
    assert list(answers.values()) == [str(number % 4) for number in range(total)]
    for path, shape in zip(paths, shapes, strict=True):
        if path.name in READABLE:
            assert shape == READABLE[path.name][1], path.name
    warned = capsys.readouterr().err.splitlines()
    assert len(warned) == len(UNREADABLE) + 2 and all("cannot be decoded" in line for line in warned)


def test_a_bomb_an_animation_and_a_cmyk_photograph_do_not_stop_a_submit(nsml: Nsml, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "source", labels=[0, 1, 2, 3])
    inside = source / "test" / "test_data"
    (inside / "001.png").write_bytes(png_of_size(30_000, 30_000))
    (inside / "002.png").write_bytes(_cmyk())
    (inside / "003.png").write_bytes(_animation())
    nsml("dataset", "push", "ODD", str(source))
    name = start_and_wait(nsml, dataset="ODD")
    submitted = nsml("submit", "-t", name, "best")
    assert submitted.status == 0, submitted.err
    assert [line.split(",")[1] for line in submitted.out.splitlines()[:4]] == [f"{n:03}.png" for n in range(4)]
    log = nsml("logs", "ODD/2").out
    assert [line for line in log.splitlines() if "cannot be decoded" in line] == [
        "warning: 001.png cannot be decoded; a black image stands in for it"
    ]


@pytest.mark.parametrize("offset", [1 << 63, (1 << 64) - 1])
def test_an_offset_that_no_file_has_makes_a_tiff_unreadable(offset: int) -> None:
    directory = struct.pack("<QHHQQ", 1, 258, 3, 99, offset)
    for content in (b"II+\0\x08\0\0\0" + struct.pack("<Q", offset), b"II+\0\x08\0\0\0\x10" + bytes(7) + directory):
        assert read_pixels(content) is None


def _cmyk() -> bytes:
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    Image.new("CMYK", (40, 24), (10, 20, 30, 40)).save(stream, "JPEG")
    return stream.getvalue()


def _animation() -> bytes:
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    frames = [Image.new("RGB", (40, 24), (shade, 0, 0)) for shade in (10, 200)]
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])
    return stream.getvalue()
