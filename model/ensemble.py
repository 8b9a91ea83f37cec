"""Ensembles of networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataprep.photograph import Preparation

from .network import Network
from .records import Predictions


@dataclass
class Ensemble:
    """Networks whose probabilities are averaged, with relative weights above 0.

    The networks must have the same classes in the same order; all else may differ. `validation` holds predictions for photographs
    outside the training, see `combine`; `views` is as in a recipe.

    Raises:
        ValueError: there are no networks, their classes differ, or a weight is out of range.
    """

    networks: list[Network]
    weights: list[float]
    validation: Predictions | None = None
    views: int = 1

    def __post_init__(self) -> None:
        if not self.networks or len(self.networks) != len(self.weights):
            raise ValueError(
                f"there are {len(self.networks)} networks and {len(self.weights)} weights; give one weight for each network"
            )
        if wrong := [weight for weight in self.weights if not 0 < weight < math.inf]:
            raise ValueError(f"a weight is {wrong[0]}; give numbers above 0")
        if wrong_classes := [network.classes for network in self.networks if network.classes != self.classes]:
            raise ValueError(
                f"one network has the classes {', '.join(self.classes)}, another {', '.join(wrong_classes[0])}; "
                "use networks with the same classes"
            )
        if len({network.numbers for network in self.networks}) > 1:
            raise ValueError(
                "the classes of two networks have different label numbers; use networks of the same dataset"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.networks[0].classes

    @property
    def numbers(self) -> tuple[int, ...]:
        """Label number of each class."""
        return self.networks[0].numbers

    @property
    def preparations(self) -> tuple[Preparation, ...]:
        """The different preparations of the networks. `predict` expects one array of images for each."""
        return tuple(dict.fromkeys(network.settings.preparation for network in self.networks))

    def predict(self, *images: Any) -> np.ndarray:
        """Probabilities, float32 (n, classes), of n photographs.

        images: the photographs prepared by each of `preparations`, in this order, uint8 (n, size, size, 3).
        """
        prepared = dict(zip(self.preparations, images, strict=True))
        probabilities = [network.predict(prepared[network.settings.preparation]) for network in self.networks]
        return np.average(probabilities, axis=0, weights=self.weights).astype(np.float32)


def combine(validations: Sequence[Predictions | None], weights: Sequence[float]) -> Predictions | None:
    """Average the validation predictions of several networks. For each photograph, only networks that validated on it count.

    So no prediction comes from a network that was trained on the photograph. Networks of one split all count for each photograph;
    of k folds, one network counts for each. In between, the ensemble looks rather worse than it is than better.

    Args:
        validations: validation predictions of each network, with the same classes, or None.
        weights: weight of each network, above 0.

    Returns:
        Predictions sorted by the photographs' names, one for each photograph; None if no network has any.

    Raises:
        ValueError: networks differ in the class or patient of a photograph.
    """
    facts: dict[str, tuple[str, int]] = {}
    sums: dict[str, np.ndarray] = {}
    totals: dict[str, float] = {}
    for predictions, weight in zip(validations, weights, strict=True):
        if predictions is None:
            continue
        rows = zip(
            predictions.samples, predictions.patients, predictions.labels, predictions.probabilities, strict=True
        )
        for sample, patient, label, probabilities in rows:
            if facts.setdefault(sample, (patient, int(label))) != (patient, int(label)):
                raise ValueError(
                    f"photograph {sample!r} has different classes or patients in the validations of two networks; "
                    "use networks of the same dataset"
                )
            sums[sample] = sums.get(sample, 0.0) + weight * probabilities.astype(np.float64)
            totals[sample] = totals.get(sample, 0.0) + weight
    if not facts:
        return None
    samples = sorted(facts)
    return Predictions(
        samples,
        [facts[sample][0] for sample in samples],
        np.array([facts[sample][1] for sample in samples]),
        np.array([sums[sample] / totals[sample] for sample in samples], np.float32),
    )
