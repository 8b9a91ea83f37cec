"""FUNDUS_DEMO: a synthetic fundus dataset for a first run, drawn from a seed without any other file.

It has the layout of a fundus competition, and only the lesions reveal the class. Its scores say nothing about real patients.
NumPy and OpenCV are imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import NsmlError, install

if TYPE_CHECKING:
    from .photograph import Photograph

__all__ = ["CLASSES", "NAME", "draw_dataset", "draw_photograph"]

NAME = "FUNDUS_DEMO"
CLASSES: tuple[str, ...] = ("NORMAL", "AMD", "RVO", "DMR")


def draw_dataset(
    folder: Path | str,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
    *,
    train: int = 600,
    test: int = 200,
    masks: Path | str | None = None,
    fewest: float = 1.0,
) -> None:
    """Draws the whole dataset into `folder`, which must be absent or empty. It appears when it is complete.

    folder:      gets train/train_data/<CLASS>/Wide_<code>_<patient>_<R|L>.jpg, the lesion mask of each in
                 train/lesions/<CLASS>/<the same>.png (255 on a lesion, 0 elsewhere), test/test_data/<anonymous>.jpg and
                 test/test_label (one line `test_data,<file>,<label>` per photograph, sorted by path; labels index `CLASSES`)
    seed:        the same seed draws the same bytes, whatever the number of workers
    progress:    called as progress(done, total) after each photograph, from the thread that called `draw_dataset`
    workers:     number of threads; None: one per processor
    train, test: number of photographs, in the class proportions of the 2019 competition; no patient is in both sets
    masks:       a second folder, absent or empty, for the lesion masks of both sets, with the photographs' paths; it reveals
                 the hidden labels, so put it where no session can read it
    fewest:      smallest share of its lesions that an eye shows, in 0 < fewest <= 1. Each eye's share is drawn between it and 1, log-
                 uniformly, and the fewer, the fainter. 1: all of them, as in FUNDUS_DEMO; 0.06: some eyes have one small spot

    Raises NsmlError for a folder that is in use, a bad count, or missing packages.
    """
    _require_packages()
    from .dataset import draw

    draw(Path(folder), seed, progress, workers, train, test, None if masks is None else Path(masks), fewest)


def draw_photograph(class_name: str, seed: int = 0, patient: int = 0, eye: str = "R") -> Photograph:
    """Draws one photograph and its lesion mask.

    The eye depends only on (seed, patient, eye): another class gives the same eye with other lesions. Both eyes of a patient share
    their traits.

    class_name: one of `CLASSES`
    seed, patient: integers from 0
    eye: "R" (the optic disc is to the right of the fovea) or "L"

    Returns a named tuple: image, uint8 BGR (512, 640, 3); lesions, uint8 (512, 640), 255 on a lesion; quality, the JPEG quality
    (percent) of its file in the dataset. Raises NsmlError for a wrong argument or missing packages.
    """
    if class_name not in CLASSES:
        raise NsmlError(f"class {class_name!r} is unknown: choose one of {', '.join(CLASSES)}")
    if eye not in ("R", "L"):
        raise NsmlError(f"eye {eye!r} is unknown: choose R or L")
    if seed < 0 or patient < 0:
        raise NsmlError(f"seed {seed} and patient {patient} must be 0 or more")
    _require_packages()
    from .photograph import draw

    return draw(class_name, seed, patient, eye)


def _require_packages() -> None:
    try:
        import cv2  # noqa: F401
        import numpy  # noqa: F401
    except ImportError as error:
        raise NsmlError(f"drawing {NAME} needs NumPy and OpenCV ({error}); {install('images')}") from error
