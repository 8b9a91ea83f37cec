"""The files of an ensemble.

member0, member1, ...    a folder for each network, without the state of its training
validation.csv           validation predictions, see `model.records`; missing if there are none
ensemble.json            the weight of each network, and size and SHA-256 of validation.csv and each settings.json; written last

As in `network_files`, each save into the same folder adds or removes the prefix `next.`, so that the ensemble before stays readable.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from dataprep.files import flush, replacing

from ..ensemble import Ensemble
from ..records import VALIDATION, read_predictions, write_predictions
from . import network_files
from .network_files import OTHER, check_files, describe, named, reading

ENSEMBLE = "ensemble.json"
FORMAT = 1


def save_ensemble(folder: Path, ensemble: Ensemble) -> None:
    prefix = OTHER if f"member0/{network_files.SETTINGS}" in named(folder / ENSEMBLE) else ""
    names = []
    try:
        for number, network in enumerate(ensemble.networks):
            network_files.save(folder / f"{prefix}member{number}", network, with_state=False)
            names.append(f"{prefix}member{number}/{network_files.SETTINGS}")
        if ensemble.validation is not None:
            names.append(f"{prefix}{VALIDATION}")
            write_predictions(folder / names[-1], ensemble.validation, ensemble.classes)
            flush(folder / names[-1])
        facts = {
            "format": FORMAT,
            "weights": ensemble.weights,
            "views": ensemble.views,
            "files": {name: describe(folder / name) for name in names},
        }
        with replacing(folder / ENSEMBLE) as path:
            path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    finally:
        remove_others(folder)


def remove_others(folder: Path) -> None:
    """Remove the files of an ensemble that `ensemble.json` does not name: of an earlier save, of one that failed, or of all without it."""
    current = {name.partition("/")[0] for name in named(folder / ENSEMBLE)}
    for path in (*folder.glob("member*"), *folder.glob(f"{OTHER}member*")):
        if path.name not in current:
            shutil.rmtree(path)
    for name in {VALIDATION, f"{OTHER}{VALIDATION}"} - current - named(folder / network_files.SETTINGS):
        (folder / name).unlink(missing_ok=True)


def load_ensemble(folder: Path) -> Ensemble:
    with reading(folder / ENSEMBLE):
        facts = json.loads((folder / ENSEMBLE).read_text(encoding="utf-8"))
        shares, views, files, members, validation = _checked(facts)
    check_files(folder, files)
    networks = [network_files.load((folder / name).parent) for name in members]
    with reading(folder / ENSEMBLE):
        ensemble = Ensemble(networks, shares, views=views)
    if validation:
        with reading(folder / validation):
            ensemble.validation = read_predictions(folder / validation, ensemble.classes)
    return ensemble


def _checked(facts: Any) -> tuple[list[float], int, dict[str, Any], list[str], str]:
    """The weights, the views, the files, and among them the members' settings and the validation. ValueError if one is invalid."""
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ValueError(f"it is not an ensemble of format {FORMAT}")
    shares, files = facts.get("weights"), facts.get("files")
    if not isinstance(shares, list) or not all(type(share) in (int, float) for share in shares):
        raise ValueError("its weights are not a list of numbers")
    if not isinstance(files, dict):
        raise ValueError("its list of files is invalid")
    prefix = OTHER if any(name.startswith(f"{OTHER}member") for name in files) else ""
    members = [f"{prefix}member{number}/{network_files.SETTINGS}" for number in range(len(shares))]
    others = files.keys() - members
    if not {*members} <= files.keys() or not others <= {VALIDATION, f"{OTHER}{VALIDATION}"} or len(others) > 1:
        raise ValueError("its list of files is invalid")
    if (views := facts.get("views", 1)) not in (1, 8):
        raise ValueError(f"views is {views!r}")
    return shares, views, files, members, "".join(others)
