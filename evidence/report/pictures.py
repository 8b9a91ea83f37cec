"""The worst mistakes and the surest correct predictions as strips of pictures: photograph, prepared image, heat of two classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dataprep.header import PhotographError, read_content
from dataprep.photograph import prepare_file

from ..audit.measure import decode
from .grad_cam import enlarged
from .subject import View

MISTAKES = 12
_SIDE = 208  # pixels of each picture in a strip
_GAP = 6


@dataclass(frozen=True)
class Strip:
    """A photograph with its prediction, and a PNG of four pictures, None if the photograph cannot be read.

    The pictures are the photograph, the prepared image, and the heat of the predicted class and of the true class, each scaled to its
    own maximum. Without `heat`, only the first two.
    """

    sample: str
    truth: int
    predicted: int
    probabilities: np.ndarray
    png: bytes | None
    heat: bool = True


def worst_mistakes(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Indices of at most MISTAKES wrong predictions, lowest probability of the true class first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(probabilities[wrong, labels[wrong]], kind="stable")][:MISTAKES]


def surest(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The index of the correct prediction with the highest probability, for each class that has one."""
    right = np.flatnonzero(probabilities.argmax(axis=1) == labels)
    of_truth = probabilities[right, labels[right]]
    chosen = [
        right[labels[right] == label][of_truth[labels[right] == label].argmax()] for label in np.unique(labels[right])
    ]
    return np.array(chosen, int)


def strips(
    chosen: np.ndarray,
    photographs: Path,
    samples: Sequence[str],
    labels: np.ndarray,
    probabilities: np.ndarray,
    views: Sequence[View],
) -> list[Strip]:
    """A strip for each of `chosen`, indices (m,) of the n samples. views: one for each sample."""
    result = []
    for index in chosen.tolist():
        truth, predicted = int(labels[index]), int(probabilities[index].argmax())
        png = _strip(photographs / samples[index], truth, predicted, views[index])
        heat = views[index].heat is not None
        result.append(Strip(samples[index], truth, predicted, probabilities[index], png, heat))
    return result


def _strip(path: Path, truth: int, predicted: int, view: View) -> bytes | None:
    try:
        photograph = decode(read_content(path))
        prepared = prepare_file(path, view.preparation)
    except PhotographError:
        return None
    heats = view.heat(np.stack([prepared, prepared]), np.array([predicted, truth])) if view.heat else ()
    parts = [_fitted(photograph), _resized(prepared), *(_heated(prepared, heat) for heat in heats)]
    gap = np.full((_SIDE, _GAP, 3), 255, np.uint8)
    row = [part for picture in parts for part in (picture, gap)][:-1]
    written, content = cv2.imencode(".png", np.hstack(row))
    return content.tobytes() if written else None


def _fitted(photograph: np.ndarray) -> np.ndarray:
    """The whole photograph in a black square."""
    height, width = photograph.shape[:2]
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(photograph, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    square = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    y, x = (_SIDE - size[1]) // 2, (_SIDE - size[0]) // 2
    square[y : y + size[1], x : x + size[0]] = small
    return square


def _resized(prepared: np.ndarray) -> np.ndarray:
    smaller = prepared.shape[0] > _SIDE
    return np.asarray(
        cv2.resize(prepared, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    )


def _heated(prepared: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The heat in colour over the prepared image in grey; stronger heat is more opaque."""
    grey = cv2.cvtColor(cv2.cvtColor(_resized(prepared), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    level = enlarged(heat, _SIDE) / max(float(heat.max()), 1e-12)
    colours = cv2.applyColorMap(np.round(level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    share = 0.75 * level[..., None]
    return np.asarray(np.round(grey * (1 - share) + colours * share), np.uint8)
