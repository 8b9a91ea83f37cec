"""A process that dies at a step of its own choosing, without dying: from then on nothing that it does reaches the disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

# What a save does to the disk, besides opening files.
STEPS = ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir")


class Patch(Protocol):
    """What sets an attribute and puts it back, pytest's MonkeyPatch for instance."""

    def setattr(self, target: object, name: str, value: object) -> None: ...


class Dead(BaseException):
    """Stands for SIGKILL: from here on nothing is done to the disk any more."""


def die_at(step: int, patch: Patch) -> Callable[[], int]:
    """Let the process die at its `step`th step; the steps that were asked for are told."""
    asked = 0

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **keywords: Any) -> Any:
            nonlocal asked
            asked += 1
            if asked >= step:
                raise Dead
            return real(*arguments, **keywords)

        return act

    for name in STEPS:
        patch.setattr(os, name, dying(getattr(os, name)))
    return lambda: asked
