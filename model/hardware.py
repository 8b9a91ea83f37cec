"""What the machine computes fast."""

from __future__ import annotations

import re
from pathlib import Path

import tensorflow as tf

# Intel's and AMD's names of the instructions by which oneDNN multiplies matrices of bfloat16.
_INSTRUCTIONS = {"amx_bf16", "avx512_bf16"}
# The compute capability of the first GPUs with matrix units for bfloat16 (NVIDIA's A100).
_CAPABILITY = (8, 0)


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the GPU, or the processor where there is none, has matrix units for bfloat16; without them it is slower than float32.

    cpuinfo: where Linux says what the processor can do; where it cannot be read, the answer is no.
    """
    if gpus := tf.config.list_physical_devices("GPU"):
        details = (tf.config.experimental.get_device_details(gpu) for gpu in gpus)
        return all(detail.get("compute_capability", (0, 0)) >= _CAPABILITY for detail in details)
    try:
        flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(encoding="utf-8"), flags=re.MULTILINE)
    except OSError:
        return False
    return bool(flags and _INSTRUCTIONS & set(flags[1].split()))
