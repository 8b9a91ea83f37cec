"""Checkpoints of other sessions: members of an ensemble, and initial weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from .. import checkpoint
from ..console import one_line
from ..ensemble import Ensemble, combine
from ..metrics import score_of
from ..network import Network, begin_network, new_network
from ..settings import Settings
from .arguments import SessionCheckpoint

# nsml.load
Load = Callable[..., None]


class MemberError(ValueError):
    """A checkpoint of another session that cannot be used. The message is one line and says what to do."""

    exit_status = 2


def fetch(wanted: SessionCheckpoint, load: Load) -> Network | Ensemble:
    """The network or ensemble of a checkpoint. MemberError if it is missing or of another program."""
    loaded: list[Network | Ensemble] = []
    try:
        load(wanted.checkpoint, load_fn=lambda folder: loaded.append(checkpoint.load(folder)), session=wanted.session)
    except Exception as error:
        raise MemberError(f"{wanted} cannot be used: {one_line(error)}") from error
    return loaded[-1]


def together(
    members: Sequence[SessionCheckpoint], loaded: Sequence[Network | Ensemble], weights: Sequence[float], views: int = 1
) -> Ensemble:
    """The ensemble of several checkpoints. The networks of a member that is an ensemble share its weight in proportion to their own.

    If all members have the same dataset, the validation predictions are combined, see `combine`; file names of different datasets may
    mean different photographs.

    Args:
        members: names of the checkpoints, at least one.
        loaded: the network or ensemble of each, from `fetch`.
        weights: weight of each, above 0.
        views: as in a recipe.

    Raises:
        MemberError: members differ in their classes, or in the class or patient of a photograph.
    """
    networks: list[Network] = []
    shares: list[float] = []
    for each, held, weight in zip(members, loaded, weights, strict=True):
        if held.classes != loaded[0].classes:
            raise MemberError(
                f"{members[0]} has the classes {', '.join(loaded[0].classes)}, and {each} {', '.join(held.classes)}; "
                "use members with the same classes"
            )
        if held.numbers != loaded[0].numbers:
            raise MemberError(
                f"the classes of {members[0]} and {each} have different label numbers; use members of the same dataset"
            )
        if isinstance(held, Ensemble):
            networks += held.networks
            shares += [weight * share / sum(held.weights) for share in held.weights]
        else:
            networks.append(held)
            shares.append(weight)
    ensemble = Ensemble(networks, shares, views=views)
    if len({each.dataset for each in members}) == 1:
        try:
            ensemble.validation = combine([held.validation for held in loaded], weights)
        except ValueError as error:
            raise MemberError(str(error)) from None
    return ensemble


def take_weights(network: Network, other: Network) -> None:
    """Copy the weights with which `other` predicts, including batch normalisation's statistics, to the new network `network`.

    The last layer is copied only if the classes are the same, in the same order. The image size may differ, as global pooling gives the
    same channels for every size.

    Raises:
        ValueError: the layers differ; `network` is then unchanged.
    """
    names = network.settings.recipe.network, other.settings.recipe.network
    if names[0] != names[1]:
        raise ValueError(f"its network is {names[1]}, not {names[0]}; give --set network={names[1]}")
    # By order, not by name: Keras numbers unnamed layers through all models of a process.
    mine, theirs = ([layer for layer in each.model.layers if layer.weights] for each in (network, other))
    if network.classes != other.classes:
        mine, theirs = mine[:-1], theirs[:-1]
    pairs: list[tuple[Any, list[Any]]] = []
    for layer, source in zip_longest(mine, theirs):
        values = [other.value(variable) for variable in source.weights] if source else []
        if layer is None or [value.shape for value in values] != [tuple(variable.shape) for variable in layer.weights]:
            width = f"it was trained with width {other.settings.recipe.width}"
            raise ValueError(
                f"its layer {(layer or source).name} has other weights{f' ({width})' if names[1] == 'vgg' else ''}; "
                "give the arguments of the network that it was trained with"
            )
        pairs.append((layer, values))
    for layer, values in pairs:
        layer.set_weights(values)
    if network.average:
        network.average.restart()


def begin_with(network: Network, other: Network | Ensemble, named: str) -> None:
    """Copy weights by `take_weights`. MemberError with the name `named` of `other` if it is an ensemble or a different network."""
    if isinstance(other, Ensemble):
        raise MemberError(
            f"{named} is an ensemble of {len(other.networks)} networks; name a checkpoint of a single one"
        )
    try:
        take_weights(network, other)
    except ValueError as error:
        raise MemberError(f"{named} cannot be used: {error}") from None


def begin(settings: Settings, pretrained: SessionCheckpoint | None, load: Load) -> Network:
    """A new network with the initial weights of its recipe, or with those of another session's checkpoint. `load` is `nsml.load`.

    MemberError if the checkpoint is missing or its network differs.
    """
    if pretrained is None:
        return begin_network(settings)
    network = new_network(settings)
    begin_with(network, fetch(pretrained, load), str(pretrained))
    return network


def describe_validation(held: Network | Ensemble) -> str:
    """Number of validation photographs, accuracy and score, in words."""
    if held.validation is None:
        return "no validation predictions"
    result = score_of(held.validation)
    return f"{len(held.validation.samples)} validated: acc {result.accuracy:.3f}  score {result.value:.2f}"
