"""The test photographs as a sequence that decodes on access."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
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


class Photographs(Sequence[Any]):
    """The argument of `infer`: full-size uint8 BGR arrays (height, width, 3), decoded one at a time.

    Length, index, slices (again such sequences) and iteration work as for the platform's list of arrays, but no array is stored. A
    file that cannot be decoded becomes a black array of the size of the last good one, with a warning, so that count and order
    stay right. `on_read(n)` is called with the number of photographs decoded so far.
    """

    def __init__(self, paths: Sequence[Path], on_read: Callable[[int], None] | None = None) -> None:
        try:
            import cv2  # noqa: F401
            import numpy
        except ImportError as error:
            raise NsmlError(f"{error.name} is needed to read photographs; {install('images')}") from None
        self._numpy = numpy
        self.paths = tuple(paths)
        self._on_read = on_read
        self._shape = (512, 640, 3)
        self._read: set[int] = set()
        self._broken: set[int] = set()

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Photographs: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Photographs(self.paths[index], self._on_read)
        position = range(len(self.paths))[index]
        image = self._decode(position)
        if self._on_read is not None and position not in self._read:
            self._read.add(position)
            self._on_read(len(self._read))
        return image

    def __iter__(self) -> Iterator[Any]:
        return (self[position] for position in range(len(self)))

    def _decode(self, position: int) -> Any:
        path = self.paths[position]
        image = None
        with contextlib.suppress(OSError):
            # Opening a named pipe would block.
            if path.is_file() and (content := path.read_bytes()):
                image = read_pixels(content)
        if image is None:
            if position not in self._broken:
                self._broken.add(position)
                name = ascii(path.name)[1:-1] if not path.name.isprintable() else path.name
                print(f"warning: {name} cannot be decoded; a black image stands in for it", file=sys.stderr)
            return self._numpy.zeros(self._shape, dtype="uint8")
        self._shape = image.shape
        return image
