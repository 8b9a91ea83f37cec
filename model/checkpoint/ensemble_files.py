"""The files of an ensemble.

member0, member1, ...    a folder for each network, without the state of its training
validation.csv           validation predictions, see `model.records`; missing if there are none
ensemble.json            the weight of each network, and size and SHA-256 of validation.csv and each settings.json; written last
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from dataprep.files import replacing

from ..ensemble import Ensemble
from ..records import VALIDATION, read_predictions, write_predictions
from . import network_files
from .network_files import check_files, damaged, describe

ENSEMBLE = "ensemble.json"
FORMAT = 1


def save_ensemble(folder: Path, ensemble: Ensemble) -> None:
    names = []
    for number, network in enumerate(ensemble.networks):
        network_files.save(folder / f"member{number}", network, with_state=False)
        names.append(f"member{number}/{network_files.SETTINGS}")
    if ensemble.validation is not None:
        with replacing(folder / VALIDATION) as path:
            write_predictions(path, ensemble.validation, ensemble.classes)
        names.append(VALIDATION)
    facts = {
        "format": FORMAT,
        "weights": ensemble.weights,
        "views": ensemble.views,
        "files": {name: describe(folder / name) for name in names},
    }
    with replacing(folder / ENSEMBLE) as path:
        path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def load_ensemble(folder: Path) -> Ensemble:
    try:
        facts = json.loads((folder / ENSEMBLE).read_text(encoding="utf-8"))
        shares, views, files = _checked(facts)
    except (OSError, ValueError) as error:
        raise damaged(folder / ENSEMBLE, error) from None
    check_files(folder, files)
    networks = [network_files.load(folder / f"member{number}") for number in range(len(shares))]
    try:
        ensemble = Ensemble(networks, shares, views=views)
    except ValueError as error:
        raise damaged(folder / ENSEMBLE, error) from None
    if VALIDATION in files:
        try:
            ensemble.validation = read_predictions(folder / VALIDATION, ensemble.classes)
        except (OSError, ValueError, csv.Error) as error:
            raise damaged(folder / VALIDATION, error) from None
    return ensemble


def _checked(facts: Any) -> tuple[list[float], int, dict[str, Any]]:
    """The weights, the views and the files. ValueError if one is missing or invalid."""
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ValueError(f"it is not an ensemble of format {FORMAT}")
    shares, files = facts.get("weights"), facts.get("files")
    if not isinstance(shares, list) or not all(type(share) in (int, float) for share in shares):
        raise ValueError("its weights are not a list of numbers")
    members = {f"member{number}/{network_files.SETTINGS}" for number in range(len(shares))}
    if not isinstance(files, dict) or not members <= files.keys() <= members | {VALIDATION}:
        raise ValueError("its list of files is invalid")
    if (views := facts.get("views", 1)) not in (1, 8):
        raise ValueError(f"views is {views!r}")
    return shares, views, files
