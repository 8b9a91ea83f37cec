"""Files that somebody else gives out as weights: none is run, none leads elsewhere, none fills the memory."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.checkpoint import network_files as weights
from model.checkpoint.network_files import CheckpointError
from model.network import Network
from model.plain_hdf5 import check_plain
from stress.bad_input import inputs
from stress.dying import Dead, die_at
from stress.targets import run_target
from tests import small_network

# Keras 3.15 on NumPy 2, when it writes or reads HDF5.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept:DeprecationWarning")
FILES = ("model.weights.h5", "training.h5")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, network: Network) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("saved")
    weights.save(folder, network)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def network() -> Network:
    return small_network.network()


@pytest.fixture
def saved(original: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: Network) -> Path:
    """A checkpoint; the network that it is loaded into is made only once."""
    monkeypatch.setattr(weights, "new_network", lambda settings: network)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    for name, content in original.items():
        (folder / name).write_bytes(content)
    return folder


def vouch_for(folder: Path, name: str) -> None:
    """Let the settings vouch for the file as it is, as whoever made it would."""
    path = folder / "settings.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    content = (folder / name).read_bytes()
    settings["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    path.write_text(json.dumps(settings), encoding="utf-8")


class Runs:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.mark),)


def a_pickle(path: Path, mark: Path) -> None:
    path.write_bytes(pickle.dumps(Runs(mark)))


def an_array_of_objects(path: Path, mark: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, np.array([Runs(mark)], object), allow_pickle=True)


def a_keras_file_with_a_lambda(path: Path, mark: Path) -> None:
    # A Lambda is stored with the values that it closes over, which must be texts.
    folder = str(mark)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: os.mkdir(folder) or x, (1,))])
    model.save(path.with_suffix(".keras"))
    path.with_suffix(".keras").rename(path)


def a_zip_that_leads_out(path: Path, mark: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"../{mark.name}/x", "x")
        archive.writestr(str(mark / "x"), "x")


def a_zip_bomb(path: Path, mark: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(50_000_000))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "make", [a_pickle, an_array_of_objects, a_keras_file_with_a_lambda, a_zip_that_leads_out, a_zip_bomb]
)
def test_what_is_no_hdf5_is_refused_in_one_line_and_not_run(
    saved: Path, tmp_path: Path, name: str, make: Callable[[Path, Path], None]
) -> None:
    mark = tmp_path / "mark"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Keras, on saving a Lambda
        make(saved / name, mark)
    mark.rmdir() if mark.exists() else None
    vouch_for(saved, name)
    with pytest.raises(CheckpointError, match=rf"{name} cannot be read \(.*\); use another checkpoint$") as raised:
        weights.load(saved)
    assert not mark.exists() and "\n" not in str(raised.value)


def first_array(file: h5py.File) -> str:
    result: list[str] = []
    file.visititems(lambda name, item: result.append(name) if isinstance(item, h5py.Dataset) and item.shape else None)
    return result[0]


def an_external_link(file: h5py.File, name: str, other: Path) -> None:
    del file[name]
    file[name] = h5py.ExternalLink(str(other), "secret")


def a_soft_link(file: h5py.File, name: str, other: Path) -> None:
    del file[name]
    file["elsewhere"] = np.zeros(3, "f4")
    file[name] = h5py.SoftLink("/elsewhere")


def a_virtual_dataset(file: h5py.File, name: str, other: Path) -> None:
    shape, kind = file[name].shape, file[name].dtype
    del file[name]
    layout = h5py.VirtualLayout(shape=shape, dtype=kind)
    layout[...] = h5py.VirtualSource(str(other), "secret", shape=shape)
    file.create_virtual_dataset(name, layout)


def external_storage(file: h5py.File, name: str, other: Path) -> None:
    shape, kind = file[name].shape, file[name].dtype
    del file[name]
    file.create_dataset(name, shape, kind, external=[(str(other), 0, h5py.h5f.UNLIMITED)])


def a_compressed_bomb(file: h5py.File, name: str, other: Path) -> None:
    del file[name]
    file.create_dataset(name, (200_000, 50_000), "f4", compression="gzip", chunks=(1000, 1000))


def an_array_that_was_never_written(file: h5py.File, name: str, other: Path) -> None:
    del file[name]
    file.create_dataset(name, (400_000, 100_000), "f4")


def an_array_of_texts(file: h5py.File, name: str, other: Path) -> None:
    del file[name]
    file.create_dataset(name, (2,), h5py.string_dtype())


def a_group_in_place_of_an_array(file: h5py.File, name: str, other: Path) -> None:
    del file[name]
    file.create_group(name)


def a_type_in_place_of_an_array(file: h5py.File, name: str, other: Path) -> None:
    del file[name]
    file[name] = np.dtype("f4")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "change",
    [
        an_external_link, a_soft_link, a_virtual_dataset, external_storage, a_compressed_bomb,
        an_array_that_was_never_written, an_array_of_texts, a_group_in_place_of_an_array, a_type_in_place_of_an_array,
    ],
)  # fmt: skip
def test_an_hdf5_file_of_more_than_its_own_numbers_is_refused(
    saved: Path, tmp_path: Path, name: str, change: Callable[[h5py.File, str, Path], None]
) -> None:
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.arange(1000.0)
    with h5py.File(saved / name, "r+") as file:
        change(file, first_array(file), other)
    vouch_for(saved, name)
    with pytest.raises(CheckpointError, match=rf"{name} cannot be read \(.*\); use another checkpoint$"):
        weights.load(saved)


def test_a_group_inside_itself_is_no_endless_way(saved: Path) -> None:
    with h5py.File(saved / "training.h5", "r+") as file:
        file["again"] = file["/"]
    check_plain(saved / "training.h5")


def test_what_save_writes_is_plain(saved: Path) -> None:
    for name in FILES:
        check_plain(saved / name)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["weights file", "settings.json"]), st.data())
def test_bytes_at_random_are_refused(tmp_path: Path, name: str, data: st.DataObject) -> None:
    assert run_target(name, data.draw(inputs(name)), tmp_path / "target") == ""


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.integers(0), st.integers(1, 255), st.integers(1, 8))
def test_an_hdf5_file_with_changed_bytes_is_read_or_refused(
    original: dict[str, bytes], tmp_path: Path, place: int, mask: int, count: int
) -> None:
    content = bytearray(original["training.h5"])
    for number in range(count):
        # Most of what HDF5 knows of itself is at the beginning.
        content[place * (number + 1) % min(len(content), 4000)] ^= mask
    assert run_target("weights file", bytes(content), tmp_path / "target") == ""


def test_a_save_that_dies_at_any_step_leaves_the_old_network_or_the_new_one(tmp_path: Path, network: Network) -> None:
    step, asked, outcomes = 0, 1, set()
    while asked > step:
        step += 1
        folder = tmp_path / str(step)
        network.settings.epoch = 1
        weights.save(folder, network)
        network.settings.epoch = 2
        with pytest.MonkeyPatch.context() as patch:
            steps = die_at(step, patch)
            with contextlib.suppress(Dead):
                weights.save(folder, network)
            asked = steps() if steps() < step else step + 1
        # Every file is compared with its SHA-256.
        outcomes.add(weights._read_settings(folder)[0].epoch)
    assert step > 4 and outcomes == {1, 2}
