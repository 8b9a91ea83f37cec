"""The test photographs as a sequence that decodes each one when it is asked for."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from ..errors import NsmlError
from ..store.photographs import is_photograph
from .pixels import read_pixels

# Four times what the largest fundus cameras make; a small file can claim a size that fills any memory.
_MOST_PIXELS = 200_000_000
_VARIABLE = "OPENCV_IO_MAX_IMAGE_PIXELS"


def limit_of_photographs() -> dict[str, str]:
    """The variable that keeps OpenCV, in a process to be started, from decoding what claims to be larger than any photograph."""
    return {_VARIABLE: os.environ.get(_VARIABLE) or str(_MOST_PIXELS)}


def photographs_below(folder: Path) -> list[Path]:
    """The photographs below `folder`, sorted by path, but hidden ones and those in hidden folders.

    OSError where a folder cannot be read.
    """
    found = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if is_photograph(Path(name))]
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error


class Photographs(Sequence[Any]):
    """What `infer` is fed: full-size uint8 BGR arrays (height, width, 3), one decoded at a time.

    Has a length, an index, slices (again such sequences) and an iteration, like the list of arrays of the platform, of which it
    holds none. A file that cannot be decoded is a black array of the size of the last good one, with a warning, so that the count
    and the order hold. `on_read(n)` is called with the number of photographs decoded so far.
    """

    def __init__(self, paths: Sequence[Path], on_read: Callable[[int], None] | None = None) -> None:
        try:
            import cv2  # noqa: F401
            import numpy
        except ImportError as error:
            raise NsmlError(f"{error.name} is needed to read photographs; pip install 'nsml-local[images]'") from None
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
            # A named pipe would block whoever opens it.
            if path.is_file() and (content := path.read_bytes()):
                image = read_pixels(content)
        if image is None:
            if position not in self._broken:
                self._broken.add(position)
                name = ascii(path.name)[1:-1] if not path.name.isprintable() else path.name
                print(f"warning: {name} cannot be decoded; infer is fed a black image in its place", file=sys.stderr)
            return self._numpy.zeros(self._shape, dtype="uint8")
        self._shape = image.shape
        return image
