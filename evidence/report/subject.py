"""The subject of a report: a network, or an ensemble. For an ensemble, each photograph is shown by a network not trained on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from dataprep.photograph import Preparation
from model.ensemble import Ensemble
from model.network import Network
from model.records import Epoch, Predictions

from .calibration import fit_temperature
from .grad_cam import feature_map, grad_cam
from .requirements import ReportError


@dataclass(frozen=True)
class View:
    """Preparation and heat of a network.

    heat: function from prepared images and their classes to heats, see `grad_cam`; None if the network has no feature map.
    """

    preparation: Preparation
    heat: Callable[[np.ndarray, np.ndarray], np.ndarray] | None


@dataclass(frozen=True)
class Subject:
    """The parts of a checkpoint that a report needs.

    Attributes:
        networks: the network, or the networks of the ensemble.
        validation: predictions for n photographs, n > 0.
        temperature: temperature fitted to the predictions, see `calibration`.
        views: one for each of the n photographs.
        best_epoch: best epoch of a single network, else 0.
        notes: which networks of an ensemble predicted, and which networks have no heat.
    """

    networks: tuple[Network, ...]
    validation: Predictions
    temperature: float
    views: tuple[View, ...]
    best_epoch: int = 0
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return self.networks[0].classes

    @property
    def histories(self) -> tuple[Sequence[Epoch], ...]:
        """The history of each network that has one."""
        return tuple(network.history for network in self.networks if network.history)


def subject_of(checkpoint: Network | Ensemble) -> Subject:
    """The subject of a checkpoint. Raises ReportError if it holds no validation predictions."""
    validation = checkpoint.validation
    if validation is None or not len(validation.labels):
        how = (
            "the ensemble has no validation predictions; use members that were trained on the same dataset"
            if isinstance(checkpoint, Ensemble)
            else "the checkpoint has no validation predictions; use one that was saved after an epoch"
        )
        raise ReportError(how)
    temperature = fit_temperature(validation.probabilities, validation.labels)
    if isinstance(checkpoint, Network):
        view = _view(checkpoint)
        views = (view,) * len(validation.labels)
        best = checkpoint.settings.best_epoch
        return Subject((checkpoint,), validation, temperature, views, best, _without_heat([checkpoint], [view]))
    networks = tuple(checkpoint.networks)
    heaviest = sorted(range(len(networks)), key=lambda number: -checkpoint.weights[number])
    by_number = [_view(network) for network in networks]
    view_of: dict[str, View] = {}
    answers = dict.fromkeys(validation.samples, 0)
    for number in heaviest:
        validated = networks[number].validation
        for sample in validated.samples if validated is not None else ():
            if sample in answers:
                answers[sample] += 1
                view_of.setdefault(sample, by_number[number])
    views = tuple(view_of.get(sample, by_number[heaviest[0]]) for sample in validation.samples)
    note = _note(len(networks), min(answers.values()), max(answers.values()))
    notes = (*([note] if note else []), *_without_heat(networks, by_number))
    return Subject(networks, validation, temperature, views, notes=notes)


def _view(network: Network) -> View:
    heat = None if feature_map(network.model) is None else partial(grad_cam, network.model)
    return View(network.settings.preparation, heat)


def _without_heat(networks: Sequence[Network], views: Sequence[View]) -> tuple[str, ...]:
    """A note on each network that has no feature map."""
    names = dict.fromkeys(
        each.settings.recipe.network for each, view in zip(networks, views, strict=True) if view.heat is None
    )
    return tuple(
        f"Network {name} has no feature map of more than one place, so its heat is left out." for name in names
    )


def _note(networks: int, fewest: int, most: int) -> str:
    """A note on an ensemble of `networks` networks, `fewest` to `most` of which validated on each photograph."""
    if networks == 1:
        return ""
    if fewest == networks:
        return (
            f"This is an ensemble of {networks} networks, all of which validated on these photographs. The heat is that of the "
            "network with the largest weight."
        )
    how_many = "one" if most == 1 else f"{fewest} to {most}"
    return (
        f"This is an ensemble of {networks} networks. Each photograph is predicted here by the networks not trained on it, {how_many} of "
        "them, and the heat is that of one of these. On new photographs, the whole ensemble should do better than this."
    )
