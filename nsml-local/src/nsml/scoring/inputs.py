"""Input lines of `nsml infer`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from ..store.photographs import is_photograph
from .photographs import Photographs


def read_input(line: str) -> Any:
    """The input for a line: a list with one photograph if it is the path of one, else its value as JSON, else a list with the text."""
    # A line may be too long for a path, or name the home of an unknown user.
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        path = Path(line.strip()).expanduser()
        if is_photograph(path) and path.is_file():
            return Photographs([path])
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return [line]
