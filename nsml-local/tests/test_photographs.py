"""The sequence of photographs that `infer` is fed."""

import pickle
import tracemalloc
from pathlib import Path

import cv2
import numpy
import pytest
from helpers import write_photograph

from nsml.scoring.photographs import Photographs
from nsml.store.photographs import photographs_below


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    for number in range(5):
        write_photograph(tmp_path / f"{number}.png", brightness=10 * number)
    return photographs_below(tmp_path)


def test_it_has_the_length_and_the_order_of_the_files(paths: list[Path]) -> None:
    data = Photographs(paths)
    assert len(data) == 5 and [int(image.mean()) for image in data] == [0, 10, 20, 30, 40]


def test_each_photograph_is_what_opencv_reads(paths: list[Path]) -> None:
    assert all(
        numpy.array_equal(image, cv2.imread(str(path))) for image, path in zip(Photographs(paths), paths, strict=True)
    )


def test_it_is_indexed_and_sliced_like_a_list(paths: list[Path]) -> None:
    data = Photographs(paths)
    assert int(data[-1].mean()) == 40 and [int(i.mean()) for i in data[1:4][::-1]] == [30, 20, 10]
    with pytest.raises(IndexError):
        data[5]


def test_a_program_may_put_what_it_made_of_a_photograph_in_its_place(paths: list[Path]) -> None:
    data = Photographs(paths)
    for number in range(len(data)):
        data[number] = data[number][:8, :8] / 255
    data[1:3] = data[:2]
    assert numpy.array(data).shape == (5, 8, 8, 3)
    assert [round(image.mean() * 255) for image in data] == [0, 0, 10, 30, 40]


def test_it_is_added_copied_and_changed_like_a_list(paths: list[Path]) -> None:
    data = Photographs(paths)
    first = [data[0]]
    both = first + data[3:] + data[:1]
    changed = data.copy()
    changed.append(data[0])
    del changed[1:3]
    assert [int(image.mean()) for image in both] == [0, 30, 40, 0]
    assert [int(image.mean()) for image in changed] == [0, 30, 40, 0] and len(data) == 5


def test_another_process_can_receive_it(paths: list[Path]) -> None:
    sent = pickle.loads(pickle.dumps(Photographs(paths, lambda done: None)))
    assert [int(image.mean()) for image in sent] == [0, 10, 20, 30, 40]


def test_it_becomes_an_array_of_all_images(paths: list[Path]) -> None:
    assert numpy.array(list(Photographs(paths))).shape == (5, 32, 40, 3)


def test_it_holds_no_photograph_after_handing_it_out(tmp_path: Path) -> None:
    for number in range(6):
        write_photograph(tmp_path / f"{number}.png", brightness=number, size=(2000, 1000))
    tracemalloc.start()
    for image in Photographs(photographs_below(tmp_path)):
        assert image.nbytes == 6_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 6_000_000


def test_it_counts_each_photograph_once(paths: list[Path]) -> None:
    seen: list[int] = []
    data = Photographs(paths, seen.append)
    for _ in range(2):
        assert [image.shape for image in data] == [(32, 40, 3)] * 5
    assert seen == [1, 2, 3, 4, 5]


def test_a_grey_file_has_three_channels_all_the_same(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), numpy.full((8, 8), 7, "uint8"))
    assert Photographs(photographs_below(tmp_path))[0].shape == (8, 8, 3)
