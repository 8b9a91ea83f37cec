"""Checkpoints: a network in training, see `network_files`, or an ensemble, see `ensemble_files`. Loading one runs no code from its files.

In a training of several folds, the folder `earlier` holds the networks of the finished folds, as an ensemble.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..ensemble import Ensemble
from ..network import Network
from . import network_files
from .ensemble_files import ENSEMBLE, load_ensemble, remove_others, save_ensemble
from .network_files import CheckpointError

EARLIER = "earlier"

__all__ = ["CheckpointError", "load", "save"]


def save(folder: str | os.PathLike[str], held: Network | Ensemble) -> None:
    """Write a network or an ensemble below `folder`. Where one was saved before, its files stay until the new ones are complete."""
    folder = Path(folder)
    if isinstance(held, Ensemble):
        save_ensemble(folder, held)
        return
    if held.earlier:
        save_ensemble(folder / EARLIER, Ensemble(list(held.earlier), [1.0] * len(held.earlier)))
    network_files.save(folder, held)
    (folder / ENSEMBLE).unlink(missing_ok=True)
    remove_others(folder)
    if not held.earlier:
        shutil.rmtree(folder / EARLIER, ignore_errors=True)


def load(folder: str | os.PathLike[str]) -> Network | Ensemble:
    """Read the checkpoint of `save`. CheckpointError if a file is missing, damaged or of another format."""
    folder = Path(folder)
    if (folder / ENSEMBLE).exists():
        return load_ensemble(folder)
    network = network_files.load(folder)
    if (folder / EARLIER).exists():
        network.earlier = tuple(load_ensemble(folder / EARLIER).networks)
    return network
