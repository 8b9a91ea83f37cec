"""Limit OpenCV to one thread while our own thread pool works, so that the pools do not compete for cores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_lock = threading.Lock()
_inside = 0
_before = 0


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Set OpenCV's threads to 1; restore the number when the last of overlapping blocks ends."""
    global _inside, _before
    with _lock:
        if _inside == 0:
            _before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                cv2.setNumThreads(_before)
