"""The dataset: its patients, the split into training and test set, file names, and the files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import cv2
import numpy as np

from ..engine.resources import processors
from ..errors import NsmlError, RunFailed
from . import CLASSES, photograph

CODES = {"NORMAL": "NOR", "AMD": "AMD", "RVO": "RVO", "DMR": "DMR"}
PROPORTIONS = {"NORMAL": 997 + 111, "AMD": 900 + 75, "RVO": 436 + 48, "DMR": 1511 + 167}  # of the 2019 competition
BOTH_EYES = 0.85  # share of patients with both eyes


class Entry(NamedTuple):
    path: PurePosixPath  # within the dataset's folder
    class_name: str
    patient: int
    eye: str


def draw(
    folder: Path,
    seed: int,
    progress: Callable[[int, int], None] | None,
    workers: int | None,
    train: int,
    test: int,
    masks: Path | None,
    fewest: float,
) -> None:
    """See `nsml.demo.draw_dataset`."""
    if seed < 0:
        raise NsmlError(f"seed {seed} must be 0 or more")
    if min(train, test) < len(CLASSES):
        raise NsmlError(f"train={train} and test={test} must be {len(CLASSES)} or more, one photograph per class")
    if not 0 < fewest <= 1:
        raise NsmlError(f"fewest={fewest} must be above 0 and at most 1")
    if workers is not None and workers < 1:
        raise NsmlError(f"workers={workers} must be 1 or more")
    entries = list_entries(seed, train, test)
    with _all_or_nothing(folder) as target, nullcontext() if masks is None else _all_or_nothing(masks) as mask_target:
        for root in (target, mask_target) if mask_target else (target,):
            for parent in {entry.path.parent for entry in entries}:
                (root / parent).mkdir(parents=True)
        for entry in entries:
            if (mask_path := _mask_path(entry)) is not None:
                (target / mask_path).parent.mkdir(parents=True, exist_ok=True)
        _draw_all(entries, seed, fewest, target, mask_target, workers or processors(), progress)
        (target / "test" / "test_label").write_text(
            "".join(sorted(_label_line(e) for e in entries if e.path.parts[0] == "test"))
        )


def list_entries(seed: int, train: int, test: int) -> list[Entry]:
    """All photographs of the dataset. No patient is in both sets; patient numbers and test names are independent of the class."""
    rng = np.random.default_rng([seed])
    numbers = iter(rng.permutation(np.arange(1, 100 + 2 * (train + test))).tolist())
    entries = []
    for side, total in (("train", train), ("test", test)):
        for class_name, count in class_counts(total).items():
            for patient, eye in _eyes(rng, numbers, count):
                if side == "train":
                    path = PurePosixPath(
                        "train/train_data", class_name, f"Wide_{CODES[class_name]}_{patient:04d}_{eye}.jpg"
                    )
                else:
                    path = PurePosixPath("test/test_data", f"{rng.bytes(6).hex()}.jpg")
                entries.append(Entry(path, class_name, patient, eye))
    return entries


def class_counts(total: int) -> dict[str, int]:
    """Splits `total` by the competition's proportions (largest remainder), at least one per class."""
    exact = {name: max(1.0, total * share / sum(PROPORTIONS.values())) for name, share in PROPORTIONS.items()}
    counts = {name: int(value) for name, value in exact.items()}
    for name in sorted(exact, key=lambda name: counts[name] - exact[name])[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def _eyes(rng: np.random.Generator, numbers: Iterator[int], count: int) -> Iterator[tuple[int, str]]:
    """Yields `count` eyes of new patients; most patients have both."""
    while count:
        patient = next(numbers)
        eyes = "RL" if count > 1 and rng.random() < BOTH_EYES else "RL"[rng.integers(2)]
        for eye in eyes:
            yield patient, eye
        count -= len(eyes)


def _label_line(entry: Entry) -> str:
    return f"test_data,{entry.path.name},{CLASSES.index(entry.class_name)}\n"


def _mask_path(entry: Entry) -> PurePosixPath | None:
    """Path of the lesion mask of a training photograph. Test photographs have none: it would reveal the label."""
    if entry.path.parts[0] != "train":
        return None
    return PurePosixPath("train", "lesions", *entry.path.parts[2:]).with_suffix(".png")


def _draw_all(
    entries: list[Entry],
    seed: int,
    fewest: float,
    target: Path,
    mask_target: Path | None,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    def draw_one(entry: Entry) -> None:
        image, lesions, quality = photograph.draw(entry.class_name, seed, entry.patient, entry.eye, fewest)
        _write(target / entry.path, image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if (mask_path := _mask_path(entry)) is not None:
            _write(target / mask_path, lesions, [cv2.IMWRITE_PNG_BILEVEL, 1])
        if mask_target is not None:
            _write((mask_target / entry.path).with_suffix(".png"), lesions, [])

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # one photograph per worker is faster than OpenCV's own threads
    pool = ThreadPoolExecutor(workers, thread_name_prefix="draw")
    try:
        for done, future in enumerate(as_completed([pool.submit(draw_one, entry) for entry in entries]), start=1):
            future.result()
            if progress is not None:
                progress(done, len(entries))
    finally:
        pool.shutdown(cancel_futures=True)
        cv2.setNumThreads(threads)


def _write(path: Path, pixels: np.ndarray, parameters: list[int]) -> None:
    path.write_bytes(cv2.imencode(path.suffix, pixels, parameters)[1].tobytes())


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder`: renamed to it after success, deleted after a failure."""
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NsmlError(f"{folder} is in use: name a folder that is absent or empty")
    part = folder.parent / f".{folder.name}.{os.getpid()}.part"
    try:
        part.mkdir(parents=True)
        yield part
        os.replace(part, folder)
    except OSError as error:
        raise RunFailed(f"drawing into {folder} failed: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
