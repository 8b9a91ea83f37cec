"""Beginning with the weights of another training in place of random ones."""

from __future__ import annotations

from typing import Any

import keras

from . import averaging
from .ensemble import Ensemble
from .members import Load, MemberError, fetch
from .network import Network
from .session_checkpoint import SessionCheckpoint


def take_weights(network: Network, other: Network) -> None:
    """Put the weights that `other` predicts with into `network`, which is to be trained anew.

    The last layer is taken where the classes are the same, in the same order; else it keeps its random weights, and everything
    before it, normalisation's statistics included, is taken. The size of the images may differ, since what is averaged over an image
    has the same channels for every size. ValueError where the layers themselves differ; nothing is changed then.
    """
    mine = [layer for layer in network.model.layers if layer.weights]
    theirs = {layer.name: layer for layer in other.model.layers if layer.weights}
    if network.classes != other.classes:
        mine = [layer for layer in mine if not isinstance(layer, keras.layers.Dense)]
    read = averaging.reader(other.optimizer, other.model.trainable_variables)
    found: list[tuple[Any, list[Any]]] = []
    for layer in mine:
        values = [read(variable) for variable in theirs[layer.name].weights] if layer.name in theirs else []
        if [value.shape for value in values] != [tuple(variable.shape) for variable in layer.weights]:
            raise ValueError(
                f"its layer {layer.name} has other weights (it was trained with --width {other.settings.width}); "
                "give the arguments of the network that it was trained with"
            )
        found.append((layer, values))
    for layer, values in found:
        layer.set_weights(values)
    averaging.begin(network.optimizer, network.model.trainable_variables)


def begin_with(network: Network, other: Network | Ensemble, named: str) -> None:
    """`take_weights`; ValueError, with one line that says how `other` is named, where that is no network like this one."""
    if isinstance(other, Ensemble):
        raise ValueError(f"{named} is an ensemble of {len(other.networks)} networks; name a checkpoint of a single one")
    try:
        take_weights(network, other)
    except ValueError as error:
        raise ValueError(f"{named} cannot be used: {error}") from None


def pretrain(network: Network, wanted: SessionCheckpoint, load: Load) -> None:
    """`take_weights` from another session's checkpoint, through `load`, which is `nsml.load`.

    MemberError where there is no such checkpoint, or its network is another.
    """
    other = fetch(wanted, load)
    try:
        begin_with(network, other, str(wanted))
    except ValueError as error:
        raise MemberError(str(error)) from None
