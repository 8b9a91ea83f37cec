"""Paired, interleaved timing: every way once a round, in alternating order, with samples repeated that others disturbed."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.records import Bound, Comparison, Quantity, paired, spread

# The share of a core that other processes may take during a sample. Two ticks of the kernel's clock are too few to tell.
_OTHERS = 0.12
_TICK = 2 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Way:
    """Something to be timed.

    call() does the work of `items` items. Where it returns a float, that is the seconds that count, else its wall-clock time.
    """

    name: str
    call: Callable[[], object]
    items: int = 1


@dataclass
class Samples:
    """Seconds an item by way, one a round, and what became of disturbed samples."""

    ways: Sequence[Way]
    seconds: dict[str, list[float]] = field(default_factory=dict)
    discarded: int = 0
    disturbed: int = 0

    def faster(
        self, way: str, than: str, quantity: Quantity, target: float | None = None, what: str = ""
    ) -> Comparison:
        """How many times as fast `way` is as `than`, at least `target`."""
        return self._compare(way, than, quantity, "times as fast", lambda a, b: a / b, "at least", target, what)

    def longer(
        self, way: str, than: str, quantity: Quantity, target: float | None = None, what: str = ""
    ) -> Comparison:
        """How many times the time of `than` the way takes, at most `target`."""
        return self._compare(way, than, quantity, "times the time", lambda a, b: b / a, "at most", target, what)

    def later(self, way: str, than: str, quantity: Quantity, target: float | None = None) -> Comparison:
        """How many seconds more than `than` the way takes, at most `target`."""
        return self._compare(way, than, quantity, "seconds more", lambda a, b: b - a, "at most", target, "")

    def _compare(
        self,
        way: str,
        than: str,
        quantity: Quantity,
        relation: str,
        ratio: Callable[[float, float], float],
        bound: Bound,
        target: float | None,
        what: str,
    ) -> Comparison:
        own, other = self.seconds[way], self.seconds[than]
        return Comparison(
            what or way,
            than,
            quantity.unit,
            spread([quantity.of(s) for s in own]),
            spread([quantity.of(s) for s in other]),
            relation,
            spread(paired(other, own, ratio)),
            bound if target is not None else None,
            target,
            len(own),
            self.discarded,
            self.disturbed,
        )


def measure(
    ways: Sequence[Way], rounds: int, *, least: float = 0.2, warm: bool = True, retries: int | None = None
) -> Samples:
    """Times each way `rounds` times.

    Args:
        least: a way is repeated within a sample until it takes about so many seconds, since a shorter one shows the clock and the
            scheduler. 0 never repeats.
        warm: call each way once before, which also tells how often to repeat it; False for what cannot be repeated for nothing.
        retries: how many disturbed samples are thrown away and taken anew, all ways together; then what comes is kept.
    """
    repeats = {way.name: _repeats(way, least) if warm else 1 for way in ways}
    samples = Samples(ways, {way.name: [] for way in ways})
    left = rounds * len(ways) // 2 if retries is None else retries
    for number in range(rounds):
        for way in ways if number % 2 == 0 else list(reversed(ways)):
            while True:
                seconds, others = _sample(way, repeats[way.name])
                if not others:
                    break
                if left == 0:
                    samples.disturbed += 1
                    break
                left -= 1
                samples.discarded += 1
            samples.seconds[way.name].append(seconds)
    return samples


def _repeats(way: Way, least: float) -> int:
    """How often to call a way within a sample; the first call is not counted, as it makes what later ones find made."""
    way.call()
    if least <= 0:
        return 1
    seconds, _ = _sample(way, 1)
    return max(1, math.ceil(least / max(seconds * way.items, 1e-7)))


def _sample(way: Way, repeats: int) -> tuple[float, bool]:
    """Seconds an item, and whether other processes took too much of the processor."""
    watch = Watch()
    counted = 0.0
    for _ in range(repeats):
        began = time.perf_counter()
        own = way.call()
        counted += own if isinstance(own, float) else time.perf_counter() - began
    return counted / repeats / way.items, watch.disturbed()


class Watch:
    """Tells how much of the processor other processes took since it was made. Ended children count as this process's."""

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.perf_counter(), busy_seconds(), own_seconds()

    def disturbed(self) -> bool:
        """Whether that was more than measuring allows; False where the system does not tell."""
        if self._busy is None:
            return False
        elapsed = time.perf_counter() - self._began
        others = (busy_seconds() or 0.0) - self._busy - (own_seconds() - self._own)
        return others > _OTHERS * elapsed + _TICK


def busy_seconds() -> float | None:
    """Seconds that all processors have worked, or were kept from this machine by its host; None where /proc/stat is missing."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, _idle, _wait, hard, soft, stolen, *_ = map(int, file.readline().split()[1:])
    except (OSError, ValueError):
        return None
    return (user + nice + system + hard + soft + stolen) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """Seconds of processor that this process and its ended children have taken."""
    return sum(os.times()[:4])
