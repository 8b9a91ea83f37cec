"""Telling whether a process that wrote itself down is still the same living process."""

from __future__ import annotations

import os
from typing import Any


def identity(pid: int | None = None) -> dict[str, Any]:
    """What identifies a process even after its number is given to another: number and start time (seconds since the epoch)."""
    import psutil

    pid = pid or os.getpid()
    return {"pid": pid, "started": round(psutil.Process(pid).create_time(), 2)}


def is_alive(written: object) -> bool:
    """Whether the process of an `identity` still runs."""
    import psutil

    if not isinstance(written, dict):
        return False
    try:
        process = psutil.Process(int(written["pid"]))
        same = abs(process.create_time() - float(written["started"])) < 1.0
        return same and str(process.status()) != psutil.STATUS_ZOMBIE
    except (psutil.Error, KeyError, TypeError, ValueError, OverflowError):
        return False


def memory_of_group(leader: int) -> int:
    """Bytes of resident memory of a process and all below it; 0 where it is gone."""
    import psutil

    total = 0
    try:
        root = psutil.Process(leader)
        family = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0
    for process in family:
        try:
            total += int(process.memory_info().rss)
        except psutil.Error:
            continue
    return total
