"""Packages that only reports need."""

from __future__ import annotations

import importlib.util


class ReportError(Exception):
    """A report cannot be written. The message is one line with the fix."""

    exit_status = 2


def check_matplotlib() -> None:
    """Raise ReportError if matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ReportError("matplotlib is needed to draw a report; pip install 'matplotlib>=3.9,<4'")
