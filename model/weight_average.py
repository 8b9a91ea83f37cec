"""Averaged weights: an exponential average of the weights over the last steps predicts, while training goes on from the last weights.

Polyak and Juditsky (SIAM J. Control Optim. 1992): an average of momentum m is over about the last 1 / (1 - m) steps. The statistics of
the normalisation have to fit the weights that predict, so they are averaged with the same momentum, see `NORM_MOMENTUM` in `model.network`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class WeightAverage:
    """The averages of some variables, of the same shapes and dtypes.

    Args:
        momentum: in 0 < momentum < 1.
        variables: trainable Keras variables.
    """

    def __init__(self, momentum: float, variables: Sequence[Any]) -> None:
        self.momentum, self.variables = momentum, list(variables)
        self.averages = [
            keras.Variable(variable.numpy(), dtype=variable.dtype, trainable=False, name="average")
            for variable in variables
        ]
        self.update = tf.function(self._update)  # called after each step

    def _update(self) -> None:
        for variable, average in zip(self.variables, self.averages, strict=True):
            average.assign(self.momentum * average + (1 - self.momentum) * variable)

    def restart(self) -> None:
        """Begin again with the variables' current values."""
        for variable, average in zip(self.variables, self.averages, strict=True):
            average.assign(variable)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within it, the variables hold their averages; after it what they held before, bit for bit."""
        values = [variable.numpy() for variable in self.variables]
        for variable, average in zip(self.variables, self.averages, strict=True):
            variable.assign(average)
        try:
            yield
        finally:
            for variable, value in zip(self.variables, values, strict=True):
                variable.assign(value)

    def value(self, variable: Any) -> np.ndarray:
        """The average of a variable, or its own value where it is not averaged."""
        for averaged, average in zip(self.variables, self.averages, strict=True):
            if averaged is variable:
                return np.asarray(average.numpy())
        return np.asarray(variable.numpy())
