"""What a proof did and found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Counts:
    """`done` counts operations and the faults put in, by what they were; `losses` says in a line each what was not as promised."""

    done: Counter[str] = field(default_factory=Counter)
    losses: list[str] = field(default_factory=list)

    def check(self, holds: bool, loss: str) -> None:
        """Note a loss where a promise does not hold."""
        if not holds:
            self.losses.append(loss)

    def line(self) -> str:
        """ "300 kills, 2214 saves, 0 losses"."""
        return ", ".join([*(f"{count} {what}" for what, count in self.done.items()), f"{len(self.losses)} losses"])


@dataclass(frozen=True)
class Plan:
    """Where a proof may write, how often it is to try, for how many seconds at most, and the seed of its chances."""

    folder: Path
    times: int
    seconds: float
    seed: int
