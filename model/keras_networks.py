"""The networks of `keras.applications` by name, with ImageNet's weights where they lie in Keras' cache or in a file.

python -m model weights fetch NAME    downloads a network's weights into Keras' cache, so that sessions need no network
"""

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
from keras.src.utils import file_utils  # there is no public way to learn which file Keras would download

from .console import Parser
from .efficientnet_lite import FEATURES
from .plain_hdf5 import check_plain
from .pretrained_weights import PretrainedWeightsError

# Theirs is "imagenet"; "random" is without.
IMAGENET, RANDOM = "imagenet", "random"


def names() -> list[str]:
    """What `build_keras_network` takes: each network of `keras.applications`, such as VGG16."""
    found = vars(keras.applications).items()
    return sorted(
        name for name, made in found if inspect.isfunction(made) and "include_top" in inspect.signature(made).parameters
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
        image_size: height and width of the input in pixels; each network has its own least size.
        classes: number of classes, at least 2.
        dropout: share of the pooled features dropped while training, in 0 <= dropout < 1.
        seed: of the last layer and the dropout before it; of all others, that of `keras.utils.set_random_seed`.
        weights: "imagenet", Keras' own from its cache, or "random".

    Returns:
        A model from float32 (n, image_size, image_size, 3), BGR in 0..255, to float32 probabilities (n, classes).

    Raises:
        PretrainedWeightsError: weights that are missing, are not what Keras published, or hold anything but arrays.
        ValueError: an unknown name, or an argument out of range.
    """
    if name not in names():
        alike = get_close_matches(name.lower(), [each.lower() for each in names()], 1)
        guess = [each for each in names() if each.lower() in alike] or ["VGG16"]
        raise ValueError(
            f"network is {name!r}; give vgg, efficientnet_lite0, or a name of keras.applications such as {guess[0]} "
            "(https://keras.io/api/applications)"
        )
    if classes < 2:
        raise ValueError(f"classes is {classes}; give at least 2")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}; give a share in 0 <= dropout < 1")
    build = getattr(keras.applications, name)
    inputs = keras.Input((image_size, image_size, 3), name="photograph")
    # Photographs are BGR, and what Keras' functions take is RGB; some of them turn it round again.
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
    return keras.Model(inputs, layers.Softmax(dtype="float32", name="probabilities")(x), name=name.lower())


def load_file(model: keras.Model, path: Path) -> None:
    """Give `model` the weights of a file that `save_weights` wrote of the same network. PretrainedWeightsError where it holds others."""
    if not path.name.endswith(".weights.h5"):
        raise PretrainedWeightsError(f"{path} is no file of weights; give one whose name ends in .weights.h5")
    if not path.is_file():
        raise PretrainedWeightsError(f"{path} is missing; give the path of a file that model.save_weights wrote")
    try:
        check_plain(path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # with which Keras leaves weights out
            model.load_weights(path)
    except Exception as error:  # h5py and Keras raise all kinds of them
        raise PretrainedWeightsError(
            f"{path} does not hold the weights of this network alone ({' '.join(str(error).split())[:100]}); give another file"
        ) from None


@contextmanager
def _no_download(name: str) -> Iterator[None]:
    """Within it, Keras finds its weights in its cache or not at all."""
    theirs = file_utils.get_file

    def get_file(fname: str, origin: str, cache_subdir: str = "models", file_hash: str | None = None, **_: Any) -> str:
        path = Path(file_utils.config.keras_home()) / cache_subdir / fname
        if not path.is_file():
            raise PretrainedWeightsError(
                f"ImageNet's weights for {name} are not here ({path}); run this where there is a network: "
                f"python -m model weights fetch {name}"
            )
        if file_hash:
            with open(path, "rb") as file:
                found = hashlib.file_digest(file, "sha256" if len(file_hash) == 64 else "md5").hexdigest()
            if found != file_hash:
                raise PretrainedWeightsError(
                    f"{path} is not the file that Keras published; delete it and run: python -m model weights fetch {name}"
                )
        try:
            check_plain(path)
        except (OSError, ValueError) as error:
            raise PretrainedWeightsError(
                f"{path} holds more than weights ({' '.join(str(error).split())[:200]}); delete it"
            ) from None
        return str(path)

    file_utils.get_file = get_file
    try:
        yield
    finally:
        file_utils.get_file = theirs


def main(arguments: list[str]) -> int:
    """`weights fetch NAME`: the exit status."""
    parser = Parser(prog="python -m model weights", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="fetch", required=True)
    fetch = commands.add_parser(
        "fetch", help="download ImageNet's weights of a network into Keras' cache", allow_abbrev=False
    )
    fetch.add_argument("name", metavar="NAME", choices=names(), help="such as VGG16")
    name = parser.parse_args(arguments).name
    try:
        getattr(keras.applications, name)(include_top=False, weights=IMAGENET)
    except Exception as error:
        print(
            f"python -m model weights: {name} cannot be fetched: {' '.join(str(error).split())[:300]}; is there a network?",
            file=sys.stderr,
        )
        return 1
    print(f"{name}: its weights are in Keras' cache")
    return 0
