"""How much of a network's heat falls on marked lesions.

A dataset may carry marks of its training photographs, as FUNDUS_DEMO does, in a folder `lesions` beside `train_data`:

    train/train_data/AMD/Wide_AMD_0012_R.jpg
    train/lesions/AMD/Wide_AMD_0012_R.png       of the same size: 255 on a lesion, else 0; all 0 if there is none

A photograph without such a file is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataprep.photograph import PhotographError, Preparation, prepare_array, prepare_marks
from dataprep.pixels import read_file

from ..bootstrap import Figure, draw_patients, estimate
from .grad_cam import enlarged
from .subject import View

FOLDER = "lesions"
_AT_ONCE = 32


@dataclass(frozen=True)
class OnLesions:
    """The photographs of a class with marked lesions.

    Attributes:
        photographs: their number.
        area: the share of the retina that lesions cover, a mean, 0..1.
        heat: the share of the heat within the retina that falls on lesions, a mean, 0..1.
        ratio: heat / area, 1 if heat is spread evenly.
    """

    name: str
    photographs: int
    area: float
    heat: Figure
    ratio: Figure


@dataclass(frozen=True)
class _Seen:
    """A prepared photograph, and shares 0..1 of its pixels: of lesions within the retina, and of retina."""

    prepared: np.ndarray
    lesions: np.ndarray
    retina: np.ndarray


def marks_of(photographs: Path, sample: str) -> Path:
    """The file of the marks of a sample, which is a path below the folder of photographs. It need not exist."""
    return (photographs.parent / FOLDER / sample).with_suffix(".png")


def look_at_lesions(
    photographs: Path,
    samples: Sequence[str],
    patients: Sequence[str],
    labels: np.ndarray,
    classes: Sequence[str],
    views: Sequence[View],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[OnLesions], list[str]]:
    """The heat of the true class on marked lesions, by class; and a line for each mark that cannot be used.

    views: one for each sample; a photograph whose view has no heat is left out.
    """
    marked = [
        index for index, sample in enumerate(samples) if views[index].heat and marks_of(photographs, sample).is_file()
    ]
    shares: dict[int, tuple[float, float]] = {}
    unusable: list[str] = []
    looked_at = 0
    for view, indices in _batches(marked, views):
        preparation, heat_of = view.preparation, view.heat
        assert heat_of is not None
        seen: dict[int, _Seen] = {}
        for index in indices:
            path = photographs / samples[index]
            try:
                one = _see(path, marks_of(photographs, samples[index]), preparation)
            except PhotographError as error:
                unusable.append(str(error))
            else:
                seen |= {index: one} if one.lesions.any() else {}
        if seen:
            heats = heat_of(np.stack([one.prepared for one in seen.values()]), labels[list(seen)])
            for (index, one), heat in zip(seen.items(), heats, strict=True):
                within = enlarged(heat, preparation.size) * one.retina
                if within.any():
                    on_lesions = (within * one.lesions).sum() / within.sum()
                    shares[index] = float(one.lesions.sum() / one.retina.sum()), float(on_lesions)
        looked_at += len(indices)
        if progress is not None:
            progress(looked_at, len(marked))
    by_class = []
    for label, name in enumerate(classes):
        own = [index for index in shares if labels[index] == label]
        if own:
            by_class.append(_on_lesions(name, np.array([shares[i] for i in own]), [patients[i] for i in own]))
    return by_class, unusable


def _batches(indices: Sequence[int], views: Sequence[View]) -> Iterator[tuple[View, Sequence[int]]]:
    """The indices in batches with the same view."""
    for view in dict.fromkeys(views[index] for index in indices):
        alike = [index for index in indices if views[index] is view]
        for start in range(0, len(alike), _AT_ONCE):
            yield view, alike[start : start + _AT_ONCE]


def _see(photograph: Path, marks: Path, preparation: Preparation) -> _Seen:
    image, lesions = read_file(photograph), read_file(marks).max(axis=2)
    try:
        marked, retina = prepare_marks(image, lesions, preparation)
    except PhotographError as error:
        raise PhotographError(f"{marks}: {error}") from None
    return _Seen(prepare_array(image, preparation), marked * retina, retina)


def _on_lesions(name: str, shares: np.ndarray, patients: Sequence[str]) -> OnLesions:
    weights = draw_patients(patients)
    area, heat = (weights @ shares / weights.sum(axis=1, keepdims=True)).T
    return OnLesions(name, len(shares), float(area[0]), estimate(heat), estimate(heat / area))
