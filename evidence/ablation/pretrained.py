"""The arm that begins with the weights of another training."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from model.settings import FILE

from .arms import PRETRAINED, Arm, Pretrained


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
