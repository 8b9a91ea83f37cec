"""The subject of a report: a network, or an ensemble. For an ensemble, each photograph is shown by a network not trained on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from dataprep.labels import class_key, few, numbers_of
from dataprep.photograph import Preparation
from model.ensemble import Ensemble
from model.network import Network
from model.records import Epoch, Predictions

from .calibration import fit_temperature
from .grad_cam import feature_map, grad_cam, without_nesting
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
        classes: names of the classes, in the order of the probabilities.
        validation: predictions for n photographs, n > 0.
        temperature: temperature fitted to the predictions, see `calibration`.
        views: one for each of the n photographs.
        best_epoch: best epoch of a single network, else 0.
        notes: which networks of an ensemble predicted, and which networks have no heat.
    """

    networks: tuple[Network, ...]
    classes: tuple[str, ...]
    validation: Predictions
    temperature: float
    views: tuple[View, ...]
    best_epoch: int = 0
    notes: tuple[str, ...] = ()

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
        notes = _without_heat([checkpoint], [view])
        return Subject((checkpoint,), checkpoint.classes, validation, temperature, views, best, notes)
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
    return Subject(networks, checkpoint.classes, validation, temperature, views, notes=notes)


def only(subject: Subject, classes: Sequence[str]) -> Subject:
    """The subject with only the photographs of these classes, and the probabilities of these classes scaled to a sum of 1.

    ReportError if the checkpoint does not have one of them, or no photograph is of them.
    """
    known = numbers_of(subject.classes)
    if unknown := [name for name in classes if class_key(name) not in known]:
        raise ReportError(
            f"argument --classes: the checkpoint has no class {unknown[0]}, only {few(subject.classes)}; name two of these"
        )
    chosen = np.array([known[class_key(name)] for name in classes])
    if chosen.tolist() == list(range(len(subject.classes))):
        return subject
    whole = subject.validation
    rows = np.flatnonzero(np.isin(whole.labels, chosen))
    if not len(rows):
        raise ReportError(f"argument --classes: no validation photograph is of {few(classes)}; name other classes")
    probabilities = whole.probabilities[np.ix_(rows, chosen)].astype(np.float64)
    total = probabilities.sum(axis=1, keepdims=True)
    # Where the network excludes all of these classes, they are equally likely.
    probabilities = np.where(total > 0, probabilities / np.where(total > 0, total, 1), 1 / len(chosen))
    validation = Predictions(
        [whole.samples[row] for row in rows.tolist()],
        [whole.patients[row] for row in rows.tolist()],
        np.array([chosen.tolist().index(label) for label in whole.labels[rows].tolist()]),
        probabilities.astype(np.float32),
    )
    return replace(
        subject,
        classes=tuple(subject.classes[label] for label in chosen.tolist()),
        validation=validation,
        temperature=fit_temperature(validation.probabilities, validation.labels),
        views=tuple(_of_classes(subject.views[row], chosen) for row in rows.tolist()),
        notes=(
            *subject.notes,
            f"Only the {len(rows)} of {len(whole.labels)} validation photographs of {few(classes)}, with the probabilities of these "
            "classes alone.",
        ),
    )


def _of_classes(view: View, chosen: np.ndarray) -> View:
    """The view with heat by the labels of the chosen classes."""
    heat = view.heat
    return view if heat is None else replace(view, heat=lambda images, labels: heat(images, chosen[labels]))


def _view(network: Network) -> View:
    model = without_nesting(network.model)
    heat = None if feature_map(model) is None else partial(grad_cam, model)
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
