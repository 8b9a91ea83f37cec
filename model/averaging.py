"""Averaged weights: what predicts is an exponential average of the weights over the last steps, while training goes on from the last ones.

Polyak and Juditsky (SIAM J. Control Optim. 1992) for the idea; Keras' optimisers keep the average (`use_ema`): of momentum m it is over
about the last 1 / (1 - m) steps. The statistics of the normalisation have to fit the weights that predict, so they are averaged with
the same momentum, see `NORM_MOMENTUM` in `model.vgg`: the mean of a convolution's output is linear in its weights, so the averaged
mean is the mean under the averaged weights, and the variance is, as long as the weights of those steps lie close together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def optimizer_arguments(momentum: float) -> dict[str, Any]:
    """What a Keras optimiser is made with, so that it averages the weights it trains; 0 is without an average."""
    return {"use_ema": True, "ema_momentum": momentum} if momentum else {}


def begin(optimizer: Any, variables: list[Any]) -> None:
    """Start the averages of a built optimiser at the values of the `variables` that it trains; nothing where it keeps no average."""
    if not optimizer.use_ema:
        return
    for variable, average in zip(variables, averages(optimizer), strict=True):
        average.assign(variable)

    def keep(variables: list[Any]) -> None:
        """Nothing: Keras puts the averages in place of the weights where `fit` ends, which here is no more than the end of a phase."""

    optimizer.finalize_variable_values = keep


def averages(optimizer: Any) -> list[Any]:
    """The averages of the variables that the optimiser trains, in their order; [] where it keeps none."""
    # Keras has no public name for them; its own callback SwapEMAWeights takes them from here.
    return list(optimizer._model_variables_moving_average) if optimizer.use_ema else []


def reader(optimizer: Any, variables: list[Any]) -> Callable[[Any], np.ndarray]:
    """A function that gives a variable's value as prediction takes it: its average where the optimiser keeps one, else its own."""
    instead = {id(variable): average for variable, average in zip(variables, averages(optimizer), strict=False)}

    def read(variable: Any) -> np.ndarray:
        return np.asarray(instead.get(id(variable), variable).numpy())

    return read


@contextmanager
def averages_in_place(optimizer: Any, variables: list[Any]) -> Iterator[None]:
    """Within it, the `variables` hold their averages; after it what they held before, bit for bit."""
    found = averages(optimizer)
    held = [variable.numpy() for variable in variables] if found else []
    for variable, average in zip(variables, found, strict=False):
        variable.assign(average.numpy())
    try:
        yield
    finally:
        for variable, value in zip(variables, held, strict=False):
            variable.assign(value)
