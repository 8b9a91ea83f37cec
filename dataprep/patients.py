"""Patients and eyes: counts, patients in two classes, and the leak of a random split of the files."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from dataprep.catalog import Sample

Key = TypeVar("Key", bound=Hashable)

_GLANCE = 4096  # bytes from the middle of a file, compared before the whole file is read


@dataclass(frozen=True)
class Patients:
    """Counts, and indices of the samples behind them.

    in_two_classes, both_eyes: by patient; several_pictures: by patient and eye. torn_patients, torn_eyes: expected number of
    patients, and of eyes with several photographs, that a random split of the files puts on both sides. seen_before: expected
    share of validation photographs whose patient is also in training.
    """

    patients: int
    eyes: int
    in_two_classes: dict[str, list[int]]
    both_eyes: dict[str, list[int]]
    several_pictures: dict[tuple[str, str], list[int]]
    torn_patients: float
    torn_eyes: float
    seen_before: float


def read_patients(samples: Sequence[Sample], fraction: float = 0.2) -> Patients:
    """Count patients and eyes. `fraction` is the share of validation files in a random split."""
    by_patient = _group((sample.patient for sample in samples), range(len(samples)))
    by_eye = _group(
        ((sample.patient, sample.eye) for sample in samples if sample.eye),
        (index for index, sample in enumerate(samples) if sample.eye),
    )
    validation = round(fraction * len(samples))
    sizes = [len(group) for group in by_patient.values()]
    alone = sum(size * _all_in_validation(size, len(samples), validation) for size in sizes)
    return Patients(
        patients=len(by_patient),
        eyes=len(by_eye),
        in_two_classes={
            patient: group for patient, group in by_patient.items() if len({samples[i].label for i in group}) > 1
        },
        both_eyes={
            patient: group for patient, group in by_patient.items() if {"R", "L"} <= {samples[i].eye for i in group}
        },
        several_pictures={eye: group for eye, group in by_eye.items() if len(group) > 1},
        torn_patients=expected_torn(sizes, len(samples), validation),
        torn_eyes=expected_torn([len(group) for group in by_eye.values()], len(samples), validation),
        seen_before=max(0.0, 1 - alone / validation) if validation else 0.0,  # rounding would make -0 %
    )


def expected_torn(sizes: Iterable[int], total: int, validation: int) -> float:
    """Expected number of groups on both sides if `validation` of `total` files are drawn at random; `sizes` counts each group's files."""
    return float(
        sum(
            count
            * (1 - _all_in_validation(size, total, validation) - _all_in_validation(size, total, total - validation))
            for size, count in Counter(sizes).items()
            if size > 1
        )
    )


def glance(samples: Sequence[Sample]) -> str:
    """One line for the log: patients, eyes and duplicate files. No photograph is decoded, and few are read."""
    patients = read_patients(samples)
    parts = [_count(patients.patients, "patient")]
    if patients.in_two_classes:
        parts.append(f"{len(patients.in_two_classes)} of them in two classes")
    if patients.both_eyes:
        parts.append(f"{len(patients.both_eyes)} with both eyes")
    if patients.several_pictures:
        parts.append(f"{_count(len(patients.several_pictures), 'eye')} with several photographs")
    copies = sum(len(group) - 1 for group in same_content([sample.path for sample in samples]))
    parts.append(_count(copies, "exact duplicate"))
    return f"audit: {', '.join(parts)}; python -m evidence audit shows more"


def same_content(paths: Sequence[Path]) -> list[list[int]]:
    """Groups of files with the same content, as indices. A file is read whole only if another has the same size and middle."""
    groups = [list(range(len(paths)))]
    for part in ("size", "middle", "digest"):
        groups = [
            same
            for group in groups
            for same in _group((_part(paths[index], part) for index in group), group).values()
            if len(same) > 1
        ]
    return groups


def _part(path: Path, part: str) -> Hashable:
    """The size of a file, the bytes in its middle, or the digest of its content; the path if it cannot be read, which no other file has."""
    try:
        if part == "size":
            return path.stat().st_size
        with path.open("rb") as stream:
            if part == "digest":
                return hashlib.file_digest(stream, "sha256").digest()
            stream.seek(path.stat().st_size // 2)
            return stream.read(_GLANCE)
    except OSError:
        return path


def _all_in_validation(size: int, total: int, validation: int) -> float:
    """Probability that all `size` files are among `validation` files drawn from `total` without replacement."""
    steps = np.arange(size)
    return float(np.prod(np.maximum(validation - steps, 0) / np.maximum(total - steps, 1)))


def _group(keys: Iterable[Key], values: Iterable[int]) -> dict[Key, list[int]]:
    groups: defaultdict[Key, list[int]] = defaultdict(list)
    for key, value in zip(keys, values, strict=True):
        groups[key].append(value)
    return dict(groups)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
