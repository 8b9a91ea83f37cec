"""Prepared images, once: a memory-mapped file keyed by what the photographs are and how they are prepared.

The cache is `prepared-<key>.npy`, which numpy.load reads, and `prepared-<key>.json`, which says what is in it and is written
last. Both may be deleted at any time. A photograph that was added, changed or moved gives another key, and so does another version
of OpenCV, whose decoders may give other pixels.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from multiprocessing.pool import ThreadPool
from pathlib import Path

import cv2
import numpy as np

from dataprep.files import replacing
from dataprep.opencv_threads import one_opencv_thread
from dataprep.photograph import PhotographError, Preparation, prepare_blank, prepare_file

# Raised whenever the same settings give other pixels than before.
_VERSION = 3
# Checksums are compared for images spread over the file, up to so many bytes: milliseconds, however large it is.
_CHECKED_BYTES = 4 << 20

Progress = Callable[[int, int], None]


def prepared_images(
    paths: Sequence[Path],
    preparation: Preparation,
    folder: Path,
    progress: Progress | None = None,
    workers: int | None = None,
) -> np.ndarray:
    """The photographs at `paths`, prepared, in order: read-only uint8 BGR (n, size, size, 3), memory-mapped.

    What `folder` already holds for the same files (path, size, time of change) and settings is used; else they are
    prepared by `workers` threads (2 unless given) and kept there, and `progress(done, n)` is called after each. A damaged
    cache is prepared anew. A photograph that turns out to be unreadable becomes a blank image, with one warning for all.
    Where `folder` cannot be written (no permission, a full disk), the images are kept in memory, with a warning.
    """
    paths = [Path(path) for path in paths]
    workers = 2 if workers is None else workers
    if workers < 1:
        raise ValueError(f"workers {workers}: give 1 or more threads")
    size = preparation.size
    shape = len(paths), size, size, 3
    file = Path(folder) / f"prepared-{_key(paths, preparation)}.npy"
    try:
        images, unreadable = _read(file, shape)
    except (OSError, ValueError, KeyError, TypeError):
        images, unreadable = _prepare_all(paths, preparation, shape, file, progress, workers)
    if unreadable:
        warnings.warn(
            f"{len(unreadable)} of {len(paths)} photographs cannot be read and count as blank images, the first: "
            f"{unreadable[0]}",
            stacklevel=2,
        )
    return images


def _key(paths: Sequence[Path], preparation: Preparation) -> str:
    digest = hashlib.sha256(json.dumps([_VERSION, cv2.__version__, preparation.to_dict()], sort_keys=True).encode())
    for path in paths:
        try:
            status = os.stat(path)
            facts = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            facts = "missing"
        digest.update(f"\0{os.path.abspath(path)}\0{facts}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:20]


def _read(file: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    """OSError, ValueError, KeyError or TypeError where there is no cache, or a damaged one."""
    facts = json.loads(file.with_suffix(".json").read_text())
    checksums, unreadable = facts["checksums"], [str(line) for line in facts["unreadable"]]
    if shape[0] == 0:
        return np.zeros(shape, np.uint8), unreadable
    with file.open("rb") as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError("not written by this module")
        found, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        if (found, fortran, dtype) != (shape, False, np.dtype(np.uint8)) or len(checksums) != shape[0]:
            raise ValueError("of other images")
        start, length = stream.tell(), int(np.prod(shape[1:]))
        if os.fstat(stream.fileno()).st_size != start + shape[0] * length:
            raise ValueError("truncated")
        # Read, not mapped: pages of a map would count as this process's memory from then on.
        for index in np.unique(np.linspace(0, shape[0] - 1, max(2, _CHECKED_BYTES // length)).astype(int)):
            stream.seek(start + int(index) * length)
            if zlib.crc32(stream.read(length)) != checksums[index]:
                raise ValueError("damaged")
    return np.memmap(file, np.uint8, "r", start, shape), unreadable


def _prepare_all(
    paths: Sequence[Path],
    preparation: Preparation,
    shape: tuple[int, ...],
    file: Path,
    progress: Progress | None,
    workers: int,
) -> tuple[np.ndarray, list[str]]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file, private=True) as temporary, open(temporary, "wb") as stream:
            np.lib.format.write_array_header_1_0(stream, {"shape": shape, "fortran_order": False, "descr": "|u1"})
            checksums, unreadable = [], []
            with closing(_prepared(paths, preparation, progress, workers)) as prepared:
                for image, error in prepared:
                    # Written, not mapped: a full disk behind a map kills the process instead of raising.
                    stream.write(image.data)
                    checksums.append(zlib.crc32(image.data))
                    unreadable += [error] if error else []
        facts = {
            "preparation": preparation.to_dict(),
            "images": len(paths),
            "unreadable": unreadable,
            "checksums": checksums,
        }
        with replacing(file.with_suffix(".json"), private=True) as temporary:
            temporary.write_text(json.dumps(facts))
        return _read(file, shape)[0], unreadable
    except OSError as error:
        warnings.warn(
            f"{file.parent}: prepared photographs cannot be kept there ({error.strerror or error}), so they are kept in memory",
            stacklevel=3,
        )
    images, unreadable = np.empty(shape, np.uint8), []
    with closing(_prepared(paths, preparation, progress, workers)) as prepared:
        for index, (image, reason) in enumerate(prepared):
            images[index] = image
            unreadable += [reason] if reason else []
    images.flags.writeable = False
    return images, unreadable


def _prepared(
    paths: Sequence[Path], preparation: Preparation, progress: Progress | None, workers: int
) -> Generator[tuple[np.ndarray, str], None, None]:
    """Each photograph's prepared image in order, with the reason where it is blank."""

    def prepare(path: Path) -> tuple[np.ndarray, str]:
        try:
            return prepare_file(path, preparation), ""
        except PhotographError as error:
            return prepare_blank(preparation), str(error)

    with one_opencv_thread(), ThreadPool(workers) as pool:
        for done, result in enumerate(pool.imap(prepare, paths), start=1):
            yield result
            if progress is not None:
                progress(done, len(paths))
