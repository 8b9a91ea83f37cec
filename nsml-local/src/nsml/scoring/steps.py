"""What a submit's process tells the command line while it works: `steps.jsonl`, one JSON object a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FILE = "steps.jsonl"


class StepWriter:
    """Written by the process that loads the checkpoint and predicts."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, step: str, **facts: Any) -> None:
        """Note that `step` (load, infer, predictions, done) is reached, or `error=` why it failed."""
        os.write(self._descriptor, (json.dumps({"step": step, **facts}) + "\n").encode())


class StepReader:
    """Read by the command line."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._offset = 0

    def new(self) -> list[dict[str, Any]]:
        """The complete lines since the last call."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [json.loads(line) for line in whole.splitlines()]
