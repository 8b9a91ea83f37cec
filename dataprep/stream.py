"""Photographs as they are fed -> prepared images, in order, by threads that work ahead a little."""

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
    """Each photograph of `data` in every one of the preparations, uint8 (size, size, 3), in order; None for what is no such array.

    A sequence (a list, an array of arrays, or one that decodes a photograph when it is indexed) is indexed by `workers` threads at a
    time, each of which holds one full-size photograph; up to `ahead` prepared images wait. Anything else is only iterated, in the
    caller's thread, and up to `workers` of its photographs wait beside the one that it gave last. What `data` raises is raised here.
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
                del task  # which holds a photograph
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
