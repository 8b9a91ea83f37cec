"""The recipe as data: what is trained, in which phases. To try something else, change a record."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with the same settings.

    Attributes:
        name: one word for the log.
        epochs: at least 1.
        learning_rate: above 0.
        label_smoothing: in 0 <= label_smoothing < 1 (Szegedy et al., CVPR 2016, section 7).
        augmentation: strength of the augmentation, 0 (none) to 1.
    """

    name: str
    epochs: int
    learning_rate: float
    label_smoothing: float
    augmentation: float

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs} in phase {self.name}; give at least 1")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate is {self.learning_rate} in phase {self.name}; give a number above 0")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"label_smoothing is {self.label_smoothing} in phase {self.name}; give a number from 0 to below 1"
            )
        if not 0 <= self.augmentation <= 1:
            raise ValueError(f"augmentation is {self.augmentation} in phase {self.name}; give a strength from 0 to 1")


@dataclass(frozen=True)
class Recipe:
    """The phases in order, and what holds in all of them.

    Attributes:
        phases: at least one.
        batch_size: photographs a step, at least 1.
        class_weights: weigh each photograph by the inverse of its class' share, so that the rare class counts as much as the others.
        dropout: share of the pooled features dropped, in 0 <= dropout < 1.
        l2: penalty on the weights, not negative.
    """

    phases: tuple[Phase, ...]
    batch_size: int = 16
    class_weights: bool = True
    dropout: float = 0.3
    l2: float = 0.0

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("phases is empty; give at least one Phase")
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}; give at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1")
        if not 0 <= self.l2 < math.inf:
            raise ValueError(f"l2 is {self.l2}; give a number that is not negative")

    @property
    def epochs(self) -> int:
        """Epochs of all phases together."""
        return sum(phase.epochs for phase in self.phases)

    def steps_per_epoch(self, photographs: int) -> int:
        """Steps in which as many photographs are learned from once, the last of them with what is left."""
        return math.ceil(photographs / self.batch_size)

    def schedule(self, done: int = 0) -> list[tuple[Phase, range]]:
        """The phases that are left after `done` epochs, each with its epochs, counted from 0 over all phases."""
        left, start = [], 0
        for phase in self.phases:
            epochs = range(max(start, done), start + phase.epochs)
            start += phase.epochs
            if epochs:
                left.append((phase, epochs))
        return left


def winning_recipe(epochs: int = 32, learning_rate: float = 0.003, batch_size: int = 16) -> Recipe:
    """Two phases, as the team that won trained: first everything is made hard, then the network settles on photographs as they are.

    The first takes three quarters of the epochs, with strong augmentation, much label smoothing and the full learning rate. The second
    has almost no augmentation, little smoothing, and a tenth of the learning rate. A single epoch is all first phase.
    """
    second = max(round(epochs / 4), 1) if epochs > 1 else 0
    phases = [Phase("strong", epochs - second, learning_rate, label_smoothing=0.1, augmentation=1.0)]
    if second:
        phases.append(Phase("gentle", second, learning_rate / 10, label_smoothing=0.02, augmentation=0.1))
    return Recipe(tuple(phases), batch_size=batch_size)
