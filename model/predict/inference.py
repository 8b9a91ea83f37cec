"""From photographs to predictions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from dataprep.photograph import Preparation, prepare_blank
from dataprep.stream import prepare_each

from .predictor import Predict


def infer(
    data: Iterable[Any],
    predict: Predict,
    preparation: Preparation | Sequence[Preparation],
    batch_size: int = 32,
    workers: int = 2,
    answers: Callable[[np.ndarray], list[Any]] | None = None,
) -> list[Any]:
    """Predict the class of each photograph, in order.

    Args:
        data: uint8 BGR arrays (height, width, 3). A sequence is indexed by `workers` threads, so that photographs are decoded and
            prepared while others are predicted; other iterables are iterated. If the sequence decodes on access, at most `workers`
            photographs are in memory.
        predict: see `predictor`.
        preparation: as in training. For several, `predict` gets one array for each, see `Ensemble.predict`.
        batch_size: number of prepared images predicted at once.
        workers: number of threads for preparation.
        answers: the answers to a batch, from its probabilities (n, classes); None for `classes_of`.

    Returns:
        One int, or what `answers` returns, for each photograph. An invalid array gets the prediction of a blank image, so that count and
        order match; a warning on stderr gives their number.
    """
    preparations = (preparation,) if isinstance(preparation, Preparation) else tuple(preparation)
    batches = [np.empty((batch_size, each.size, each.size, 3), np.uint8) for each in preparations]
    answers = answers or classes_of
    predictions: list[Any] = []
    unreadable: list[int] = []
    number = waiting = 0
    with closing(prepare_each(data, preparations, max(batch_size, workers), workers)) as prepared:
        for number, images in enumerate(prepared, 1):
            if images is None:
                images = [prepare_blank(each) for each in preparations]
                unreadable.append(number - 1)
            for batch, image in zip(batches, images, strict=True):
                batch[waiting] = image
            waiting += 1
            if waiting == batch_size:
                predictions += answers(predict(*batches))
                waiting = 0
    predictions += answers(predict(*(batch[:waiting] for batch in batches)))
    if unreadable:
        print(_warning(unreadable, number), file=sys.stderr, flush=True)
    return predictions


def classes_of(probabilities: np.ndarray) -> list[int]:
    """The most probable class of each row, as Python ints, which all scorers accept."""
    return [int(number) for number in probabilities.argmax(axis=1)]


def _warning(unreadable: Sequence[int], total: int) -> str:
    return (
        f"warning: {len(unreadable)} of {total} photographs could not be used (the first is number {unreadable[0]}); "
        "they get the prediction of a blank image"
    )
