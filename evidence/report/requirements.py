"""What a report needs that training and predicting do without."""

from __future__ import annotations

import importlib.util


class ReportError(Exception):
    """A report that cannot be made; one line with the mend."""

    exit_status = 2


def check_matplotlib() -> None:
    """ReportError where matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ReportError("matplotlib is needed to draw a report; pip install 'matplotlib>=3.9,<4'")
