"""The arm that begins with the weights of another training."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import FILE
from .arms import PRETRAINED, Arm, Pretrained

if TYPE_CHECKING:
    from ..network import Network


class PretrainedError(ValueError):
    """A folder whose weights cannot be begun with; one line with the mend."""

    exit_status = 2


def pretrained_arm(folder: Path) -> Arm:
    """The recipe that begins with the network in `folder`, which is a checkpoint's. PretrainedError where there is none."""
    try:
        content = (folder / FILE).read_bytes()
    except OSError as error:
        raise PretrainedError(
            f"argument --pretrained: {folder / FILE}: {error.strerror}; give the folder of a network's checkpoint, "
            "which 'nsml model pull' copies out"
        ) from None
    found = Pretrained(folder, hashlib.sha256(content).hexdigest())
    return Arm(
        PRETRAINED,
        "pretrained",
        "the first weights are those of another training, as by --pretrained",
        lambda record: replace(record, pretrained=found),
    )


def begin_with(network: Network, pretrained: Pretrained) -> None:
    """Put its weights into a network that is to be trained anew. PretrainedError where they are damaged or another network's."""
    from .. import checkpoint
    from ..ensemble import Ensemble
    from ..pretraining import take_weights

    try:
        other = checkpoint.load(pretrained.folder)
        if isinstance(other, Ensemble):
            raise ValueError("it is an ensemble; give a checkpoint of a single network")
        take_weights(network, other)
    except ValueError as error:
        raise PretrainedError(f"argument --pretrained: {pretrained.folder} cannot be used: {error}") from None
