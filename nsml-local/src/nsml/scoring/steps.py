"""`steps.jsonl`: progress of a submit, from the competitor's process to the command line, one JSON object per line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..store.files import is_number, regular

FILE = "steps.jsonl"
_STEPS = ("load", "infer", "predictions", "done")
_NUMBERS = ("load_seconds", "infer_seconds", "done", "total")
_MOST = 1 << 20


class StepWriter:
    """Writes steps, in the process that loads the checkpoint and predicts."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, step: str, **facts: Any) -> None:
        """Record that `step` (load, infer, predictions, done) is reached, or with `error=` why it failed."""
        os.write(self._descriptor, (json.dumps({"step": step, **facts}) + "\n").encode())


class StepReader:
    """Reads steps, in the command line. Invalid lines are skipped, as the program can write to the file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._offset = 0

    def new(self) -> list[dict[str, Any]]:
        """The complete lines since the last call."""
        try:
            with regular(self._path) as file:
                file.seek(self._offset)
                content = file.read(_MOST)
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1] or (content if len(content) == _MOST else b"")
        self._offset += len(whole)
        return [step for line in whole.split(b"\n") if (step := _step(line)) is not None]


def _step(line: bytes) -> dict[str, Any] | None:
    try:
        step = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not (isinstance(step, dict) and step.get("step") in _STEPS and isinstance(step.get("error", ""), str)):
        return None
    numbers = [step[name] for name in _NUMBERS if name in step]
    return step if all(is_number(number) for number in numbers) else None
