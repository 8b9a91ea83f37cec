"""How long a training waits for its batches."""

from __future__ import annotations

import time


class InputWait:
    """Adds up the time between a step that could begin and the moment when its batch is ready.

    Taken from the batches' own times, since within Keras' compiled step the waiting cannot be told from the computing.
    """

    def __init__(self) -> None:
        self._ready: dict[int, float] = {}
        self._asked = 0.0
        self._seconds = 0.0

    def made(self, number: int) -> None:
        """Batch `number` is ready."""
        self._ready[number] = time.monotonic()

    def asked(self) -> None:
        """A step may begin."""
        self._asked = time.monotonic()

    def ended(self, number: int) -> None:
        """The step that used batch `number` has ended; that of the first, 0, is not counted: it may wait for compilation."""
        waited = max(0.0, self._ready.pop(number, 0.0) - self._asked)
        self._seconds += waited if number else 0.0

    def take(self) -> float:
        """Seconds waited since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds
