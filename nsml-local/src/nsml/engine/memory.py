"""The peak memory of a program, and whether the system killed it for lack of memory."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from ..store.processes import memory_of_group
from ..wording import size

_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
# A killed program that used more than this share of the memory was probably killed for lack of memory.
_NEARLY_ALL = 0.7


class MemoryWatch:
    """Watches the memory of one program. Created before the program starts."""

    def __init__(self) -> None:
        self._most_seen = 0
        self._largest_before = _largest_child()
        self._kills_before = _kills_now()

    def look(self, pid: int) -> int:
        """Measure the bytes used now by a program and all its processes. pid: `Program.pid`."""
        used = memory_of_group(pid)
        self._most_seen = max(self._most_seen, used)
        return used

    @property
    def peak(self) -> int:
        """The largest measured number of bytes; 0 if nothing was measured."""
        # It may have grown between two measurements. The kernel knows the peak of the largest process, but not of several together.
        largest = _largest_child()
        return max(self._most_seen, largest if largest > self._largest_before else 0)

    def why_it_ended(self, code: int) -> tuple[str, bool]:
        """Whether a program that ended with Popen's `code` was killed for lack of memory.

        Returns:
            One line, or "" if nothing indicates it, and whether it is nearly certain.
        """
        here, anywhere = (now > before for now, before in zip(_kills_now(), self._kills_before, strict=True))
        if code == 0 or not (here or code == -signal.SIGKILL):
            return "", False
        most, whose = _limit()
        used = f"it had used {size(self.peak)} of the {size(most)} that this {whose} has"
        fix = "give a smaller batch size or fewer workers, or use a machine with more memory"
        if here or anywhere or self.peak > _NEARLY_ALL * most:
            who = "the program" if code == -signal.SIGKILL else "a process that the program started"
            return f"the system killed {who}, since memory ran out: {used}; {fix}", True
        return (
            f"killed from outside, possibly by the system for lack of memory: {used}; if that is much, {fix}",
            False,
        )


def _largest_child() -> int:
    """Peak bytes of the largest ended child of this process."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024


def _kills_now() -> tuple[int, int]:
    """Number of processes that the kernel killed for memory, in this process's control group and on the machine; 0 if unknown."""
    # The files of version 2 and 1.
    files = [folder / name for folder in _control_groups() for name in ("memory.events", "memory.oom_control")]
    return next((_kills_in(file) for file in files if file.exists()), 0), _kills_in(_PROC / "vmstat")


def _kills_in(file: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(dict(line.split(None, 1) for line in file.read_text().splitlines()).get("oom_kill", 0))
    return 0


def _limit() -> tuple[int, str]:
    """The memory limit in bytes, of this process's control group, one above it or the machine, and the name of which."""
    import psutil

    most, whose = psutil.virtual_memory().total, "machine"
    for folder in _control_groups():
        for file in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):  # "max" is no limit
                if (limit := int((folder / file).read_text())) < most:
                    most, whose = limit, "container or control group"
    return most, whose


def _control_groups() -> Iterator[Path]:
    """The folders of this process's control group for memory and of the groups above it. In a container, perhaps only the top one."""
    with contextlib.suppress(OSError):
        for line in (_PROC / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            top = _CGROUPS / "memory" if controllers else _CGROUPS
            folder = top / path.lstrip("/")
            yield from (one for one in (folder, *folder.parents) if one.is_relative_to(top) and one.is_dir())
