"""The members of an ensemble, fetched from the sessions that trained them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import checkpoint
from .console import one_line
from .ensemble import Ensemble, combine
from .network import Network
from .session_checkpoint import SessionCheckpoint

# nsml.load
Load = Callable[..., None]


class MemberError(Exception):
    """A checkpoint of another session that cannot be used; one line that names it and the mend."""

    exit_status = 2


def fetch(wanted: SessionCheckpoint, load: Load) -> Network | Ensemble:
    """What that checkpoint holds. MemberError where there is none, or not one of this program."""
    found: list[Network | Ensemble] = []
    try:
        load(wanted.checkpoint, load_fn=lambda folder: found.append(checkpoint.load(folder)), session=wanted.session)
    except Exception as error:
        raise MemberError(f"{wanted} cannot be used: {one_line(error)}") from error
    return found[-1]


def together(
    members: Sequence[SessionCheckpoint], found: Sequence[Network | Ensemble], weights: Sequence[float]
) -> Ensemble:
    """The ensemble of several checkpoints; of one that is an ensemble, the networks share its weight as they did in it.

    Its validation predictions are those of the members, see `combine`, where all are of one dataset: the same name may stand for
    another photograph in another one.

    Args:
        members: at least one.
        found: what each of them holds.
        weights: as many, above 0.

    Raises:
        MemberError: the classes of a member are not those of the first, or they contradict each other about a photograph.
    """
    networks: list[Network] = []
    shares: list[float] = []
    for each, kept, weight in zip(members, found, weights, strict=True):
        if kept.classes != found[0].classes:
            raise MemberError(
                f"{members[0]} tells {', '.join(found[0].classes)} apart, and {each} {', '.join(kept.classes)}; "
                "take members of the same classes"
            )
        if isinstance(kept, Ensemble):
            networks += kept.networks
            shares += [weight * share / sum(kept.weights) for share in kept.weights]
        else:
            networks.append(kept)
            shares.append(weight)
    ensemble = Ensemble(networks, shares)
    if len({each.dataset for each in members}) == 1:
        try:
            ensemble.validation = combine([kept.validation for kept in found], weights)
        except ValueError as error:
            raise MemberError(str(error)) from None
    return ensemble
