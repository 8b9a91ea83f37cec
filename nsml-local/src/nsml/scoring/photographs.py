"""The test photographs as a sequence that decodes on access."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, MutableSequence
from pathlib import Path
from typing import Any, overload

from ..errors import NsmlError, install
from .pixels import read_pixels

# Four times the size of the largest fundus cameras. A small file can claim a size that exhausts the memory.
_MAX_PIXELS = 200_000_000
_VARIABLE = "OPENCV_IO_MAX_IMAGE_PIXELS"


def limit_of_photographs() -> dict[str, str]:
    """The environment variable with OpenCV's limit on pixels, for a process to be started."""
    return {_VARIABLE: os.environ.get(_VARIABLE) or str(_MAX_PIXELS)}


class Photographs(MutableSequence[Any]):
    """The argument of `infer`: full-size uint8 BGR arrays (height, width, 3), decoded one at a time.

    It is used as the platform's list of arrays, but no array is stored, unless the program puts one in: `data[i] = resized`,
    `data.append(data[0])`. Slices, copies and sums are again such sequences, and another process can receive one. A file that cannot
    be decoded becomes a black array of the size of the last good one, with a warning, so that count and order stay right.
    `on_read(n)` is called with the number of photographs decoded so far.
    """

    def __init__(self, items: Iterable[Any], on_read: Callable[[int], None] | None = None) -> None:
        """`items` are paths of photographs, or whatever a program put in their place."""
        try:
            import cv2  # noqa: F401
            import numpy  # noqa: F401
        except ImportError as error:
            raise NsmlError(f"{error.name} is needed to read photographs; {install('images')}") from None
        self._items = list(items)
        self._on_read = on_read
        self._shape = (512, 640, 3)
        self._read: set[Path] = set()
        self._broken: set[Path] = set()

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Photographs: ...
    def __getitem__(self, index: int | slice) -> Any:
        item = self._items[index]
        if isinstance(index, slice):
            return Photographs(item, self._on_read)
        if not isinstance(item, Path):
            return item
        image = self._decode(item)
        if self._on_read is not None and item not in self._read:
            self._read.add(item)
            self._on_read(len(self._read))
        return image

    def __setitem__(self, index: Any, value: Any) -> None:
        self._items[index] = _items_of(value) if isinstance(index, slice) else value

    def __delitem__(self, index: Any) -> None:
        del self._items[index]

    def insert(self, index: int, value: Any) -> None:
        self._items.insert(index, value)

    def copy(self) -> Photographs:
        return Photographs(self._items, self._on_read)

    def __add__(self, other: Iterable[Any]) -> Photographs:
        return Photographs([*self._items, *_items_of(other)], self._on_read)

    def __radd__(self, other: Iterable[Any]) -> Photographs:
        return Photographs([*_items_of(other), *self._items], self._on_read)

    def __reduce__(self) -> tuple[Any, ...]:
        return Photographs, (self._items,)  # without on_read: the program's first process counts

    def _decode(self, path: Path) -> Any:
        import numpy

        image = None
        with contextlib.suppress(OSError):
            # Opening a named pipe would block.
            if path.is_file() and (content := path.read_bytes()):
                image = read_pixels(content)
        if image is None:
            if path not in self._broken:
                self._broken.add(path)
                name = ascii(path.name)[1:-1] if not path.name.isprintable() else path.name
                print(f"warning: {name} cannot be decoded; a black image stands in for it", file=sys.stderr)
            return numpy.zeros(self._shape, dtype="uint8")
        self._shape = image.shape
        return image


def _items_of(values: Iterable[Any]) -> list[Any]:
    return values._items if isinstance(values, Photographs) else list(values)
