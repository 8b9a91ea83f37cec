"""A checkpoint on disk: a network in training, see `model.weights`, or an ensemble. No file of it runs code.

Of an ensemble:

member0, member1, ...    a folder for each network, without what training would need to go on
validation.csv           its validation predictions, see `model.predictions`; absent where there are none
ensemble.json            the weight of each network, and size and SHA-256 of validation.csv and each settings.json; written last

A network in training that has finished folds before it has them as an ensemble in the folder `earlier`.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

from . import weights
from .ensemble import Ensemble
from .network import Network
from .predictions import FILE as VALIDATION
from .predictions import read_predictions, write_predictions
from .weights import CheckpointError, damaged, describe, replacing

ENSEMBLE, EARLIER = "ensemble.json", "earlier"
FORMAT = 1

__all__ = ["CheckpointError", "load", "save"]


def save(folder: str | os.PathLike[str], kept: Network | Ensemble) -> None:
    """Write a network or an ensemble below `folder`."""
    folder = Path(folder)
    # Of what was saved here before.
    (folder / ENSEMBLE).unlink(missing_ok=True)
    shutil.rmtree(folder / EARLIER, ignore_errors=True)
    if isinstance(kept, Ensemble):
        _save_ensemble(folder, kept)
        return
    if kept.earlier:
        _save_ensemble(folder / EARLIER, Ensemble(list(kept.earlier), [1.0] * len(kept.earlier)))
    weights.save(folder, kept)


def load(folder: str | os.PathLike[str]) -> Network | Ensemble:
    """Read back what `save` wrote. CheckpointError where a file is missing, damaged, or of something else."""
    folder = Path(folder)
    if (folder / ENSEMBLE).exists():
        return _load_ensemble(folder)
    network = weights.load(folder)
    if (folder / EARLIER).exists():
        network.earlier = tuple(_load_ensemble(folder / EARLIER).networks)
    return network


def _save_ensemble(folder: Path, ensemble: Ensemble) -> None:
    names = []
    for number, network in enumerate(ensemble.networks):
        weights.save(folder / f"member{number}", network, to_go_on=False)
        names.append(f"member{number}/{weights.SETTINGS}")
    if ensemble.validation is not None:
        with replacing(folder / VALIDATION) as path:
            write_predictions(path, ensemble.validation, ensemble.classes)
        names.append(VALIDATION)
    facts = {"format": FORMAT, "weights": ensemble.weights, "files": {name: describe(folder / name) for name in names}}
    with replacing(folder / ENSEMBLE) as path:
        path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _load_ensemble(folder: Path) -> Ensemble:
    try:
        facts = json.loads((folder / ENSEMBLE).read_text(encoding="utf-8"))
        shares, files = _checked(facts)
    except (OSError, ValueError) as error:
        raise damaged(folder / ENSEMBLE, error) from None
    for name, description in files.items():
        try:
            same = describe(folder / name) == description
        except OSError as error:
            raise damaged(folder / name, error) from None
        if not same:
            raise damaged(folder / name, "it is not what was saved")
    networks = [weights.load(folder / f"member{number}") for number in range(len(shares))]
    try:
        ensemble = Ensemble(networks, shares)
    except ValueError as error:
        raise damaged(folder / ENSEMBLE, error) from None
    if VALIDATION in files:
        try:
            ensemble.validation = read_predictions(folder / VALIDATION, ensemble.classes)
        except (OSError, ValueError, csv.Error) as error:
            raise damaged(folder / VALIDATION, error) from None
    return ensemble


def _checked(facts: Any) -> tuple[list[float], dict[str, Any]]:
    """The weights and the files; ValueError where they are no such thing."""
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ValueError(f"it is no ensemble of format {FORMAT}")
    shares, files = facts.get("weights"), facts.get("files")
    if not isinstance(shares, list) or not all(type(share) in (int, float) for share in shares):
        raise ValueError("its weights are no list of numbers")
    members = {f"member{number}/{weights.SETTINGS}" for number in range(len(shares))}
    if not isinstance(files, dict) or not members <= files.keys() <= members | {VALIDATION}:
        raise ValueError("it does not say which files belong to it")
    return shares, files
