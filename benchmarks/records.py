"""What a benchmark hands back: comparisons with a baseline, conditions that must hold, and how a cost grows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

Bound = Literal["at least", "at most"]


class Spread(NamedTuple):
    """The median of some samples, with the smallest and the largest."""

    median: float
    low: float
    high: float


def spread(samples: Sequence[float]) -> Spread:
    """The spread of at least one sample."""
    return Spread(statistics.median(samples), min(samples), max(samples))


def holds(value: float, bound: Bound | None, target: float | None) -> bool | None:
    """Whether a value reaches its target; None where it has none."""
    if bound is None or target is None:
        return None
    return value >= target if bound == "at least" else value <= target


@dataclass(frozen=True)
class Quantity:
    """How seconds an item are shown: a rate where `per_second`, else a time; `scale` of the unit's in a second."""

    unit: str
    scale: float = 1.0
    per_second: bool = False

    def of(self, seconds: float) -> float:
        return 1 / max(seconds, 1e-12) if self.per_second else seconds * self.scale


SECONDS = Quantity("s")
MILLISECONDS = Quantity("ms", 1e3)
MICROSECONDS = Quantity("us", 1e6)


def rate(what: str) -> Quantity:
    """Items a second, `what` being their name."""
    return Quantity(f"{what}/s", per_second=True)


@dataclass(frozen=True)
class Comparison:
    """A way against its baseline, sampled in turns.

    Attributes:
        what: the way that is judged, in a few words.
        baseline: the baseline's name.
        unit: of `value` and `baseline_value`.
        value, baseline_value: spreads over the samples.
        relation: what `ratio` says of the way: "times as fast", "times the time", "seconds more" or "times the memory".
        ratio: spread over the pairs of samples.
        bound, target: for the ratio's median; None where nothing was promised.
        samples, discarded, disturbed: how many were kept of each way, thrown away because other processes worked, and kept
            although they did; 0 for what is no timing.
    """

    what: str
    baseline: str
    unit: str
    value: Spread
    baseline_value: Spread
    relation: str
    ratio: Spread
    bound: Bound | None = None
    target: float | None = None
    samples: int = 0
    discarded: int = 0
    disturbed: int = 0

    @property
    def reached(self) -> bool | None:
        return holds(self.ratio.median, self.bound, self.target)


@dataclass(frozen=True)
class Condition:
    """A single value that must stay on one side of its target."""

    what: str
    value: float
    unit: str
    bound: Bound | None = None
    target: float | None = None

    @property
    def reached(self) -> bool | None:
        return holds(self.value, self.bound, self.target)


@dataclass(frozen=True)
class Growth:
    """A cost at growing sizes, and the exponent p of cost ~ size**p."""

    what: str
    of: str
    sizes: tuple[int, ...]
    values: tuple[float, ...]
    unit: str
    bound: Bound | None = None
    target: float | None = None

    @property
    def exponent(self) -> float:
        return fitted_exponent(self.sizes, self.values)

    @property
    def reached(self) -> bool | None:
        return holds(self.exponent, self.bound, self.target)


Record = Comparison | Condition | Growth


def fitted_exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """p of cost = c * size**p, by least squares on the logarithms. Sizes and costs above 0, two different sizes at least."""
    logs = [[math.log(value) for value in values] for values in (sizes, costs)]
    return statistics.linear_regression(*logs).slope


def paired(
    baseline: Sequence[float], samples: Sequence[float], relation: Callable[[float, float], float]
) -> list[float]:
    """relation(baseline, sample) of each pair, in order."""
    return [relation(before, now) for before, now in zip(baseline, samples, strict=True)]


def to_dict(record: Record) -> dict[str, Any]:
    """As JSON holds it, with its kind and what follows from it."""
    values = asdict(record)
    for name, value in values.items():
        if isinstance(value, Spread):
            values[name] = value._asdict()
    more = {"exponent": record.exponent} if isinstance(record, Growth) else {}
    return {"kind": type(record).__name__.lower(), **values, **more, "reached": record.reached}


def from_dict(result: dict[str, Any]) -> Record:
    """The inverse of `to_dict`. KeyError or TypeError where something is missing or unknown."""
    kinds: dict[str, type[Record]] = {"comparison": Comparison, "condition": Condition, "growth": Growth}
    kind = kinds[result["kind"]]
    values = {name: value for name, value in result.items() if name not in ("kind", "reached", "exponent")}
    for name, value in values.items():
        if isinstance(value, dict):
            values[name] = Spread(**value)
        elif isinstance(value, list):
            values[name] = tuple(value)
    return kind(**values)
