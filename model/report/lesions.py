"""How much of a network's heat falls on lesions, where somebody has marked them.

A dataset may carry marks of its training photographs, as FUNDUS_DEMO does, in a folder `lesions` beside `train_data`:

    train/train_data/AMD/Wide_AMD_0012_R.jpg
    train/lesions/AMD/Wide_AMD_0012_R.png       of the same size: 255 on a lesion, else 0; all 0 where there is none

A photograph without such a file is one of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dataprep.audit.probe import Figure
from dataprep.photograph import PhotographError, Preparation, prepare_array, prepare_marks

from ..grad_cam import enlarged
from .ranking import draw_patients

FOLDER = "lesions"


@dataclass(frozen=True)
class OnLesions:
    """Of the photographs of a class with marked lesions: how many, of the retina the share that the lesions take, the share of the
    heat within the retina that falls on them (both means, 0..1), and the ratio of the two, 1 for a network that looks anywhere."""

    name: str
    photographs: int
    area: float
    heat: Figure
    ratio: Figure


def marks_of(photographs: Path, sample: str) -> Path:
    """Where the marks of a sample, a path below the folder of photographs, would be."""
    return (photographs.parent / FOLDER / sample).with_suffix(".png")


def look_at_lesions(
    photographs: Path,
    samples: Sequence[str],
    patients: Sequence[str],
    labels: np.ndarray,
    classes: Sequence[str],
    preparation: Preparation,
    heat_of: Callable[[np.ndarray, np.ndarray], np.ndarray],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[OnLesions], list[str]]:
    """The heat of the true class on the lesions of those samples that have some, by class; and what could not be used, a line each.

    heat_of: from prepared images and classes to heats, see `model.grad_cam`.
    """
    marked = [index for index, sample in enumerate(samples) if marks_of(photographs, sample).is_file()]
    found: dict[int, tuple[float, float]] = {}
    unusable: list[str] = []
    for done, index in enumerate(marked, 1):
        try:
            shares = _shares(photographs / samples[index], marks_of(photographs, samples[index]), preparation, heat_of,
                             int(labels[index]))  # fmt: skip
        except PhotographError as error:
            unusable.append(str(error))
        else:
            if shares is not None:
                found[index] = shares
        if progress is not None:
            progress(done, len(marked))
    by_class = []
    for label, name in enumerate(classes):
        own = [index for index in found if labels[index] == label]
        if own:
            by_class.append(_on_lesions(name, np.array([found[i] for i in own]), [patients[i] for i in own]))
    return by_class, unusable


def _shares(
    photograph: Path,
    marks: Path,
    preparation: Preparation,
    heat_of: Callable[[np.ndarray, np.ndarray], np.ndarray],
    label: int,
) -> tuple[float, float] | None:
    """The shares of area and heat that are on lesions; None where there are none, or nothing speaks for the class."""
    lesions = _read(marks, cv2.IMREAD_GRAYSCALE)
    if not lesions.any():
        return None
    image = _read(photograph, cv2.IMREAD_COLOR)
    try:
        on_lesions, retina = prepare_marks(image, lesions, preparation)
    except PhotographError as error:
        raise PhotographError(f"{marks}: {error}") from None
    heat = enlarged(heat_of(prepare_array(image, preparation)[None], np.array([label]))[0], preparation.size) * retina
    on_lesions = on_lesions * retina
    if not heat.any() or not on_lesions.any():
        return None
    return float(on_lesions.sum() / retina.sum()), float((heat * on_lesions).sum() / heat.sum())


def _read(path: Path, flags: int) -> np.ndarray:
    try:
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags)
    except (OSError, cv2.error) as error:
        raise PhotographError(f"{path}: {getattr(error, 'strerror', None) or 'cannot be decoded'}") from None
    if image is None:
        raise PhotographError(f"{path}: cannot be decoded")
    return np.asarray(image)


def _on_lesions(name: str, shares: np.ndarray, patients: Sequence[str]) -> OnLesions:
    weights = np.concatenate([np.ones((1, len(shares))), draw_patients(patients)])
    area, heat = (weights @ shares / weights.sum(axis=1, keepdims=True)).T
    figures = []
    for values in (heat, heat / area):
        low, high = np.percentile(values[1:], [2.5, 97.5])
        figures.append(Figure(float(values[0]), float(low), float(high)))
    return OnLesions(name, len(shares), float(area[0]), figures[0], figures[1])
