"""Identify a process, and check later whether it still runs."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any


def identity(pid: int | None = None) -> dict[str, Any]:
    """Process id and start time (seconds since the epoch), which identify a process even after its id is reused.

    On Linux also the boot id and the start in clock ticks since boot: the start in seconds changes when the clock is set, and after
    a restart another process may have the same id at the same tick. `host` and `namespace` say where the process id is valid.
    """
    import psutil

    pid = pid or os.getpid()
    start = _start_since_boot(pid)
    values = {"pid": pid, "started": round(psutil.Process(pid).create_time(), 2), "host": socket.gethostname()}
    return values | {"namespace": _pid_namespace()} | (start[0] if start else {})


def other_host(written: object) -> str:
    """The host of a stored `identity` if it is another machine or container, whose processes are not visible here; else ""."""
    if not isinstance(written, dict) or not isinstance(host := written.get("host"), str):
        return ""
    if _BOOT.exists() and written.get("boot") == _BOOT.read_text().strip():
        return "" if written.get("namespace") == _pid_namespace() else host
    # The same machine after a restart keeps its name.
    return "" if host == socket.gethostname() else host


def is_process_number(value: object) -> bool:
    """Whether a stored value can be the number of a process. 0 and negative numbers mean groups of processes."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31


def is_alive(written: object) -> bool:
    """Whether the process of a stored `identity` still runs."""
    if not isinstance(written, dict):
        return False
    try:
        pid = int(written["pid"])
        if "ticks" in written and _BOOT.exists():
            start, state = _start_since_boot(pid) or ({}, "")
            return bool(start) and start.items() <= written.items() and state not in _ENDED
        return _is_alive_by_the_clock(pid, float(written["started"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return False


def _is_alive_by_the_clock(pid: int, started: float) -> bool:
    """By start time alone: for other operating systems and for older versions, which store no ticks."""
    import psutil

    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1.0 and str(process.status()) != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


_BOOT = Path("/proc/sys/kernel/random/boot_id")
# States of proc_pid_stat(5) of an ended process: zombie and dead.
_ENDED = ("Z", "X")


def _pid_namespace() -> str:
    """The namespace of this process's id; "" on systems without namespaces."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _start_since_boot(pid: int) -> tuple[dict[str, Any], str] | None:
    """Start and state of a process by proc_pid_stat(5); None if there is no such process, or no /proc."""
    try:
        boot = _BOOT.read_text().strip()
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        # The name before these fields may contain parentheses and spaces.
        fields = stat[stat.rindex(b")") + 2 :].split()
        return {"boot": boot, "ticks": int(fields[19])}, fields[0].decode()
    except (OSError, ValueError, IndexError):
        return None


def memory_of_group(leader: int) -> int:
    """Resident memory in bytes of a process's descendants, except on Linux with the process itself; 0 if it has ended."""
    import psutil

    total = 0
    try:
        root = psutil.Process(leader)
        family = root.children(recursive=True)
    except psutil.Error:
        return 0
    # On Linux the process is the keeper, which shares its memory with the supervisor.
    for process in family if sys.platform == "linux" else [root, *family]:
        try:
            total += int(process.memory_info().rss)
        except psutil.Error:
            continue
    return total
