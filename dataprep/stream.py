"""Stream of photographs -> prepared images, in order, computed ahead by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from dataprep.opencv_threads import one_opencv_thread
from dataprep.photograph import PhotographError, Preparation, prepare_array


def prepare_each(
    data: Iterable[Any], preparations: Sequence[Preparation], ahead: int = 32, workers: int = 2
) -> Generator[list[np.ndarray] | None, None, None]:
    """Prepare each photograph of `data` by each of `preparations`: lists of uint8 (size, size, 3), in order; None for an invalid array.

    A sequence (a list, an array, or one that decodes on access) is indexed by `workers` threads, each of which holds one full-size
    photograph; up to `ahead` prepared images wait. Any other iterable is iterated in the caller's thread; up to `workers` of its
    photographs wait. Exceptions of `data` are passed on.
    """

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
    else:
        tasks, ahead = (partial(prepare, photograph) for photograph in data), workers

    waiting: deque[Future[list[np.ndarray] | None]] = deque()
    pool = ThreadPoolExecutor(workers)
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
