"""Telling whether a process that wrote itself down is still the same living process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any


def identity(pid: int | None = None) -> dict[str, Any]:
    """What identifies a process even after its number is given to another: number and start time (seconds since the epoch).

    On Linux also the start in clock ticks since which boot: the seconds since the epoch of one and the same start are others as soon as
    somebody sets the clock, and a machine that was restarted may give a process the same number at the same tick.
    """
    import psutil

    pid = pid or os.getpid()
    found = _start_since_boot(pid)
    return {"pid": pid, "started": round(psutil.Process(pid).create_time(), 2)} | (found[0] if found else {})


def is_alive(written: object) -> bool:
    """Whether the process of an `identity` still runs."""
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
    """As far as the clock tells: of what another system wrote, or a version that knew no ticks."""
    import psutil

    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1.0 and str(process.status()) != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


_BOOT = Path("/proc/sys/kernel/random/boot_id")
# States of proc_pid_stat(5) in which a process is over: a zombie, and one that is dead.
_ENDED = ("Z", "X")


def _start_since_boot(pid: int) -> tuple[dict[str, Any], str] | None:
    """When a process began, and its state, by proc_pid_stat(5); None where there is no such process, or no such file system."""
    try:
        boot = _BOOT.read_text().strip()
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        # The name before these fields may hold anything, parentheses and spaces too.
        fields = stat[stat.rindex(b")") + 2 :].split()
        return {"boot": boot, "ticks": int(fields[19])}, fields[0].decode()
    except (OSError, ValueError, IndexError):
        return None


def memory_of_group(leader: int) -> int:
    """Bytes of resident memory of all below a process, and on systems without keepers of it too; 0 where it is gone."""
    import psutil

    total = 0
    try:
        root = psutil.Process(leader)
        family = root.children(recursive=True)
    except psutil.Error:
        return 0
    # On Linux it is the keeper, whose memory is shared with the supervisor.
    for process in family if sys.platform == "linux" else [root, *family]:
        try:
            total += int(process.memory_info().rss)
        except psutil.Error:
            continue
    return total
