"""The machine and the versions, for tables of timings."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

_PACKAGES = ("tensorflow", "keras", "numpy", "opencv-python-headless", "scipy")
_MATRIX_UNITS = ("amx_tile", "amx_bf16", "amx_int8", "avx512_bf16", "avx512f", "avx2")


def describe() -> dict[str, str]:
    """Names and values to display, in order."""
    flags = _from_cpuinfo("flags").split()
    return {
        "processor": _from_cpuinfo("model name") or platform.processor() or platform.machine(),
        "cores": str(cores()),
        **({"gpu": ", ".join(names)} if (names := gpus()) else {}),
        "memory": f"{_memory('MemTotal') / 2**30:.0f} GiB",
        "vector and matrix units": ", ".join(name for name in _MATRIX_UNITS if name in flags) or "unknown",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name.removesuffix("-python-headless"): _version(name) for name in _PACKAGES},
    }


def gpus() -> list[str]:
    """Names of TensorFlow's GPUs; empty if this process has not imported TensorFlow."""
    if (tf := sys.modules.get("tensorflow")) is None:
        return []
    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return [str(detail.get("device_name", "GPU")) for detail in details]


def cores() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_bfloat16_units() -> bool:
    """Whether the processor multiplies bfloat16 matrices in hardware."""
    return any(name in _from_cpuinfo("flags").split() for name in ("amx_bf16", "avx512_bf16"))


def available_memory() -> int:
    """Bytes available to a new process; 0 if unknown."""
    return _memory("MemAvailable")


def _memory(name: str) -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
    except (OSError, StopIteration):
        return 0


def _from_cpuinfo(name: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name), "")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"
