"""A control group for each program that is not isolated, so that none of its processes can outlive it, see cgroups(7) (Linux only).

A process stays in the group whatever it does with its parent, session or environment, and the kernel kills all of a group at once. This
needs cgroup v2 with `cgroup.kill` (Linux 5.14), and the right to make groups below that of this process: root has it, and programs of a
desktop that systemd has started. Elsewhere, for instance in most containers, programs have no group.
"""

from __future__ import annotations

import contextlib
import os
import time
from binascii import crc32
from pathlib import Path, PurePosixPath

from ..store.home import Home

_PREFIX = "nsml-program-"
_KILLING = 3.0  # seconds


def make_group(home: Home) -> Path | None:
    """A new group for a program of this home, below that of this process; None where none can be made."""
    parent = _own_group()
    if parent is None or not os.access(parent / "cgroup.procs", os.W_OK):
        return None
    group = parent / f"{_PREFIX}{_key(home)}-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        group.mkdir()
    except OSError:
        return None
    if (group / "cgroup.kill").exists():
        return group
    group.rmdir()
    return None


def enter_group(group: Path) -> None:
    """Move this process into a group, if that is allowed."""
    with contextlib.suppress(OSError):
        (group / "cgroup.procs").write_text("0")


def leave_group() -> None:
    """Move this process out of the group of the program that has started it."""
    own = _own_group()
    for group in (own, *own.parents) if own else ():
        if group.name.startswith(_PREFIX):
            enter_group(group.parent)


def members(group: Path) -> list[int]:
    """The ids of the processes in a group, and in groups that they have made in it. None, if it is not one that nsml has made."""
    if not group.name.startswith(_PREFIX) or not (group / "cgroup.kill").is_file():
        return []
    pids: list[int] = []
    for folder, _, _ in os.walk(group):
        with contextlib.suppress(OSError):
            pids += map(int, Path(folder, "cgroup.procs").read_text().split())
    return pids


def kill_group(group: Path) -> list[int]:
    """Kill all processes in a group, and remove it. Return the ids of those that are left: all, if this process is one of them."""
    until = time.monotonic() + _KILLING
    while (pids := members(group)) and time.monotonic() < until:
        if os.getpid() in pids:
            return pids
        with contextlib.suppress(OSError):
            (group / "cgroup.kill").write_text("1")
        time.sleep(0.005)
    if group.name.startswith(_PREFIX):
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
    return pids


def left_groups(home: Home) -> list[Path]:
    """The groups of this home whose supervisor or submit was killed, so that it did not remove them."""
    try:
        folders = [Path(folder) for folder, _, _ in os.walk(_mount()[1])]
    except (OSError, IndexError):
        return []
    own = f"{_PREFIX}{_key(home)}-"
    groups = [folder for folder in folders if folder.name.startswith(own) and os.access(folder, os.W_OK)]
    # Of the processes of another container the ids are 0, and of its supervisor nothing is seen.
    return [
        group
        for group in groups
        if not os.path.exists(f"/proc/{group.name.removeprefix(own).partition('-')[0]}") and 0 not in members(group)
    ]


def _key(home: Home) -> str:
    return f"{crc32(os.fsencode(os.path.realpath(home.path))):08x}"


def _own_group() -> Path | None:
    """The folder of the group of this process; None if there is no cgroup v2, or its folder is not visible."""
    try:
        own = PurePosixPath(_lines("/proc/self/cgroup", "0::")[0].removeprefix("0::"))
        root, mount = _mount()
        return None if ".." in own.parts else Path(mount) / own.relative_to(root)
    except (OSError, IndexError, ValueError):
        return None


def _mount() -> tuple[str, str]:
    """The group that is mounted, and where. OSError or IndexError if none is."""
    # ID PARENT DEVICE ROOT MOUNT OPTIONS - TYPE ...
    _, _, _, root, mount = _lines("/proc/self/mountinfo", " - cgroup2 ")[0].split()[:5]
    return root, mount


def _lines(path: str, text: str) -> list[str]:
    return [line for line in Path(path).read_text().splitlines() if text in line]
