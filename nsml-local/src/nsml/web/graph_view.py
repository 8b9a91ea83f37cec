"""Live graphs of one or more sessions."""

from __future__ import annotations

import base64
import csv
import io
from typing import Any

from nicegui import ui

from ..store.sessions import Session
from ..wording import no_formula
from .chart import View, charts_of, options
from .curves import MAX_CURVES, Curves, parse_name
from .frame import heading, is_dark, quiet_button, show_error
from .live import in_thread
from .texts import Texts


class GraphView:
    """The charts by group, with controls for axis, smoothing and scale."""

    def __init__(self, sessions: list[Session], t: Texts) -> None:
        self._t = t
        self._sessions = {str(session.name): Curves(session.folder) for session in sessions}
        self._view = View()
        self._charts: dict[str, ui.echart] = {}
        self._groups: dict[str, ui.element] = {}
        with ui.row().classes("w-full items-center gap-4"):
            axes = {"step": t("Step"), "time": t("Time"), "relative": t("Relative time")}
            self._axis = ui.select(axes, value="step", label=t("X axis"), on_change=self._redraw)
            self._axis.props("dense outlined").classes("w-40")
            with ui.row().classes("items-center gap-4"):
                ui.label(t("Smoothing"))
                self._smoothing = ui.slider(min=0, max=0.99, step=0.01, value=0, on_change=self._redraw)
                self._smoothing.props(f'label aria-label="{t("Smoothing")}"').classes("w-40")
            self._logarithmic = ui.switch(t("Logarithmic"), on_change=self._redraw)
        self._empty = ui.label(t("No values yet; call nsml.report in the program")).classes("quiet")
        self._damage = ui.label().classes("quiet")
        self._all = ui.column().classes("w-full gap-4")
        ui.timer(0, self._start, once=True)

    async def _start(self) -> None:
        self._view = View(dark=await is_dark())
        with self._all:
            ui.timer(1.0, self._look)

    async def _look(self) -> None:
        try:
            if await in_thread(self._read):
                await self._draw()
        except OSError as error:
            show_error(str(error))

    def _read(self) -> bool:
        return any([curves.read_new() for curves in self._sessions.values()])

    async def _redraw(self) -> None:
        smoothing, logarithmic = float(self._smoothing.value or 0), bool(self._logarithmic.value)
        self._view = View(str(self._axis.value), smoothing, logarithmic, self._view.dark)
        await self._draw()

    async def _draw(self) -> None:
        charts = await in_thread(self._options)
        self._empty.set_visibility(not charts)
        damaged = sum(curves.damaged for curves in self._sessions.values())
        notes = [self._t("Damaged lines skipped: {count}", count=damaged)] if damaged else []
        if any(curves.is_full for curves in self._sessions.values()):
            notes.append(self._t("Only the first {count} names are shown", count=MAX_CURVES))
        self._damage.set_text("; ".join(notes))
        for (group, chart), content in charts.items():
            if chart not in self._charts:
                self._add_chart(group, chart, content)
                continue
            element = self._charts[chart]
            element.options.clear()
            element.options.update(content)
            element.update()

    def _options(self) -> dict[tuple[str, str], dict[str, Any]]:
        groups = charts_of(list(self._sessions.values()))
        return {
            (group, chart): options(chart, self._sessions, self._view, self._t)
            for group, charts in groups.items()
            for chart in charts
        }

    def _add_chart(self, group: str, chart: str, content: dict[str, Any]) -> None:
        if group not in self._groups:
            with self._all:
                heading(group or self._t("other"), 2)
                self._groups[group] = ui.element("div").classes("w-full grid grid-cols-1 lg:grid-cols-2 gap-4")
        with self._groups[group], ui.column().classes("w-full gap-0 min-w-0"):
            self._charts[chart] = ui.echart(content).classes("w-full h-72 chart")
            with ui.row().classes("gap-1 self-end"):
                quiet_button("PNG", on_click=lambda: self._save_picture(chart))
                quiet_button("CSV", on_click=lambda: self._save_values(chart))

    async def _save_picture(self, chart: str) -> None:
        address = await self._charts[chart].run_chart_method(
            "getDataURL", {"type": "png", "pixelRatio": 2, "backgroundColor": "#ffffff"}, timeout=10
        )
        ui.download.content(base64.b64decode(str(address).partition(",")[2]), f"{_file_name(chart)}.png", "image/png")

    async def _save_values(self, chart: str) -> None:
        text = await in_thread(lambda: self._values(chart))
        ui.download.content(text, f"{_file_name(chart)}.csv", "text/csv")

    def _values(self, chart: str) -> str:
        """All values of a chart as CSV, without downsampling."""
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerow(["session", "name", "step", "time", "value"])
        for session, curves in self._sessions.items():
            for name, curve in list(curves.curves.items()):
                if parse_name(name).chart == chart:
                    rows = zip(list(curve.steps), list(curve.times), list(curve.values), strict=False)
                    writer.writerows([session, no_formula(name), *row] for row in rows)
        return file.getvalue()


def _file_name(chart: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in chart).lstrip(".")[:80] or "chart"
