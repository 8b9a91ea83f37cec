"""From photographs to probabilities: prepared in order by threads, while others are predicted."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np

from dataprep.opencv_threads import one_opencv_thread
from dataprep.photograph import PhotographError, Preparation, prepare_array, prepare_blank

from .predictor import Predict

_THREADS = 2


def infer(
    data: Iterable[Any], predict: Predict, preparations: Sequence[Preparation], batch_size: int = 32
) -> np.ndarray:
    """Probabilities, float32 (n, classes), of n photographs, in order.

    Args:
        data: uint8 BGR arrays (height, width, 3). A sequence (a list, an array, or one that decodes on access) is indexed by two
            threads, each of which holds one photograph; any other iterable is iterated in the caller's thread.
        predict: see `Predictor`. It gets an array of prepared images for each of `preparations`, see `Ensemble.predict`.
        preparations: as in training.
        batch_size: number of prepared images predicted at once.

    An invalid array gets the prediction of a blank image, so that count and order match; a warning on stderr gives their number.
    """
    batches = [np.empty((batch_size, each.size, each.size, 3), np.uint8) for each in preparations]
    predictions: list[np.ndarray] = []
    unreadable: list[int] = []
    number = waiting = 0
    with closing(_prepare_each(data, preparations, max(batch_size, _THREADS))) as prepared:
        for number, images in enumerate(prepared, 1):
            if images is None:
                images = [prepare_blank(each) for each in preparations]
                unreadable.append(number - 1)
            for batch, image in zip(batches, images, strict=True):
                batch[waiting] = image
            waiting += 1
            if waiting == batch_size:
                predictions.append(predict(*batches))
                waiting = 0
    predictions.append(predict(*(batch[:waiting] for batch in batches)))
    if unreadable:
        print(
            f"warning: {len(unreadable)} of {number} photographs could not be used (the first is number {unreadable[0]}); "
            "they get the prediction of a blank image",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    return np.concatenate(predictions)


def _prepare_each(
    data: Iterable[Any], preparations: Sequence[Preparation], ahead: int
) -> Generator[list[np.ndarray] | None, None, None]:
    """Each photograph of `data` prepared by each of `preparations`, in order; None for an invalid array. At most `ahead` wait."""

    def prepare(photograph: Any) -> list[np.ndarray] | None:
        try:
            return [prepare_array(photograph, preparation) for preparation in preparations]
        except PhotographError:
            return None

    def prepare_at(index: int) -> list[np.ndarray] | None:
        return prepare(data[index])  # type: ignore[index]

    tasks: Iterator[Callable[[], list[np.ndarray] | None]]
    if isinstance(data, Sequence | np.ndarray):
        tasks = (partial(prepare_at, index) for index in range(len(data)))
    else:  # full-size photographs wait, not prepared ones
        tasks, ahead = (partial(prepare, photograph) for photograph in data), _THREADS
    waiting: deque[Future[list[np.ndarray] | None]] = deque()
    pool = ThreadPoolExecutor(_THREADS)
    with one_opencv_thread():
        try:
            for task in tasks:
                waiting.append(pool.submit(task))
                del task  # it holds a photograph
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
