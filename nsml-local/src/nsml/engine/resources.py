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

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
# The variables by which the usual numerical libraries are told how many threads to start.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass(frozen=True)
class Limits:
    """`gpus` are device numbers (None: as the machine is), `cpus` a number, `memory` bytes; None is no limit. `log` is in bytes."""

    gpus: tuple[int, ...] | None = None
    cpus: int | None = None
    memory: int | None = None
    log: int = DEFAULT

    def to_dict(self) -> dict[str, Any]:
        """A dict for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Limits:
        """The inverse of `to_dict`. Anything else is a Damaged error."""
        fits = isinstance(values, dict)
        gpus, cpus, memory, log = (values.get(name) if fits else None for name in ("gpus", "cpus", "memory", "log"))
        numbers = [*gpus, cpus, memory, log] if isinstance(gpus, list | tuple) else [gpus, cpus, memory, log]
        if not fits or not all(n is None or (isinstance(n, int) and 0 <= n < 1 << 60) for n in numbers):
            raise Damaged(f"the limits in {FILE} are damaged; start a new session with 'nsml run'")
        return cls(None if gpus is None else tuple(gpus), cpus, memory, log or DEFAULT)

    def environment(self) -> dict[str, str]:
        """The variables that the usual libraries go by."""
        variables = {} if self.gpus is None else {"CUDA_VISIBLE_DEVICES": ",".join(map(str, self.gpus))}
        if self.cpus is not None:
            variables |= dict.fromkeys(_THREADS, str(self.cpus))
        return variables

    def restrict_processors(self) -> None:
        """Keep this process, and what it starts, on so many processors, where the system can."""
        if self.cpus is not None and hasattr(os, "sched_setaffinity"):
            allowed = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, allowed[: self.cpus])


def parse_size(text: str, option: str = "--memory", least: int = 1) -> int:
    """Bytes of "24G", "512m", "1.5GB", "24000000000"; units are powers of 1000. NsmlError for anything else, and for less than `least`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?\s*", text.upper())
    size = int(float(match[1]) * _UNITS[match[2]]) if match else 0
    if size <= 0:
        raise NsmlError(f"{option} {text!r} is no size; give 24G, 512M or a number of bytes")
    if size < least:
        raise NsmlError(f"{option} {text!r} is too little; give {least:,} bytes or more")
    return size


def check_gpus(count: int) -> bool:
    """Whether there are any GPUs. NsmlError where there are some, but fewer than `count`."""
    there = len(list_gpus())
    if 0 < there < count:
        raise NsmlError(f"-g {count}: this machine has {there} GPUs; give {there} or fewer, -g 0 for none")
    return there > 0


def list_gpus() -> list[int]:
    """The numbers of the NVIDIA GPUs of this machine."""
    # A supervisor without children so far tells its program's memory better.
    if not any(os.access(os.path.join(folder, "nvidia-smi"), os.X_OK) for folder in os.get_exec_path()):
        return []
    try:
        told = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [int(line) for line in told.stdout.split() if line.strip().isdecimal()]


def gpu_use(*, header: bool) -> str:
    """A line of CSV on each GPU: number, name, memory used and there, use; "" where there is none."""
    if not list_gpus():
        return ""
    fields = "index,name,memory.used,memory.total,utilization.gpu"
    kind = "csv" if header else "csv,noheader"
    told = subprocess.run(
        ["nvidia-smi", f"--query-gpu={fields}", f"--format={kind}"], capture_output=True, text=True, check=False
    )
    return told.stdout.rstrip() or told.stderr.rstrip()


@dataclass(frozen=True)
class Machine:
    """What sessions share: numbers of GPUs, processors, bytes of memory. `sessions` without -c and GPU fill the processors."""

    gpus: tuple[int, ...]
    cpus: int
    memory: int
    sessions: int


def this_machine(home: Home) -> Machine:
    """This machine."""
    gpus, cpus, memory = _hardware()
    return Machine(gpus, cpus, memory, side_by_side(home) or default_side_by_side(cpus))


@functools.cache  # a supervisor looks again after it has restricted itself to some processors
def _hardware() -> tuple[tuple[int, ...], int, int]:
    import psutil

    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return tuple(list_gpus()), cpus, psutil.virtual_memory().total


def default_side_by_side(cpus: int) -> int:
    """How many sessions without -c and GPU run at once on so many processors."""
    return max(1, cpus // 2)


def side_by_side(home: Home) -> int | None:
    """The number that was set; None where nobody has."""
    try:
        found = read_json(home.queue / "limit.json").get("sessions")
    except (FileNotFoundError, Damaged):
        return None
    return found if isinstance(found, int) and found > 0 else None


def set_side_by_side(home: Home, sessions: int | None) -> None:
    """Set it, or return to the default."""
    make_private(home.queue)
    if sessions is None:
        (home.queue / "limit.json").unlink(missing_ok=True)
    else:
        write_json(home.queue / "limit.json", {"sessions": sessions})
