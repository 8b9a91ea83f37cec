"""What sessions reported, as curves: read as it is written, by the part of a name before '/', at most so many points a line."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..store.files import is_number
from ..store.metrics import MetricsReader

# Of one line of a graph.
MOST_POINTS = 1000
_SUFFIXES = ("std", "vector", "stack")
Values = npt.NDArray[np.float64]


@dataclass
class Curve:
    """One value of one session: what it was reported against, in the order reported. `times` are seconds since the epoch."""

    steps: array[float] = field(default_factory=lambda: array("d"))
    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Name:
    """A reported name taken apart: `train/loss@vector:NORMAL` is of chart `train/loss`, kind `vector`, part `NORMAL`."""

    chart: str
    kind: str
    part: str

    @property
    def group(self) -> str:
        """The part of the chart's name before the first '/', empty where there is none."""
        group, slash, _ = self.chart.partition("/")
        return group if slash else ""


def parse_name(name: str) -> Name:
    """`NAME`, `NAME@std`, `NAME@vector:PART`, `NAME@stack:PART`; whatever else follows an '@' belongs to the name."""
    chart, at, suffix = name.rpartition("@")
    kind, _, part = suffix.partition(":")
    if not at or not chart or kind not in _SUFFIXES or (kind == "std") == bool(part):
        return Name(name, "", "")
    return Name(chart, kind, part)


@dataclass(frozen=True)
class Phase:
    """From where on the program said that it is in a phase."""

    step: float
    time: float
    name: str


class Curves:
    """The curves of one session, which grow while it runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._start_anew()

    def _start_anew(self) -> None:
        self._reader = MetricsReader(self._folder)
        self.curves: dict[str, Curve] = {}
        self.phases: list[Phase] = []
        self.began: float | None = None
        self._count = 0

    @property
    def damaged(self) -> int:
        """Lines that cannot be read, which are left out."""
        return self._reader.damaged

    def read_new(self) -> bool:
        """Take in what was reported since the last call, or a good piece of it; whether there was anything."""
        records = self._reader.read_new()
        if records is None:
            self._start_anew()
            records = self._reader.read_new() or []
        for record in records:
            self._take(record)
        return bool(records)

    def _take(self, record: dict[str, Any]) -> None:
        time = record.get("time")
        moment = float(time) if isinstance(time, int | float) else float("nan")
        if self.began is None and moment == moment:
            self.began = moment
        step = record.get("step")
        # What is reported without a number is drawn in the order of the reports.
        place = float(step) if isinstance(step, int | float) else float(self._count)
        self._count += 1
        for name, value in record["values"].items():
            if isinstance(value, bool):
                continue
            if is_number(value):
                curve = self.curves.get(name)
                if curve is None:
                    curve = self.curves[name] = Curve()
                curve.steps.append(place)
                curve.times.append(moment)
                curve.values.append(float(value))
            elif isinstance(value, str) and name.rpartition("/")[2] == "phase" and self.phase() != value:
                self.phases.append(Phase(place, moment, value))

    def phase(self) -> str | None:
        """The phase that the program last named."""
        return self.phases[-1].name if self.phases else None


def smooth(values: Values, weight: float) -> Values:
    """The exponential moving average with that weight of the past, 0 to below 1, without the bias towards 0 at the start
    (Kingma and Ba, Adam, 2015, section 3). Values that are not finite are carried over as they are."""
    from scipy.signal import lfilter

    if weight <= 0 or not len(values):
        return values
    finite = np.isfinite(values)
    kept = values[finite]
    averaged = lfilter([1 - weight], [1, -weight], kept) / (1 - weight ** np.arange(1, len(kept) + 1))
    result = values.copy()
    result[finite] = averaged
    return result


def thin(y: Values, most: int = MOST_POINTS) -> npt.NDArray[np.intp]:
    """The indices of at most `most` points that keep the first, the last, and the highest and lowest of every stretch."""
    if len(y) <= most:
        return np.arange(len(y))
    from tsdownsample import MinMaxDownsampler

    chosen = MinMaxDownsampler().downsample(  # type: ignore[no-untyped-call]
        np.ascontiguousarray(y), n_out=(most - 2) // 2 * 2
    )
    return np.unique(np.concatenate(([0], chosen, [len(y) - 1]))).astype(np.intp)


def phase_spans(phases: list[Phase], last: float, by_time: bool) -> list[tuple[float, float, str]]:
    """Where each phase begins and ends on the axis."""
    starts = [phase.time if by_time else phase.step for phase in phases]
    return [(start, starts[i + 1] if i + 1 < len(starts) else last, phases[i].name) for i, start in enumerate(starts)]
