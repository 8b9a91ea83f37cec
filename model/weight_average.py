"""Averaged weights: prediction uses an exponential average of the weights over the last steps; training uses the last weights.

Polyak and Juditsky (SIAM J. Control Optim. 1992). An average with momentum m covers about the last 1 / (1 - m) steps. The statistics of
batch normalisation must match the averaged weights, so they are averaged with the same momentum, see `norm_momentum` in `model.training`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class WeightAverage:
    """Averages of variables, with the same shapes and dtypes.

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
        """Reset the averages to the variables' current values."""
        for variable, average in zip(self.variables, self.averages, strict=True):
            average.assign(variable)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """A context in which the variables have their averaged values. On exit, they get their own values back, bit for bit."""
        values = [variable.numpy() for variable in self.variables]
        for variable, average in zip(self.variables, self.averages, strict=True):
            variable.assign(average)
        try:
            yield
        finally:
            for variable, value in zip(self.variables, values, strict=True):
                variable.assign(value)

    def value(self, variable: Any) -> np.ndarray:
        """The averaged value of a variable if there is one, else its current value."""
        for averaged, average in zip(self.variables, self.averages, strict=True):
            if averaged is variable:
                return np.asarray(average.numpy())
        return np.asarray(variable.numpy())
