"""The machine: processors, memory, disk and GPUs, and their use by running sessions."""

from __future__ import annotations

import shutil
from typing import Any

import psutil
from fastapi import Request
from nicegui import ui

from ..engine.resources import Limits, gpu_use
from ..errors import NsmlError
from ..store.files import read_json
from ..store.home import Home
from ..store.launches import FILE
from ..store.processes import memory_of_group
from ..store.sessions import Session, list_sessions
from ..wording import size
from .frame import data_table, frame, heading, show_error
from .live import watch
from .site import Site, session_address
from .texts import Texts


def register(site: Site) -> None:
    """Register the page."""

    @ui.page("/machine", response_timeout=30)
    def machine(request: Request) -> None:
        with frame(site, request) as t:
            heading(t("Machine"))
            meters = {name: _Meter(t(name)) for name in ("Processors", "Memory", "Disk")}
            heading(t("GPUs"), 2)
            gpus = ui.label().classes("mono")
            heading(t("Sessions"), 2)
            none = ui.label(t("No running sessions")).classes("quiet")
            table = data_table(_columns(t), "name", links="name")
            processes: dict[int, psutil.Process] = {}

            def show(facts: dict[str, Any]) -> None:
                for name, (share, text) in facts["meters"].items():
                    meters[name].show(share, text)
                gpus.set_text(facts["gpus"] or t("No NVIDIA GPU"))
                none.set_visibility(not facts["sessions"])
                table.set_visibility(bool(facts["sessions"]))
                table.rows = facts["sessions"]

            watch(2, lambda: _facts(site.home, processes, t), show, show_error, now=False)


class _Meter:
    """A labelled bar with its value."""

    def __init__(self, name: str) -> None:
        with ui.row().classes("w-full items-center gap-3"):
            ui.label(name).classes("w-28 font-semibold")
            self._bar = ui.linear_progress(0, show_value=False, size="14px").props(f'rounded aria-label="{name}"')
            self._bar.classes("w-64 max-w-full")
            self._text = ui.label()

    def show(self, share: float, text: str) -> None:
        self._bar.set_value(share)
        self._text.set_text(text)


def _columns(t: Texts) -> list[dict[str, Any]]:
    return [
        {"name": "name", "label": t("Session"), "field": "name", "align": "left"},
        {"name": "processors", "label": f"{t('Processors')}, %", "field": "processors"},
        {"name": "memory", "label": t("Memory"), "field": "memory"},
        {"name": "limits", "label": t("Limits"), "field": "limits", "align": "left"},
    ]


def _facts(home: Home, processes: dict[int, psutil.Process], t: Texts) -> dict[str, Any]:
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(home.path)
    load, count = psutil.getloadavg()[0], psutil.cpu_count() or 1

    def free(left: int, total: int) -> tuple[float, str]:
        return round(1 - left / total, 3), t("{free} of {total} free", free=size(left), total=size(total))

    return {
        "meters": {
            "Processors": (min(load / count, 1.0), f"{t('Load')} {load:.2f} / {count}"),
            "Memory": free(memory.available, memory.total),
            "Disk": free(disk.free, disk.total),
        },
        "gpus": gpu_use(header=False),
        "sessions": [row for session in list_sessions(home, but_for_ended=True) if (row := _row(session, processes))],
    }


def _row(session: Session, processes: dict[int, psutil.Process]) -> dict[str, Any] | None:
    try:
        state = session.state()
        if state["status"] != "Running" or not state.get("program") or state.get("on"):
            return None
        limits = Limits.of(read_json(session.folder / FILE))
    except (NsmlError, OSError):
        return None
    program = int(state["program"])
    shown = [f"GPU {','.join(map(str, limits.gpus))}"] if limits.gpus else []
    shown += [f"{limits.cpus} CPU"] if limits.cpus else []
    shown += [size(limits.memory)] if limits.memory else []
    return {
        "name": str(session.name),
        "address": session_address(session.name),
        "processors": round(_cpu_percent(program, processes)),
        "memory": size(memory_of_group(program)),
        "limits": ", ".join(shown),
    }


def _cpu_percent(leader: int, processes: dict[int, psutil.Process]) -> float:
    """CPU use of a program and its child processes since the last call, in percent of one processor."""
    total = 0.0
    try:
        root = psutil.Process(leader)
        for process in [root, *root.children(recursive=True)]:
            known = processes.setdefault(process.pid, process)
            if known != process:
                known = processes[process.pid] = process
            total += known.cpu_percent()
    except psutil.Error:
        return total
    return total
