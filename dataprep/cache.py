"""Cache of prepared images: a memory-mapped file, keyed by photographs and preparation.

The cache consists of `prepared-<key>.npy`, for numpy.load, and `prepared-<key>.json`, its description, which is written last. Both
may be deleted at any time. The key changes when a photograph is added, changed or moved, with an edit of the code that prepares
it, and with the version of OpenCV, whose decoders may give other pixels.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import warnings
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict
from multiprocessing.pool import ThreadPool
from pathlib import Path

import cv2
import numpy as np

from dataprep import header, local_average, photograph, pixels, retina
from dataprep.files import replacing
from dataprep.opencv_threads import one_opencv_thread
from dataprep.photograph import PhotographError, Preparation, prepare_blank, prepare_file

# The code that decides the pixels. Pixels of the code before an edit would differ from those that `infer` prepares.
_CODE = [inspect.getsource(module) for module in (header, local_average, photograph, pixels, retina)]
# Bytes of images, spread over the file, whose checksums are verified: takes milliseconds for any size.
_CHECKED_BYTES = 4 << 20

Progress = Callable[[int, int], None]


def prepared_images(
    paths: Sequence[Path],
    preparation: Preparation,
    folder: Path,
    progress: Progress | None = None,
    workers: int = 2,
) -> np.ndarray:
    """Prepared photographs in the order of `paths`: read-only uint8 BGR (n, size, size, 3), memory-mapped.

    Uses the cache in `folder` for the same files (path, size, modification time) and settings. Otherwise `workers` threads
    prepare the photographs and store them there; `progress(done, n)` is called after each. A damaged cache is
    rebuilt. Unreadable photographs become blank images, with one warning for all. If `folder` cannot be written, the images stay
    in memory, with a warning.
    """
    paths = [Path(path) for path in paths]
    size = preparation.size
    shape = len(paths), size, size, 3
    file = Path(folder) / f"prepared-{_key(paths, preparation)}.npy"
    try:
        images, unreadable = _read(file, shape)
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        images, unreadable = _prepare_all(paths, preparation, shape, file, progress, workers)
    if unreadable:
        warnings.warn(
            f"{len(unreadable)} of {len(paths)} photographs cannot be read and are replaced by blank images, the first: "
            f"{unreadable[0]}",
            stacklevel=2,
        )
    return images


def _key(paths: Sequence[Path], preparation: Preparation) -> str:
    digest = hashlib.sha256(json.dumps([_CODE, cv2.__version__, asdict(preparation)], sort_keys=True).encode())
    for path in paths:
        try:
            status = os.stat(path)
            facts = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            facts = "missing"
        digest.update(f"\0{os.path.abspath(path)}\0{facts}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:20]


def _read(file: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    """Read the cache. OSError, EOFError, ValueError, KeyError or TypeError if it is missing or damaged."""
    facts = json.loads(file.with_suffix(".json").read_text())
    checksums, unreadable = facts["checksums"], [str(line) for line in facts["unreadable"]]
    if shape[0] == 0:
        return np.zeros(shape, np.uint8), unreadable
    images = np.load(file, mmap_mode="r")
    if images.shape != shape or images.dtype != np.uint8 or len(checksums) != len(images):
        raise ValueError("for other images")
    length = images[0].nbytes
    with file.open("rb") as stream:
        if os.fstat(stream.fileno()).st_size != images.offset + images.nbytes:
            raise ValueError("of another length")
        # Read, not mapped: mapped pages would count as this process's memory.
        for index in np.unique(np.linspace(0, shape[0] - 1, max(2, _CHECKED_BYTES // length)).astype(int)):
            stream.seek(images.offset + int(index) * length)
            if zlib.crc32(stream.read(length)) != checksums[index]:
                raise ValueError("damaged")
    return images, unreadable


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
                    # Written, not mapped: on a full disk, a write to a map kills the process instead of raising.
                    stream.write(image.data)
                    checksums.append(zlib.crc32(image.data))
                    unreadable += [error] if error else []
        facts = {
            "preparation": asdict(preparation),
            "images": len(paths),
            "unreadable": unreadable,
            "checksums": checksums,
        }
        with replacing(file.with_suffix(".json"), private=True) as temporary:
            temporary.write_text(json.dumps(facts))
        return _read(file, shape)[0], unreadable
    except OSError as error:
        warnings.warn(
            f"{file.parent}: cannot store prepared photographs ({error.strerror or error}); they stay in memory for this run",
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
    """Prepared images in order, each with "" or the reason why it is blank."""

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
