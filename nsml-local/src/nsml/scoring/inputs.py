"""What a line that somebody types to `nsml infer` is."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from ..store.photographs import is_photograph
from .photographs import Photographs


def read_input(line: str) -> Any:
    """A list with the photograph whose path the line is, else what the line says as JSON, else a list with the text."""
    # A text may be too long for a path, or name the home of a user there is none of.
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        path = Path(line.strip()).expanduser()
        if is_photograph(path) and path.is_file():
            return Photographs([path])
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return [line]
