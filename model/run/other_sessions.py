"""What other sessions have trained: members of an ensemble, and weights to begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from .. import checkpoint
from ..console import one_line
from ..ensemble import Ensemble, combine
from ..network import Network, begin_network, new_network
from ..settings import Settings
from ..validation import score_of
from .arguments import SessionCheckpoint

# nsml.load
Load = Callable[..., None]


class MemberError(Exception):
    """A checkpoint of another session that cannot be used, in one line that says what to do."""

    exit_status = 2


def fetch(wanted: SessionCheckpoint, load: Load) -> Network | Ensemble:
    """What that checkpoint holds. MemberError where there is none, or not one of this program."""
    loaded: list[Network | Ensemble] = []
    try:
        load(wanted.checkpoint, load_fn=lambda folder: loaded.append(checkpoint.load(folder)), session=wanted.session)
    except Exception as error:
        raise MemberError(f"{wanted} cannot be used: {one_line(error)}") from error
    return loaded[-1]


def together(
    members: Sequence[SessionCheckpoint], loaded: Sequence[Network | Ensemble], weights: Sequence[float], views: int = 1
) -> Ensemble:
    """The ensemble of several checkpoints; of one that is an ensemble, the networks share its weight as they did in it.

    Its validation predictions are those of the members, see `combine`, where all are of one dataset: the same name may stand for
    another photograph in another one.

    Args:
        members: at least one.
        loaded: what each of them holds, from `fetch`.
        weights: as many, above 0.

    Raises:
        MemberError: the classes of a member are not those of the first, or they contradict each other about a photograph.
    """
    networks: list[Network] = []
    shares: list[float] = []
    for each, held, weight in zip(members, loaded, weights, strict=True):
        if held.classes != loaded[0].classes:
            raise MemberError(
                f"{members[0]} has the classes {', '.join(loaded[0].classes)}, and {each} {', '.join(held.classes)}; "
                "take members of the same classes"
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
    """Put the weights that `other` predicts with into `network`, which is to be trained anew.

    The last layer is taken where the classes are the same, in the same order; else it keeps its random weights, and everything
    before it, normalisation's statistics included, is taken. The size of the images may differ, since what is averaged over an image
    has the same channels for every size. ValueError where the layers themselves differ; nothing is changed then.
    """
    names = network.settings.recipe.network, other.settings.recipe.network
    if names[0] != names[1]:
        raise ValueError(f"it is of network {names[1]}, not {names[0]}; give --set network={names[1]}")
    # By their order: Keras counts up the names of layers that were given none.
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


def begin(settings: Settings, pretrained: SessionCheckpoint | None, load: Load) -> Network:
    """A network to train anew: with its recipe's first weights, or those of another session's checkpoint."""
    if pretrained is None:
        return begin_network(settings)
    network = new_network(settings)
    pretrain(network, pretrained, load)
    return network


def describe_validation(held: Network | Ensemble) -> str:
    """How well it predicts the photographs that it validated on, in words."""
    if held.validation is None:
        return "no validation predictions"
    result = score_of(held.validation)
    return f"{len(held.validation.samples)} validated: acc {result.accuracy:.3f}  score {result.value:.2f}"
