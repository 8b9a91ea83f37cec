"""Prepared images, once."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataprep.cache import prepared_images
from dataprep.photograph import Preparation, prepare_blank, prepare_file

PREPARATION = Preparation(size=32)
ROOT = Path(__file__).resolve().parents[1]
PREPARES = """
import sys
from pathlib import Path
from dataprep.cache import prepared_images
from dataprep.photograph import Preparation
print(prepared_images([Path(sys.argv[1])], Preparation(size=32), Path(sys.argv[2])).mean())
"""


@pytest.fixture
def paths(tmp_path: Path, draw_fundus) -> list[Path]:
    paths = [tmp_path / "photographs" / f"{n}.jpg" for n in range(5)]
    paths[0].parent.mkdir()
    for n, path in enumerate(paths):
        cv2.imwrite(str(path), draw_fundus(90, 120, seed=n))
    return paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "prepared"


class Calls:
    """A progress callback that remembers."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.calls.append((done, total))


def exact(paths: list[Path]) -> np.ndarray:
    return np.array([prepare_file(path, PREPARATION) for path in paths])


def test_images_are_prepared_once_and_mapped_read_only(paths, folder) -> None:
    first, second = Calls(), Calls()
    images = prepared_images(paths, PREPARATION, folder, first)
    assert first.calls == [(n, 5) for n in range(1, 6)]
    again = prepared_images(paths, PREPARATION, folder, second)
    assert second.calls == []
    for result in (images, again):
        assert isinstance(result, np.memmap) and not result.flags.writeable
        assert result.dtype == np.uint8 and (result == exact(paths)).all()


def test_the_order_is_that_of_the_paths(paths, folder) -> None:
    prepared_images(paths, PREPARATION, folder)
    backwards = prepared_images(paths[::-1], PREPARATION, folder, workers=3)
    assert (backwards == exact(paths)[::-1]).all()


def test_another_version_of_opencv_prepares_anew(paths, folder, monkeypatch) -> None:
    prepared_images(paths, PREPARATION, folder)
    monkeypatch.setattr(cv2, "__version__", "4.99.0")
    calls = Calls()
    prepared_images(paths, PREPARATION, folder, calls)
    assert len(calls.calls) == len(paths)


@pytest.mark.parametrize("change", ["content", "time", "settings", "list"])
def test_a_change_of_photograph_settings_or_list_prepares_anew(paths, folder, draw_fundus, change) -> None:
    before = np.array(prepared_images(paths, PREPARATION, folder))
    preparation = PREPARATION
    if change == "content":
        cv2.imwrite(str(paths[2]), draw_fundus(90, 120, seed=77))
    elif change == "time":
        os.utime(paths[2], ns=(1, 1))
    elif change == "settings":
        preparation = Preparation(size=32, crop=False)
    else:
        paths = paths[:4]
    calls = Calls()
    after = prepared_images(paths, preparation, folder, calls)
    assert len(calls.calls) == len(paths)
    assert (change in ("content", "settings")) != (after == before[: len(paths)]).all()


def test_an_edit_of_the_code_that_prepares_prepares_anew(paths, folder, tmp_path) -> None:
    shutil.copytree(ROOT / "dataprep", tmp_path / "dataprep")
    edited = tmp_path / "dataprep" / "photograph.py"
    means = []
    for rim in ("0.02", "0.02", "0.2"):
        edited.write_text(edited.read_text(encoding="utf-8").replace("_RIM = 0.02", f"_RIM = {rim}"), encoding="utf-8")
        ended = subprocess.run(
            [sys.executable, "-c", PREPARES, str(paths[0]), str(folder)], cwd=tmp_path, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stderr
        means.append(ended.stdout)
    assert means[0] == means[1] != means[2]


def damage_half(data: Path, facts: Path) -> None:
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])


def damage_longer(data: Path, facts: Path) -> None:
    data.write_bytes(data.read_bytes() + b"\0")


def damage_header(data: Path, facts: Path) -> None:
    data.write_bytes(bytes(80) + data.read_bytes()[80:])


def damage_pixels(data: Path, facts: Path) -> None:
    content = bytearray(data.read_bytes())
    content[-5000] ^= 1
    data.write_bytes(content)


def damage_gone(data: Path, facts: Path) -> None:
    data.unlink()


def damage_no_facts(data: Path, facts: Path) -> None:
    facts.unlink()


def damage_torn_facts(data: Path, facts: Path) -> None:
    facts.write_bytes(facts.read_bytes()[:40])


def damage_other_facts(data: Path, facts: Path) -> None:
    facts.write_text(json.dumps([1, 2]))


@pytest.mark.parametrize(
    "damage",
    [
        damage_half,
        damage_longer,
        damage_header,
        damage_pixels,
        damage_gone,
        damage_no_facts,
        damage_torn_facts,
        damage_other_facts,
    ],
)
def test_a_damaged_cache_is_prepared_anew(paths, folder, damage) -> None:
    prepared_images(paths, PREPARATION, folder)
    (data,), (facts,) = folder.glob("*.npy"), folder.glob("*.json")
    damage(data, facts)
    calls = Calls()
    assert (prepared_images(paths, PREPARATION, folder, calls) == exact(paths)).all()
    assert len(calls.calls) == 5
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".npy"]


def test_an_interrupted_preparation_leaves_nothing_that_is_taken_for_a_cache(paths, folder) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepared_images(paths, PREPARATION, folder, interrupt)
    assert list(folder.iterdir()) == []
    assert (prepared_images(paths, PREPARATION, folder) == exact(paths)).all()


def test_an_unreadable_photograph_is_blank_with_a_warning_each_time(paths, folder) -> None:
    paths[1].write_bytes(b"no photograph")
    paths[3].unlink()
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"2 of 5 photographs cannot be read.*1\.jpg: not a JPEG"):
            images = prepared_images(paths, PREPARATION, folder)
        assert (images[[1, 3]] == prepare_blank(PREPARATION)).all()
        assert (images[[0, 2, 4]] == exact([paths[n] for n in (0, 2, 4)])).all()


def test_where_the_folder_cannot_be_made_the_images_stay_in_memory(paths, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="stay in memory") as caught:
        images = prepared_images(paths, PREPARATION, tmp_path / "file" / "cache")
    assert len(caught) == 1
    assert not isinstance(images, np.memmap) and not images.flags.writeable
    assert (images == exact(paths)).all()


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """What a full disk does to a write: it fails half-way."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_that_fills_up_warns_once_and_leaves_no_half_file(paths, folder) -> None:
    with no_file_beyond(9000), pytest.warns(UserWarning, match="stay in memory") as caught:
        images = prepared_images(paths, PREPARATION, folder)
    assert len(caught) == 1
    assert (images == exact(paths)).all()
    assert list(folder.iterdir()) == []


def test_no_photographs_are_no_images(folder) -> None:
    for _ in range(2):
        assert prepared_images([], PREPARATION, folder).shape == (0, 32, 32, 3)


def test_opencv_has_its_threads_back_afterwards(paths, folder) -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        during = []
        prepared_images(paths, PREPARATION, folder, lambda done, total: during.append(cv2.getNumThreads()))
        assert set(during) == {1}
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)
