"""The networks of keras.applications, with invented weights in a temporary cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from model import keras_networks
from model.__main__ import main
from model.keras_networks import build_keras_network, load_file, names
from model.pretrained_weights import PretrainedWeightsError

# Keras' save_weights, with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept:DeprecationWarning")

# One of each kind of preprocessing: BGR less a mean, RGB in -1..1, RGB less a mean and over a spread, none.
KINDS = {"VGG16": "caffe", "MobileNetV2": "tf", "DenseNet121": "torch", "EfficientNetB0": "none"}


def pixels(size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype(np.float32)


@pytest.mark.parametrize("name", KINDS)
def test_each_network_gets_pixels_as_its_weights_expect_them(name: str) -> None:
    model = build_keras_network(name, 32, 3, weights="random")
    bgr = pixels()
    rgb = bgr[..., ::-1]
    mean, spread = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = {
        "caffe": bgr - [103.939, 116.779, 123.68], "tf": rgb / 127.5 - 1, "torch": (rgb / 255 - mean) / spread, "none": rgb,
    }[KINDS[name]]  # fmt: skip
    reference = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )
    reference.set_weights([weight.numpy() for weight in model.weights[:-2]])
    features = keras.Model(model.input, model.get_layer("average").output)
    np.testing.assert_allclose(features(bgr), reference(expected.astype(np.float32)), rtol=1e-3, atol=1e-4)
    assert model(bgr).shape == (2, 3)


def test_vgg16_and_others_are_there_and_no_function_of_another_kind() -> None:
    assert {"VGG16", "ResNet50", "MobileNetV3Small", "EfficientNetB0", "ConvNeXtTiny"} <= set(names())
    for wrong, guess in (("vgg16", "VGG16"), ("MobilenetV2", "MobileNetV2"), ("", "VGG16")):
        with pytest.raises(ValueError, match=rf"^network is '{wrong}'; give vgg, .* such as {guess} "):
            build_keras_network(wrong)


def test_too_small_an_image_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"^image_size is 32; give more for network InceptionV3 \(") as caught:
        build_keras_network("InceptionV3", 32, weights="random")
    assert "\n" not in str(caught.value)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(keras_networks.file_utils.config, "keras_home", lambda: str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def test_missing_weights_are_one_line_with_the_command_and_no_download(cache: Path) -> None:
    with pytest.raises(
        PretrainedWeightsError, match=r"run this on a machine with internet: python -m model weights fetch VGG16$"
    ):
        build_keras_network("VGG16", 32)


def test_other_weights_than_keras_published_are_refused(cache: Path) -> None:
    (cache / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5").write_bytes(b"something else")
    with pytest.raises(
        PretrainedWeightsError, match=r"differs from the file that Keras published; delete it and run: .* fetch VGG16$"
    ):
        build_keras_network("VGG16", 32)


def test_weights_of_the_cache_are_those_that_predict(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = keras.applications.VGG16(include_top=False, weights=None)
    file = cache / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    with h5py.File(file, "w") as stream:  # in the layout of the files that Keras published
        stream.attrs["layer_names"] = [layer.name.encode() for layer in made.layers]
        for layer in made.layers:
            group = stream.create_group(layer.name)
            group.attrs["weight_names"] = [f"{layer.name}/{weight.name}".encode() for weight in layer.weights]
            for weight in layer.weights:
                group[f"{layer.name}/{weight.name}"] = weight.numpy()

    class Published:
        def hexdigest(self) -> str:
            return "6d6bbae143d832006294945121d1f1fc"

    monkeypatch.setattr(keras_networks.hashlib, "file_digest", lambda stream, kind: Published())
    built = build_keras_network("VGG16", 32)
    for ours, theirs in zip(built.weights[:-2], made.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_a_file_of_weights_is_begun_with(tmp_path: Path) -> None:
    first = build_keras_network("MobileNetV2", 32, 3, seed=1, weights="random")
    first.save_weights(tmp_path / "a.weights.h5")
    again = build_keras_network("MobileNetV2", 32, 3, seed=2, weights="random")
    load_file(again, tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(first(pixels()), again(pixels()))


@pytest.mark.parametrize("kind", ["name", "missing", "text", "link", "another"])
def test_a_file_of_anything_else_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("a.keras" if kind == "name" else "a.weights.h5")
    if kind == "text":
        path.write_text("weights")
    elif kind == "link":
        with h5py.File(path, "w") as file:
            file["a"] = h5py.ExternalLink("/etc/passwd", "b")
    elif kind == "another":
        build_keras_network("VGG16", 32, 2, weights="random").save_weights(path)
    with pytest.raises(PretrainedWeightsError, match=r"a\.(keras|weights\.h5) .*; give ") as caught:
        load_file(build_keras_network("MobileNetV2", 32, 3, weights="random"), path)
    assert "\n" not in str(caught.value)


def test_fetching_an_unknown_network_is_wrong_use(capsys: Any) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["weights", "fetch", "VGG17"])
    assert caught.value.code == 2
    assert "VGG16" in capsys.readouterr().err


def test_a_fetch_without_a_network_says_so(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def refuse(**_: Any) -> None:
        raise OSError("no route")

    monkeypatch.setattr(keras.applications, "VGG16", refuse)
    monkeypatch.setattr(keras_networks, "names", lambda: ["VGG16"])
    assert main(["weights", "fetch", "VGG16"]) == 1
    assert "VGG16 cannot be downloaded" in capsys.readouterr().err
