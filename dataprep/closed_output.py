"""The end of a program whose reader, `head` for instance, has seen enough."""

from __future__ import annotations

import os
import sys


def say_no_more() -> None:
    """After a BrokenPipeError: what is still to be written to stdout goes nowhere, so that Python does not complain of it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
