"""Read the tensors of a PyTorch file, without PyTorch and without running code from the file.

Only the legacy format (PyTorch before 1.6): several pickles, then the numbers of all tensors. A pickle may call any Python function;
this reader refuses all but those that build tensors. It trusts the numbers in the file: check the file's SHA-256 first.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


class _Unpickler(pickle.Unpickler):
    """Reads a tensor as (key of its storage, offset, shape, strides). A storage holds the numbers of one or more tensors."""

    storages: dict[str, tuple[str, int]]  # dtype and count of the numbers, by key

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda key, offset, shape, strides, *_: (key, offset, shape, strides)
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it calls {module}.{name}")

    def persistent_load(self, pid: Any) -> str:
        _, dtype, key, _, count, _ = pid
        self.storages[key] = dtype, count
        return str(key)


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a saved `state_dict` by name, as C-ordered arrays. UnpicklingError if the file calls a function of another kind."""
    storages: dict[str, tuple[str, int]] = {}
    numbers: dict[str, np.ndarray] = {}
    with open(path, "rb") as file:

        def load() -> Any:
            unpickler = _Unpickler(file)
            unpickler.storages = storages
            return unpickler.load()

        _magic, _protocol, _sizes, tensors, keys = (load() for _ in range(5))
        for key in keys:
            dtype, count = storages[key]
            file.seek(8, 1)  # the count again
            numbers[key] = np.frombuffer(file.read(count * np.dtype(dtype).itemsize), dtype)
    arrays = {}
    for name, (key, offset, shape, strides) in tensors.items():
        size = numbers[key].itemsize
        bytes_apart = [stride * size for stride in strides]
        arrays[name] = np.ndarray(shape, numbers[key].dtype, numbers[key], offset * size, bytes_apart).copy()
    return arrays
