"""Networks that predict together."""

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
    """Networks whose probabilities are averaged, each by its weight (above 0; only how they compare matters).

    The networks may differ in everything but the classes and their order. `validation` holds predictions for photographs that
    were not trained on, see `combine`; `views` is as in a recipe. ValueError where there is no network, the classes differ, or a weight is
    out of range.
    """

    networks: list[Network]
    weights: list[float]
    validation: Predictions | None = None
    views: int = 1

    def __post_init__(self) -> None:
        if not self.networks or len(self.networks) != len(self.weights):
            raise ValueError(f"there are {len(self.networks)} networks and {len(self.weights)} weights; give as many")
        if wrong := [weight for weight in self.weights if not 0 < weight < math.inf]:
            raise ValueError(f"a weight is {wrong[0]}; give numbers above 0")
        if wrong_classes := [network.classes for network in self.networks if network.classes != self.classes]:
            raise ValueError(
                f"one network has the classes {', '.join(self.classes)}, another {', '.join(wrong_classes[0])}; "
                "take networks of the same classes"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return self.networks[0].classes

    @property
    def preparations(self) -> tuple[Preparation, ...]:
        """How the images that `predict` takes are prepared, an array of them each: every preparation that a network needs, once."""
        return tuple(dict.fromkeys(network.settings.preparation for network in self.networks))

    def predict(self, *images: Any) -> np.ndarray:
        """Probabilities, float32 (n, classes), of n photographs.

        images: for each of `preparations`, in their order, the photographs as it prepares them, uint8 (n, size, size, 3).
        """
        prepared = dict(zip(self.preparations, images, strict=True))
        answers = [network.predict(prepared[network.settings.preparation]) for network in self.networks]
        return np.average(answers, axis=0, weights=self.weights).astype(np.float32)


def combine(validations: Sequence[Predictions | None], weights: Sequence[float]) -> Predictions | None:
    """The average of several networks' predictions for validation photographs, each by the networks that validated on it.

    A network validates on what it did not train on. So where all were trained on the same split, each photograph has the answer of all
    of them, and of the networks of k folds each photograph has that of the one which never saw it; in between, an ensemble is shown
    as worse than it is rather than better.

    Args:
        validations: one a network, of the same classes; None where it has none.
        weights: as many, above 0.

    Returns:
        Predictions in the order of the photographs' names, each photograph once; None where there are none at all.

    Raises:
        ValueError: a photograph is of another class or patient in one than in another.
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
                    f"photograph {sample!r} is of another class or patient in one network's validation than in another's; "
                    "take networks of the same dataset"
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
