"""Read tensors from a file of PyTorch, without PyTorch and without running code from the file.

Only the legacy format (PyTorch before 1.6: several pickles, then the numbers). A pickle may call any Python function; this reader
accepts the three that build tensors, and refuses all others.
"""

from __future__ import annotations

import math
import os
import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Never

import numpy as np

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}
# Largest number of dimensions of a tensor.
_DIMENSIONS = 8


class TensorsError(ValueError):
    """A file that does not hold tensors. The message is one line with the reason."""


@dataclass(frozen=True)
class _Tensor:
    """The location of a tensor's numbers in a storage. `strides` and `offset` count numbers, not bytes."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a saved `state_dict` by name, as C-ordered arrays.

    Raises:
        TensorsError: the file is not a dictionary of tensors, or is truncated.
        OSError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            storages: dict[str, tuple[str, int]] = {}
            if _load(file, {}) != _MAGIC or _load(file, {}) != _PROTOCOL:
                raise TensorsError("it is not in PyTorch's legacy format")
            if _load(file, {}).get("little_endian") is not True:
                raise TensorsError("its numbers are not little-endian")
            tensors = _load(file, storages)
            if not isinstance(tensors, dict) or not all(isinstance(tensor, _Tensor) for tensor in tensors.values()):
                raise TensorsError("it is not a dictionary of tensors")
            numbers = {}
            for key in _load(file, {}):
                kind, count = storages[key]
                if struct.unpack("<q", file.read(8)) != (count,):
                    raise TensorsError(f"storage {key} has another length than its header says")
                dtype = np.dtype(_DTYPES[kind])
                if file.tell() + count * dtype.itemsize > os.fstat(file.fileno()).st_size:
                    raise TensorsError("it is truncated")
                numbers[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
        return {str(name): _array(tensor, numbers[tensor.storage]) for name, tensor in tensors.items()}
    except TensorsError as error:
        raise TensorsError(f"{path} is not a file of tensors: {error}") from None
    except OSError:
        raise
    except Exception as error:  # pickle raises many kinds of exceptions for invalid input
        raise TensorsError(f"{path} is not a file of tensors: {type(error).__name__} {error}".rstrip()) from None


def _array(tensor: _Tensor, numbers: np.ndarray) -> np.ndarray:
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    if 0 in tensor.shape or last >= len(numbers) or math.prod(tensor.shape) > len(numbers):
        raise TensorsError("a tensor reaches beyond its storage")
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides).copy()


class _Rebuild:
    """Replaces `torch._utils._rebuild_tensor_v2`. Not a function, as a pickle can set attributes of functions."""

    __slots__ = ()

    def __call__(self, storage: str, offset: int, shape: Any, strides: Any, grad: bool, hooks: Any) -> _Tensor:
        if not (isinstance(storage, str) and len(shape) == len(strides) <= _DIMENSIONS):
            raise TensorsError("a tensor has no storage, or differing numbers of strides and dimensions")
        if any(type(number) is not int or number < 0 for number in (offset, *shape, *strides)):
            raise TensorsError("a tensor's shape is not a list of numbers")
        return _Tensor(storage, offset, tuple(shape), tuple(strides))


@dataclass(frozen=True)
class _Storage:
    kind: str


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], storages: dict[str, tuple[str, int]]) -> None:
        super().__init__(file)
        self.storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Rebuild()
        if module == "torch" and name in _DTYPES:
            return _Storage(name)
        return _refuse(f"it calls {module}.{name}")

    def persistent_load(self, pid: Any) -> str:
        match pid:
            case ("storage", _Storage(kind), str(key), str(), int(count), None) if count >= 0:
                self.storages[key] = kind, count
                return key
        return _refuse("it refers to an object that is not a storage")


def _refuse(why: str) -> Never:
    raise TensorsError(why)


def _load(file: IO[bytes], storages: dict[str, tuple[str, int]]) -> Any:
    return _Unpickler(file, storages).load()
