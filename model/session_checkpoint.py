"""The name of another session's checkpoint, on the command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class SessionCheckpoint:
    """A checkpoint of a session, which is named `USER/DATASET/NUMBER`."""

    session: str
    checkpoint: str

    @property
    def dataset(self) -> str:
        """Of the session."""
        return self.session.rpartition("/")[0].rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.session}:{self.checkpoint}"


def session_checkpoint(text: str) -> SessionCheckpoint:
    """A converter for argparse, of `USER/DATASET/NUMBER:CHECKPOINT`."""
    session, _, name = text.partition(":")
    if not session or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not SESSION:CHECKPOINT, as in team/FUNDUS_DEMO/1:best")
    return SessionCheckpoint(session, name)
