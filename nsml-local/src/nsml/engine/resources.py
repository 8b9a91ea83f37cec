"""What a session may use, and what the machine has: GPUs, processors, memory."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import Damaged, NsmlError
from ..store.files import make_private, read_json, write_json
from ..store.home import Home
from ..store.launches import FILE
from .log_limit import DEFAULT

_TOO_MANY = 1 << 60  # bytes or processors, more than any machine has
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
# Variables for the number of threads of the usual numerical libraries.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass(frozen=True)
class Limits:
    """Limits of a session: device numbers of `gpus`, number of `cpus`, `memory` and `log` in bytes. None: no limit.

    processors: the numbers of the `cpus` processors that the queue gave it, which no other session has; None: not given yet.
    """

    gpus: tuple[int, ...] | None = None
    cpus: int | None = None
    memory: int | None = None
    log: int = DEFAULT
    processors: tuple[int, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """A dict for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Limits:
        """The inverse of `to_dict`. Damaged if the values are invalid."""
        fits = isinstance(values, dict)
        names = ("gpus", "processors", "cpus", "memory", "log")
        gpus, processors, cpus, memory, log = (values.get(name) if fits else None for name in names)
        numbers = [cpus, memory, log]
        for devices in (gpus, processors):
            numbers += devices if isinstance(devices, list | tuple) else [devices]
        if not fits or not all(n is None or (isinstance(n, int) and 0 <= n < _TOO_MANY) for n in numbers):
            raise Damaged(f"the limits in {FILE} are damaged; start a new session with 'nsml run'")
        gpus, processors = (None if devices is None else tuple(devices) for devices in (gpus, processors))
        return cls(gpus, cpus, memory, log or DEFAULT, processors)

    @classmethod
    def of(cls, launch: dict[str, Any]) -> Limits:
        """The limits in a session's launch.json; none if it has none. Damaged if they are invalid."""
        return cls.from_dict(launch.get("limits") or {})

    def environment(self) -> dict[str, str]:
        """The environment variables for the usual libraries."""
        variables = {} if self.gpus is None else {"CUDA_VISIBLE_DEVICES": ",".join(map(str, self.gpus))}
        if self.cpus is not None:
            variables |= dict.fromkeys(_THREADS, str(self.cpus))
        return variables

    def restrict_processors(self) -> None:
        """Restrict this process and its children to `cpus` processors, if the system can."""
        if self.cpus is not None and hasattr(os, "sched_setaffinity"):
            allowed = sorted(os.sched_getaffinity(0))
            given = [number for number in self.processors or () if number in allowed]
            os.sched_setaffinity(0, given or allowed[: self.cpus])


SMALLEST_MEMORY = 64 * 10**6


def parse_size(text: str, option: str = "--memory", least: int = 1) -> int:
    """Bytes of "24G", "512m", "1.5GB", "24000000000". Units are powers of 1000. NsmlError if invalid or below `least`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?\s*", text.upper())
    size = float(match[1]) * _UNITS[match[2]] if match else 0
    if size < 1:
        raise NsmlError(f"{option} {text[:40]!r} is not a size; give 24G, 512M or a number of bytes")
    if size >= _TOO_MANY:
        raise NsmlError(f"{option} {text[:40]!r} is more than any machine has; give 24G, 512M or a number of bytes")
    if size < least and match and not match[2] and size < 10_000:
        raise NsmlError(f"{option} {text!r} is {match[1]} bytes; did you mean {match[1]}G?")
    if size < least:
        raise NsmlError(f"{option} {text!r} is too little; give {least:,} bytes or more")
    return int(size)


def check_gpus(count: int) -> bool:
    """Whether there are GPUs. NsmlError if there are some, but fewer than `count`."""
    available = len(list_gpus())
    if 0 < available < count:
        raise NsmlError(f"-g {count}: this machine has {available} GPUs; give {available} or fewer, -g 0 for none")
    return available > 0


def list_gpus() -> list[int]:
    """The numbers of the NVIDIA GPUs of this machine."""
    # Not a trial: the peak of the largest child is more exact for a supervisor without other children.
    if not any(os.access(os.path.join(folder, "nvidia-smi"), os.X_OK) for folder in os.get_exec_path()):
        return []
    try:
        result = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [int(line) for line in result.stdout.split() if line.strip().isdecimal()]


def gpu_use(*, header: bool) -> str:
    """A line of CSV for each GPU: number, name, used memory, total memory, utilisation; "" without GPUs."""
    if not list_gpus():
        return ""
    fields = "index,name,memory.used,memory.total,utilization.gpu"
    kind = "csv" if header else "csv,noheader"
    result = subprocess.run(
        ["nvidia-smi", f"--query-gpu={fields}", f"--format={kind}"], capture_output=True, text=True, check=False
    )
    return result.stdout.rstrip() or result.stderr.rstrip()


@dataclass(frozen=True)
class Machine:
    """The resources of a machine: device numbers of GPUs, number of processors, bytes of memory.

    `sessions`: number of sessions without -c and GPU that run at once.
    """

    gpus: tuple[int, ...]
    cpus: int
    memory: int
    sessions: int


def this_machine(home: Home) -> Machine:
    """The resources of this machine."""
    gpus, cpus, memory = _hardware()
    return Machine(gpus, cpus, memory, side_by_side(home) or default_side_by_side(cpus))


@functools.cache  # a supervisor reads them again after it has restricted itself to some processors
def _hardware() -> tuple[tuple[int, ...], int, int]:
    import psutil

    return tuple(list_gpus()), processors(), psutil.virtual_memory().total


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_side_by_side(cpus: int) -> int:
    """The default number of sessions without -c and GPU that run at once on `cpus` processors."""
    return max(1, cpus // 2)


def side_by_side(home: Home) -> int | None:
    """The number of `set_side_by_side`, or None."""
    try:
        sessions = read_json(home.queue / "limit.json").get("sessions")
    except (FileNotFoundError, Damaged):
        return None
    return sessions if isinstance(sessions, int) and sessions > 0 else None


def set_side_by_side(home: Home, sessions: int | None) -> None:
    """Set the number of sessions without -c and GPU that run at once. None: the default."""
    make_private(home.queue)
    if sessions is None:
        (home.queue / "limit.json").unlink(missing_ok=True)
    else:
        write_json(home.queue / "limit.json", {"sessions": sessions})
