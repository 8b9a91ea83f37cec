"""A network in training on disk: weights, the state that training needs to go on, and settings. HDF5, CSV and JSON: nothing that runs code.

model.weights.h5    the weights that predict (averaged ones where the training averages), as Keras' `load_weights` reads them
training.h5         the optimiser's variables, the state of the random generators (dropout), and, where those that predict are averaged, the
                    weights that training goes on from, one dataset each; absent where the network is only to predict
validation.csv      the validation predictions of the epoch, see `model.predictions`; absent before the first epoch
settings.json       `Settings`, with the size and SHA-256 of the others; written last
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from . import averaging
from .network import Network, new_network
from .predictions import FILE as VALIDATION
from .predictions import read_predictions, write_predictions
from .settings import Settings

WEIGHTS, STATE, SETTINGS = "model.weights.h5", "training.h5", "settings.json"


class CheckpointError(ValueError):
    """A checkpoint that cannot be read; one line that names the file and the mend."""


def save(folder: str | os.PathLike[str], network: Network, *, to_go_on: bool = True) -> None:
    """Write a network below `folder`, each file under a temporary name first; settings.json vouches for the others, so it is last.

    Without what it needs `to_go_on`, the network predicts the same, and takes a third of the space.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # A model that was not compiled: Keras would put the optimiser in, a second time.
    bare = keras.Model(network.model.inputs, network.model.outputs)
    with (
        averaging.averages_in_place(network.optimizer, network.model.trainable_variables),
        replacing(folder / WEIGHTS) as path,
    ):
        bare.save_weights(path)
    names = [WEIGHTS]
    if to_go_on:
        with replacing(folder / STATE) as path, h5py.File(path, "w") as file:
            for name, variable in _state(network).items():
                file[name] = variable.numpy()
        names.append(STATE)
    if network.validation is not None:
        with replacing(folder / VALIDATION) as path:
            write_predictions(path, network.validation, network.settings.classes)
        names.append(VALIDATION)
    files = {name: describe(folder / name) for name in names}
    with replacing(folder / SETTINGS) as path:
        path.write_text(json.dumps({**network.settings.to_dict(), "files": files}, indent=1) + "\n", encoding="utf-8")
    for name in {STATE, VALIDATION} - set(names):
        (folder / name).unlink(missing_ok=True)  # of what was saved here before


def load(folder: str | os.PathLike[str]) -> Network:
    """Read a network back, exactly as it was saved; one that was only to predict trains on as if its training began.

    Raises:
        CheckpointError: a file is missing, damaged, or of another network. Everything is checked before a network is returned, and none
            that exists is touched.
    """
    folder = Path(folder)
    settings, names = _read_settings(folder)
    try:
        network = new_network(settings)
    except ValueError as error:
        raise damaged(folder / SETTINGS, error) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # with which Keras leaves weights out
            network.model.load_weights(folder / WEIGHTS)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        raise damaged(folder / WEIGHTS, error) from None
    averaging.begin(network.optimizer, network.model.trainable_variables)
    if STATE in names:
        try:
            _read_state(folder / STATE, _state(network))
        except (OSError, ValueError, KeyError) as error:
            raise damaged(folder / STATE, error) from None
    if VALIDATION in names:
        try:
            network.validation = read_predictions(folder / VALIDATION, settings.classes)
        except (OSError, ValueError, csv.Error) as error:
            raise damaged(folder / VALIDATION, error) from None
    return network


def _state(network: Network) -> dict[str, Any]:
    """What training needs beyond the weights, by its name in the file."""
    weights = {id(variable) for variable in network.model.weights}
    random = [variable for variable in network.model.variables if id(variable) not in weights]
    groups = {"optimizer": network.optimizer.variables, "random": random}
    if network.settings.ema:
        groups["weights"] = network.model.trainable_variables
    return {
        f"{group}/{number}": variable for group, found in groups.items() for number, variable in enumerate(found)
    }


def _read_state(path: Path, variables: dict[str, Any]) -> None:
    with h5py.File(path) as file:
        if found := {f"{group}/{name}" for group in file for name in file[group]} ^ variables.keys():
            raise ValueError(f"it differs in {min(found)}")
        values = {name: np.asarray(file[name][()]) for name in variables}
    for name, variable in variables.items():
        if values[name].shape != tuple(variable.shape) or values[name].dtype.name != variable.dtype:
            raise ValueError(f"{name} is {values[name].dtype} {values[name].shape}")
    for name, variable in variables.items():
        variable.assign(values[name])


def _read_settings(folder: Path) -> tuple[Settings, set[str]]:
    """The settings, and the names of the files that belong to them, each of which is what was saved."""
    path = folder / SETTINGS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        files = found.pop("files", None) if isinstance(found, dict) else None
        settings = Settings.from_dict(found)
        if not isinstance(files, dict) or not {WEIGHTS} <= files.keys() <= {WEIGHTS, STATE, VALIDATION}:
            raise ValueError("it does not say which files belong to it")
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} holds no {SETTINGS}; name the folder of a checkpoint of this program"
        ) from None
    except (OSError, ValueError) as error:
        raise damaged(path, error) from None
    for name, description in files.items():
        try:
            same = describe(folder / name) == description
        except OSError as error:
            raise damaged(folder / name, error) from None
        if not same:
            raise damaged(folder / name, "it is not what was saved")
    return settings, set(files)


def damaged(path: Path, why: object) -> CheckpointError:
    return CheckpointError(f"{path} cannot be read ({' '.join(str(why).split())[:200]}); take another checkpoint")


def describe(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        return {"size": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place once it is whole and on the disk."""
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
