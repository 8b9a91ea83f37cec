"""Feeding the hidden test data to `infer`, in the competitor's process, since `infer` closes over that program's names."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import NsmlError
from .photographs import Photographs, photographs_below
from .predictions import Kind, check_predictions, image_ids, write_predictions

Infer = Callable[..., Any]


def feed_photographs(
    infer: Infer, dataset_path: Path, output: Path, kind: Kind, classes: int, on_progress: Callable[[int, int], None]
) -> int:
    """Feed the photographs below `dataset_path/test`, check the predictions, write them to `output`, return their number.

    `kind` and `classes` say what a prediction is, see `check_predictions`. `on_progress(done, total)` is called at most twice a
    second, and for the last photograph.
    """
    root = dataset_path / "test"
    paths = photographs_below(root)
    last = 0.0

    def on_read(done: int) -> None:
        nonlocal last
        if done == len(paths) or time.monotonic() - last > 0.5:
            last = time.monotonic()
            on_progress(done, len(paths))

    predictions = check_predictions(infer(Photographs(paths, on_read)), len(paths), kind, classes)
    write_predictions(output, image_ids(paths, root), predictions)
    return len(paths)


def describe(error: BaseException) -> str:
    """One line for an exception out of the competitor's code, with the place in it that raised."""
    if isinstance(error, NsmlError):
        return str(error)
    text = " ".join(str(error).split())
    place = ""
    trace = error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(Path.cwd()):
            place = f" ({path.relative_to(Path.cwd())}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return f"{type(error).__name__}: {text[:300]}{place}"
