"""The ECharts options for one chart of reported values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..wording import plain
from .curves import MAX_POINTS, Curve, Curves, Values, downsample, parse_name, phase_spans, smooth
from .style import LINES
from .texts import Texts

_RAW_OPACITY = 0.28


@dataclass(frozen=True)
class View:
    """Settings of a chart: `axis` is step, time or relative; `smoothing` the weight of past values, 0 to below 1."""

    axis: str = "step"
    smoothing: float = 0.0
    logarithmic: bool = False
    dark: bool = False


def charts_of(sessions: Sequence[Curves]) -> dict[str, list[str]]:
    """Charts by group, both in order of appearance. Names that differ only in '@...' share a chart."""
    groups: dict[str, list[str]] = {}
    for curves in sessions:
        for name in list(curves.curves):
            parsed = parse_name(name)
            charts = groups.setdefault(parsed.group, [])
            if parsed.chart not in charts:
                charts.append(parsed.chart)
    return groups


def options(chart: str, sessions: dict[str, Curves], view: View, t: Texts) -> dict[str, Any]:
    """ECharts options for one chart with the lines of all sessions. The keys of `sessions` are their names in the legend."""
    series: list[dict[str, Any]] = []
    several = len(sessions) > 1
    for number, (label, curves) in enumerate(sessions.items()):
        parts = [(name, parse_name(name)) for name in list(curves.curves)]
        mine = [(name, parsed) for name, parsed in parts if parsed.chart == chart and parsed.kind != "std"]
        for order, (name, parsed) in enumerate(mine):
            colour = LINES[(number if len(mine) == 1 else number * len(mine) + order) % len(LINES)]
            title = " ".join(filter(None, [label if several else "", parsed.part])) or label
            line = _Line(plain(title), colour, curves.curves[name], curves, view)
            series += _stacked(line, label) if parsed.kind == "stack" else _lines(line)
            band = curves.curves.get(f"{chart}@std")
            if band is not None and not parsed.kind:
                series += _band(line, band)
    if len(sessions) == 1:
        _mark_phases(series, next(iter(sessions.values())), view)
    return {
        **base_options(view.dark),
        "title": {
            "text": plain(chart.partition("/")[2] or chart),
            "left": 8,
            "top": 2,
            "textStyle": {"fontSize": 14, "color": text_colour(view.dark)},
        },
        "legend": {**legend(view.dark), "top": 34, "data": [s["name"] for s in series if s.get("legend", True)]},
        "tooltip": {"trigger": "axis", "renderMode": "richText", "order": "valueDesc"},
        "toolbox": {"right": 8, "top": 0, "itemSize": 13, "feature": {"dataZoom": {}, "restore": {}}},
        "grid": {"left": 64, "right": 20, "top": 66, "bottom": 44},
        "xAxis": _x_axis(view, t),
        "yAxis": {"type": "log" if view.logarithmic else "value", "scale": True, **axis(view.dark)},
        "dataZoom": [{"type": "inside", "filterMode": "none", "zoomOnMouseWheel": "ctrl"}],
        "series": [{k: v for k, v in s.items() if k != "legend"} for s in series],
    }


def text_colour(dark: bool) -> str:
    """The text colour."""
    return "#d5dae0" if dark else "#30373f"


def base_options(dark: bool) -> dict[str, Any]:
    """Options that all charts share."""
    return {"animation": False, "aria": {"enabled": True}, "textStyle": {"color": text_colour(dark)}}


def legend(dark: bool) -> dict[str, Any]:
    """Options of a legend that scrolls if it is too long."""
    return {"type": "scroll", "textStyle": {"color": text_colour(dark)}, "pageTextStyle": {"color": text_colour(dark)}}


def axis(dark: bool) -> dict[str, Any]:
    """Colours of an axis."""
    return {
        "axisLabel": {"color": text_colour(dark)},
        "nameTextStyle": {"color": text_colour(dark)},
        "axisLine": {"lineStyle": {"color": "#8b949e"}},
        "splitLine": {"lineStyle": {"color": "#8b949e44"}},
    }


def time_axis(dark: bool) -> dict[str, Any]:
    """An axis of times. Its months are numbers, in whatever language the page is."""
    colours = axis(dark)
    label = {**colours["axisLabel"], "hideOverlap": True, "formatter": {"month": "{yyyy}-{MM}", "day": "{MM}-{dd}"}}
    return {"type": "time", **colours, "axisLabel": label}


def _x_axis(view: View, t: Texts) -> dict[str, Any]:
    if view.axis == "time":
        return time_axis(view.dark)
    name = t("Step") if view.axis == "step" else f"{t('Relative time')} ({t('seconds')})"
    return {"type": "value", "scale": True, "name": name, "nameLocation": "middle", "nameGap": 26, **axis(view.dark)}


@dataclass(frozen=True)
class _Line:
    title: str
    colour: str
    curve: Curve
    session: Curves
    view: View

    def x(self) -> Values:
        return x_values(self.curve, self.session, self.view.axis)

    def y(self) -> Values:
        return np.array(self.curve.values, dtype=float)


def x_values(curve: Curve, session: Curves, axis: str) -> Values:
    """x of each value: step, milliseconds since the epoch, or seconds since the first report of the session."""
    if axis == "step":
        return np.array(curve.steps, dtype=float)
    times = np.array(curve.times, dtype=float)
    return times * 1000 if axis == "time" else times - (session.first_time or 0.0)


def _points(x: Values, y: Values, logarithmic: bool, evenly: bool = False) -> list[list[float]]:
    """Finite points, downsampled; `evenly` for stacked lines, which need the same x."""
    count = min(len(x), len(y))
    x, y = x[:count], y[:count]
    good = np.isfinite(x) & np.isfinite(y)
    if logarithmic:
        good &= y > 0
    x, y = x[good], y[good]
    chosen = np.unique(np.linspace(0, len(y) - 1, MAX_POINTS).astype(int)) if evenly and len(y) else downsample(y)
    return [[float(a), float(f"{b:.7g}")] for a, b in zip(x[chosen], y[chosen], strict=True)]


def _lines(line: _Line) -> list[dict[str, Any]]:
    """One line; if smoothed, with the raw line behind it."""
    x, y = line.x(), line.y()
    base = {"name": line.title, "type": "line", "color": line.colour, "lineStyle": {"width": 2}}
    points = _drawn(_points(x, y, line.view.logarithmic))
    if not line.view.smoothing:
        return [{**base, **points}]
    raw = {
        **base,
        **points,
        "lineStyle": {"width": 1, "opacity": _RAW_OPACITY},
        "silent": True,
        "tooltip": {"show": False},
        "z": 1,
        "legend": False,
        "name": f"{line.title} raw",
    }
    return [raw, {**base, **_drawn(_points(x, smooth(y, line.view.smoothing), line.view.logarithmic))}]


def _drawn(points: list[list[float]]) -> dict[str, Any]:
    """The points of a line; a single one, which is no line yet, as a symbol."""
    return {"data": points, "showSymbol": len(points) == 1}


def _stacked(line: _Line, label: str) -> list[dict[str, Any]]:
    x, y = line.x(), line.y()
    return [
        {
            "name": line.title,
            "type": "line",
            "color": line.colour,
            "stack": f"stack {label}",
            "areaStyle": {"opacity": 0.5},
            **_drawn(_points(x, y, False, evenly=True)),
        }
    ]


def _band(line: _Line, deviation: Curve) -> list[dict[str, Any]]:
    """Value ± deviation as an area: an invisible lower line, and the width of the band stacked on it."""
    x, y, spread = line.x(), line.y(), np.array(deviation.values, dtype=float)
    count = min(len(x), len(y), len(spread))
    x, spread = x[:count], spread[:count]
    y = smooth(y, line.view.smoothing)[:count]
    chosen = downsample(y)
    below, width = y[chosen] - spread[chosen], 2 * spread[chosen]
    base = {
        "type": "line",
        "color": line.colour,
        "showSymbol": False,
        "silent": True,
        "tooltip": {"show": False},
        "stack": f"band {line.title}",
        "stackStrategy": "all",
        "lineStyle": {"opacity": 0},
        "legend": False,
    }
    good = np.isfinite(below) & np.isfinite(width)
    shown = x[chosen][good].tolist()
    return [
        {
            **base,
            "name": f"{line.title} -std",
            "data": [list(p) for p in zip(shown, below[good].tolist(), strict=True)],
        },
        {
            **base,
            "name": f"{line.title} +std",
            "areaStyle": {"opacity": 0.18},
            "data": [list(p) for p in zip(shown, width[good].tolist(), strict=True)],
        },
    ]


def _mark_phases(series: list[dict[str, Any]], curves: Curves, view: View) -> None:
    """Shade the phases that the program reported."""
    if not series or not curves.phases:
        return
    points = series[-1]["data"]
    if not points:
        return
    last = points[-1][0]
    scale, zero = (
        (1000.0, 0.0) if view.axis == "time" else (1.0, (curves.first_time or 0.0) if view.axis == "relative" else 0.0)
    )
    spans = phase_spans(curves.phases, (last / scale) + zero, by_time=view.axis != "step")
    areas: list[list[dict[str, Any]]] = [
        [
            {"name": plain(name), "xAxis": (start - zero) * scale, "itemStyle": {"opacity": 0.05 + 0.09 * (i % 2)}},
            {"xAxis": (end - zero) * scale},
        ]
        for i, (start, end, name) in enumerate(spans)
    ]
    label = {"position": "insideTopLeft", "fontSize": 11, "color": text_colour(view.dark)}
    # The last phase has no width yet where it has just begun.
    areas[-1][0]["label"] = {"position": "insideTopRight"}
    series[-1]["markArea"] = {"silent": True, "label": label, "data": areas}
