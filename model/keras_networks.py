"""The networks of `keras.applications` by name, with ImageNet weights from Keras' cache or from a file."""

from __future__ import annotations

import hashlib
import inspect
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import keras
from keras import layers
from keras.src.utils import file_utils  # there is no public function for the path of a file that Keras downloads

from .efficientnet_lite import FEATURES
from .plain_hdf5 import check_plain
from .pretrained_weights import PretrainedWeightsError

# Values of `weights`. Keras' name of "random" is None.
IMAGENET, RANDOM = "imagenet", "random"


def names() -> list[str]:
    """Names of all networks of `keras.applications`, such as VGG16."""
    members = vars(keras.applications).items()
    return sorted(
        name
        for name, member in members
        if inspect.isfunction(member) and "include_top" in inspect.signature(member).parameters
    )


def build_keras_network(
    name: str,
    image_size: int = 224,
    classes: int = 4,
    dropout: float = 0.2,
    seed: int = 0,
    weights: str = IMAGENET,
) -> keras.Model:
    """Build a network of `keras.applications` with the preprocessing that its weights expect, pooling, dropout and a new last layer.

    Args:
        name: one of `names()`.
        image_size: height and width of the input in pixels; the least size depends on the network.
        classes: number of classes, at least 2.
        dropout: share of the pooled features dropped in training, in 0 <= dropout < 1.
        seed: seed of the last layer and the dropout before it; other layers use `keras.utils.set_random_seed`.
        weights: "imagenet", from Keras' cache, or "random".

    Returns:
        A model from float32 (n, image_size, image_size, 3), BGR in 0..255, to float32 probabilities (n, classes).

    Raises:
        PretrainedWeightsError: the weights are missing, differ from Keras' published file, or contain data other than arrays.
        ValueError: an unknown name, or images that are too small for the network.
    """
    if name not in names():
        alike = get_close_matches(name.lower(), [each.lower() for each in names()], 1)
        guess = [each for each in names() if each.lower() in alike] or ["VGG16"]
        raise ValueError(
            f"network is {name!r}; give vgg, efficientnet_lite0, or a name of keras.applications such as {guess[0]} "
            "(https://keras.io/api/applications)"
        )
    build = getattr(keras.applications, name)
    inputs = keras.Input((image_size, image_size, 3), name="photograph")
    # Photographs are BGR, but Keras' functions expect RGB; some convert it back to BGR.
    prepared = sys.modules[build.__module__].preprocess_input(keras.ops.flip(inputs, axis=-1))
    try:
        with _no_download(name), warnings.catch_warnings():
            # Some have files for several sizes of the input, and warn where they take that of 224 for another, which fits as well.
            warnings.filterwarnings("ignore", "`input_shape` is undefined", UserWarning)
            base = build(
                include_top=False, weights=None if weights == RANDOM else weights, input_tensor=prepared, pooling="avg"
            )
    except PretrainedWeightsError:
        raise
    except ValueError as error:
        raise ValueError(
            f"image_size is {image_size}; give more for network {name} ({' '.join(str(error).split()).partition('. ')[0][:100]})"
        ) from None
    x = layers.Identity(dtype="float32", name=FEATURES)(base.output)
    x = layers.Dropout(dropout, seed=seed, dtype="float32", name="dropout")(x)
    start = keras.initializers.GlorotUniform(seed)
    x = layers.Dense(classes, kernel_initializer=start, dtype="float32", name="scores")(x)
    model = keras.Model(inputs, layers.Softmax(dtype="float32", name="probabilities")(x), name=name.lower())
    model.begins_with = weights
    return model


def load_file(model: keras.Model, path: Path) -> None:
    """Load the weights of a file of `save_weights` into `model`. PretrainedWeightsError if they are not of the same network."""
    if not path.name.endswith(".weights.h5"):
        raise PretrainedWeightsError(f"{path} is not a file of weights; give one whose name ends with .weights.h5")
    if not path.is_file():
        raise PretrainedWeightsError(f"{path} is missing; give the path of a file of model.save_weights")
    try:
        check_plain(path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras' warning on weights that it left out
            model.load_weights(path)
    except Exception as error:  # h5py and Keras raise many kinds of exceptions
        raise PretrainedWeightsError(
            f"{path} does not have the weights of this network ({' '.join(str(error).split())[:100]}); give another file"
        ) from None


@contextmanager
def _no_download(name: str) -> Iterator[None]:
    """A context in which Keras reads weights from its cache only."""
    original = file_utils.get_file

    def get_file(fname: str, origin: str, cache_subdir: str = "models", file_hash: str | None = None, **_: Any) -> str:
        path = Path(file_utils.config.keras_home()) / cache_subdir / fname
        if not path.is_file():
            raise PretrainedWeightsError(
                f"ImageNet weights for {name} are missing ({path}); run this on a machine with internet: "
                f"python -m model weights fetch {name}"
            )
        if file_hash:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256" if len(file_hash) == 64 else "md5").hexdigest()
            if digest != file_hash:
                raise PretrainedWeightsError(
                    f"{path} differs from the file that Keras published; delete it and run: python -m model weights fetch {name}"
                )
        try:
            check_plain(path)
        except (OSError, ValueError) as error:
            raise PretrainedWeightsError(
                f"{path} contains more than weights ({' '.join(str(error).split())[:200]}); delete it"
            ) from None
        return str(path)

    file_utils.get_file = get_file
    try:
        yield
    finally:
        file_utils.get_file = original
