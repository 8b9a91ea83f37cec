"""Reported values as curves: incremental reading, smoothing and downsampling."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..store.files import is_number
from ..store.metrics import MetricsReader

MAX_POINTS = 1000  # of one line
MAX_CURVES = 500  # of one session
_MAX_PHASES = 500
_SUFFIXES = ("std", "vector", "stack")
Values = npt.NDArray[np.float64]


@dataclass
class Curve:
    """One reported name of one session, in order of the reports. `times` are seconds since the epoch."""

    steps: array[float] = field(default_factory=lambda: array("d"))
    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Name:
    """A parsed name: `train/loss@vector:NORMAL` has chart `train/loss`, kind `vector` and part `NORMAL`."""

    chart: str
    kind: str
    part: str

    @property
    def group(self) -> str:
        """The part of the chart's name before the first '/', or ''."""
        group, slash, _ = self.chart.partition("/")
        return group if slash else ""


def parse_name(name: str) -> Name:
    """Parses `NAME`, `NAME@std`, `NAME@vector:PART` or `NAME@stack:PART`. Any other '@...' is part of the name."""
    chart, at, suffix = name.rpartition("@")
    kind, _, part = suffix.partition(":")
    if not at or not chart or kind not in _SUFFIXES or (kind == "std") == bool(part):
        return Name(name, "", "")
    return Name(chart, kind, part)


@dataclass(frozen=True)
class Phase:
    """The start of a phase that the program reported."""

    step: float
    time: float
    name: str


class Curves:
    """The curves of one session; `read_new` adds new values."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reset()

    def _reset(self) -> None:
        self._reader = MetricsReader(self._folder)
        self.curves: dict[str, Curve] = {}
        self.phases: list[Phase] = []
        self.first_time: float | None = None
        self._count = 0
        self.is_full = False  # names after the first MAX_CURVES are left out

    @property
    def damaged(self) -> int:
        """Number of unreadable lines, which are skipped."""
        return self._reader.damaged

    def read_new(self) -> bool:
        """Read values reported since the last call, or a part of them. Returns whether there were any."""
        records = self._reader.read_new()
        if records is None:
            self._reset()
            records = self._reader.read_new() or []
        for record in records:
            self._add(record)
        return bool(records)

    def _add(self, record: dict[str, Any]) -> None:
        time: Any = record.get("time")
        moment = float(time) if is_number(time) else float("nan")
        if self.first_time is None and moment == moment:  # not NaN
            self.first_time = moment
        step: Any = record.get("step")
        # Without a step, reports are numbered.
        x = float(step) if is_number(step) else float(self._count)
        self._count += 1
        for name, value in record["values"].items():
            if isinstance(value, bool):
                continue
            if is_number(value):
                curve = self.curves.get(name)
                if curve is None and len(self.curves) >= MAX_CURVES:
                    self.is_full = True
                    continue
                if curve is None:
                    curve = self.curves[name] = Curve()
                curve.steps.append(x)
                curve.times.append(moment)
                curve.values.append(float(value))
            elif isinstance(value, str) and name.rpartition("/")[2] == "phase" and self.phase() != value:
                if len(self.phases) >= _MAX_PHASES:
                    continue
                self.phases.append(Phase(x, moment, value))

    def phase(self) -> str | None:
        """The current phase."""
        return self.phases[-1].name if self.phases else None


def smooth(values: Values, weight: float) -> Values:
    """Exponential moving average with `weight` for past values, 0 to below 1, with bias correction (Kingma and Ba, Adam, 2015,
    section 3). Values that are not finite are unchanged."""
    from scipy.signal import lfilter

    if weight <= 0 or not len(values):
        return values
    finite = np.isfinite(values)
    averaged = lfilter([1 - weight], [1, -weight], values[finite]) / (1 - weight ** np.arange(1, finite.sum() + 1))
    result = values.copy()
    result[finite] = averaged
    return result


def downsample(y: Values) -> npt.NDArray[np.intp]:
    """Indices of at most MAX_POINTS points: the first, the last, and the minimum and maximum of each bin."""
    if len(y) <= MAX_POINTS:
        return np.arange(len(y))
    from tsdownsample import MinMaxDownsampler

    chosen = MinMaxDownsampler().downsample(  # type: ignore[no-untyped-call]
        np.ascontiguousarray(y), n_out=(MAX_POINTS - 2) // 2 * 2
    )
    return np.unique(np.concatenate(([0], chosen, [len(y) - 1]))).astype(np.intp)


def phase_spans(phases: list[Phase], last: float, by_time: bool) -> list[tuple[float, float, str]]:
    """Start, end and name of each phase on the axis."""
    starts = [phase.time if by_time else phase.step for phase in phases]
    return [(start, starts[i + 1] if i + 1 < len(starts) else last, phases[i].name) for i, start in enumerate(starts)]
