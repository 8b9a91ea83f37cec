"""The files of a network in training. HDF5, CSV and JSON: reading them runs no code.

model.weights.h5    weights for prediction (the averaged weights, if the recipe averages), for Keras' `load_weights`
training.h5         state of the training: the optimiser's variables, the state of the random generators (dropout), and, with averaged
                    weights, the averages and the last weights, one dataset each; missing if the network is only for prediction
validation.csv      validation predictions of the epoch, see `model.records`; missing before the first epoch
history.csv         results of each epoch, see `model.records`; missing before the first epoch
baselines.csv       baselines of the training, see `model.records`; missing without baselines
settings.json       `Settings`, with the size and SHA-256 of the other files; written last

Each save into the same folder adds the prefix `next.` to the names of the files, or removes it, so that the previous files remain valid
until settings.json is replaced.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from dataprep.files import flush, replacing

from ..network import Network, new_network
from ..plain_hdf5 import check_plain
from ..records import (
    BASELINES,
    HISTORY,
    VALIDATION,
    Baseline,
    Epoch,
    read_predictions,
    read_records,
    write_predictions,
    write_records,
)
from ..settings import FILE, Settings

WEIGHTS, STATE, SETTINGS = "model.weights.h5", "training.h5", FILE
_FILES = (WEIGHTS, STATE, VALIDATION, HISTORY, BASELINES)
OTHER = "next."
_OF_FORMAT = 1 << 20  # bytes that HDF5 needs besides the values, at most
# Further errors that h5py raises for damaged HDF5 files.
_OF_HDF5 = (RuntimeError, TypeError, AttributeError, UnicodeDecodeError)


class CheckpointError(ValueError):
    """A checkpoint that cannot be read. The message is one line with the file and what to do."""


def save(folder: str | os.PathLike[str], network: Network, *, with_state: bool = True) -> None:
    """Write a network below `folder`. A network that was saved there before stays readable until settings.json is replaced.

    with_state: include the state of the training. Without it, the files take a third of the space, and training cannot go on.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    prefix = OTHER if WEIGHTS in named(folder / SETTINGS) else ""
    state = _state(network) if with_state else {}
    _make_sure_of_space(folder, [*network.model.variables, *state.values()])
    paths: list[Path] = []

    def new(name: str) -> Path:
        paths.append(folder / f"{prefix}{name}")
        return paths[-1]

    try:
        # A model without optimiser: for a compiled model, Keras would store the optimiser a second time.
        bare = keras.Model(network.model.inputs, network.model.outputs)
        with network.averaged():
            bare.save_weights(new(WEIGHTS))
        if with_state:
            with h5py.File(new(STATE), "w") as file:
                for name, variable in state.items():
                    file[name] = variable.numpy()
        if network.validation is not None:
            write_predictions(new(VALIDATION), network.validation, network.settings.classes)
        if network.history:
            write_records(new(HISTORY), network.history)
        if network.baselines:
            write_records(new(BASELINES), network.baselines)
        for path in paths:
            flush(path)
        files = {path.name: describe(path) for path in paths}
        text = json.dumps({**network.settings.to_dict(), "files": files}, indent=1)
        with replacing(folder / SETTINGS) as path:
            path.write_text(f"{text}\n", encoding="utf-8")
    finally:
        remove_others(folder)
    flush(folder)


def remove_others(folder: Path) -> None:
    """Remove the files of a network that no settings name: of an earlier save, or of one that failed."""
    current = named(folder / SETTINGS)
    for name in {f"{before}{name}" for before in ("", OTHER) for name in _FILES} - current:
        (folder / name).unlink(missing_ok=True)


def _make_sure_of_space(folder: Path, variables: Sequence[Any]) -> None:
    """OSError if values so large cannot be written: HDF5 crashes the interpreter on a full disk."""
    with tempfile.TemporaryFile(dir=folder) as file:
        for variable in variables:
            file.write(bytes(variable.numpy().nbytes))
        file.write(bytes(_OF_FORMAT))


def named(path: Path) -> set[str]:
    """The files named in settings.json or ensemble.json; none if it cannot be read."""
    try:
        return set(json.loads(path.read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def load(folder: str | os.PathLike[str]) -> Network:
    """Read a network exactly as it was saved. Without the state of its training, training starts anew.

    HDF5 files are checked before they are read, see `model.plain_hdf5`.

    Raises:
        CheckpointError: a file is missing, damaged or of another network.
    """
    folder = Path(folder)
    settings, files = _read_settings(folder)
    weights = files[WEIGHTS]
    with reading(weights):
        check_plain(weights)
    try:
        _check_width(settings, weights)
        network = new_network(settings)
    except ValueError as error:
        raise damaged(folder / SETTINGS, error) from None
    with reading(weights), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # Keras' warning on weights that it left out
        network.model.load_weights(weights)
    if network.average:
        network.average.restart()
    if state := files.get(STATE):
        with reading(state):
            check_plain(state)
            _read_state(state, _state(network))
    if path := files.get(VALIDATION):
        with reading(path):
            network.validation = read_predictions(path, settings.classes)
    if path := files.get(HISTORY):
        with reading(path):
            network.history = read_records(path, Epoch)
    if path := files.get(BASELINES):
        with reading(path):
            network.baselines = read_records(path, Baseline)
    return network


def _check_width(settings: Settings, weights: Path) -> None:
    """Raise ValueError if the network would be larger than its file of weights, before a damaged width fills the memory."""
    if settings.recipe.network != "vgg":
        return
    width = settings.recipe.width
    # Bytes of one 3x3 convolution in float32. A small one does no harm, and `build_model` may have been replaced.
    least = 9 * 4 * (2 * width * width if settings.recipe.depth > 1 else 3 * width)
    if least > max(weights.stat().st_size, 1_000_000):
        raise ValueError(f"width is {width}, but {weights.name} is too small for that")


def _state(network: Network) -> dict[str, Any]:
    """The variables of the training's state, by their names in the file."""
    weights = {id(variable) for variable in network.model.weights}
    random = [variable for variable in network.model.variables if id(variable) not in weights]
    groups = {"optimizer": network.optimizer.variables, "random": random}
    if network.average:
        groups["averages"] = network.average.averages
        groups["weights"] = network.model.trainable_variables
    return {
        f"{group}/{number}": variable for group, members in groups.items() for number, variable in enumerate(members)
    }


def _read_state(path: Path, variables: dict[str, Any]) -> None:
    with h5py.File(path) as file:
        if differing := {f"{group}/{name}" for group in file for name in file[group]} ^ variables.keys():
            raise ValueError(f"it differs in {min(differing)}")
        values = {name: np.asarray(file[name][()]) for name in variables}
    for name, variable in variables.items():
        if values[name].shape != tuple(variable.shape) or values[name].dtype.name != variable.dtype:
            raise ValueError(f"{name} is {values[name].dtype} {values[name].shape}")
    for name, variable in variables.items():
        variable.assign(values[name])


def _read_settings(folder: Path) -> tuple[Settings, dict[str, Path]]:
    """The settings, and the paths of the checkpoint's files by their names in `_FILES`. The files' hashes are checked."""
    path = folder / SETTINGS
    if not path.exists():
        raise CheckpointError(f"{folder} has no {SETTINGS}; give the folder of a checkpoint of this program")
    with reading(path):
        values = json.loads(path.read_text(encoding="utf-8"))
        files = values.pop("files", None) if isinstance(values, dict) else None
        settings = Settings.from_dict(values)
        prefix = OTHER if isinstance(files, dict) and f"{OTHER}{WEIGHTS}" in files else ""
        plain = {f"{prefix}{name}": name for name in _FILES}
        if not isinstance(files, dict) or not {f"{prefix}{WEIGHTS}"} <= files.keys() <= plain.keys():
            raise ValueError("its list of files is invalid")
    check_files(folder, files)
    return settings, {plain[name]: folder / name for name in files}


def check_files(folder: Path, files: dict[str, Any]) -> None:
    """Raise CheckpointError if a file below `folder` differs from its description, see `describe`."""
    for name, description in files.items():
        with reading(folder / name):
            if describe(folder / name) != description:
                raise ValueError("it was changed after it was saved")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """A context in which the errors of a damaged file become a CheckpointError that names it."""
    try:
        yield
    except (OSError, ValueError, KeyError, OverflowError, UserWarning, csv.Error, *_OF_HDF5) as error:
        raise damaged(path, error) from None


def damaged(path: Path, why: object) -> CheckpointError:
    return CheckpointError(f"{path} cannot be read ({' '.join(str(why).split())[:200]}); use another checkpoint")


def describe(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        return {"size": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
