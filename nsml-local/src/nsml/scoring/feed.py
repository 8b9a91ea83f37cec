"""Feed the test data to `infer`. This runs in the competitor's process, as `infer` uses that program's variables."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import NsmlError
from ..store.launches import VARIABLE
from ..store.photographs import photographs_below
from .photographs import Photographs
from .predictions import Wanted, check_predictions, image_ids, write_predictions

Infer = Callable[..., Any]
_NOTE = "infer gets "


def feed_test_data(
    infer: Infer, dataset_path: Path, output: Path, wanted: Wanted, on_progress: Callable[[int, int], None]
) -> int:
    """Feed the test data below `dataset_path/test` to `infer`, check the predictions and write them to `output`.

    Photographs are passed as a sequence of arrays (see `Photographs`). For other data, `infer` gets the path of `test_data`, a file or
    a folder, and returns predictions in the order of the labels. `on_progress(done, total)` is called for photographs: at most
    twice a second, and for the last one.

    Returns:
        The number of predictions.
    """
    root = dataset_path / "test"
    paths = photographs_below(root)
    if not paths:
        data = _test_data(root)
        try:
            predictions = check_predictions(_call(infer, str(data)), wanted, None)
        except Exception as error:
            error.add_note(_without_loader(f"the path of {data.relative_to(dataset_path)}"))
            raise
        write_predictions(output, predictions)
        return len(predictions)
    last = 0.0

    def on_read(done: int) -> None:
        nonlocal last
        if done == len(paths) or time.monotonic() - last > 0.5:
            last = time.monotonic()
            on_progress(done, len(paths))

    try:
        predictions = check_predictions(_call(infer, Photographs(paths, on_read)), wanted, len(paths))
    except (AttributeError, TypeError) as error:  # as of a program that expects paths
        error.add_note(_without_loader("the photographs as arrays"))
        raise
    write_predictions(output, predictions, image_ids(paths, root))
    return len(paths)


def _without_loader(given: str) -> str:
    return f"{_NOTE}{given}, as the dataset has no evaluation/data_loader.py; push it with one if this program expects other data"


def _test_data(root: Path) -> Path:
    data = root / "test_data" if (root / "test_data").exists() else root
    if not data.is_file() and not any(path.is_file() for path in data.rglob("*")):
        raise NsmlError(f"there is no file below {root}; push the dataset again with test/test_data")
    return data


def _call(infer: Infer, data: Any) -> Any:
    try:
        takes = inspect.signature(infer, follow_wrapped=False)  # a decorator may add arguments
    except (TypeError, ValueError):
        return infer(data)  # a C function without a signature
    try:
        takes.bind(data)
    except TypeError:
        raise NsmlError(
            f"infer{takes} cannot be called with the test data alone, and this dataset has no evaluation/data_loader.py that gives "
            "it more; bind an infer(data), or push the dataset with its organiser's loader"
        ) from None
    return infer(data)


def describe(error: BaseException) -> str:
    """One line for an exception of the competitor's code: type, message, file and line, and the notes of `feed_test_data`."""
    notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()) if note.startswith(_NOTE))
    if isinstance(error, NsmlError):
        return f"{error}{notes}"
    text = " ".join(str(error).split())[:300]
    # Not the current folder, which the program may have left or deleted.
    launch = os.environ.get(VARIABLE)
    try:
        work = os.path.realpath(Path(launch).parent / "work" if launch else Path.cwd())
    except FileNotFoundError:
        work = ""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        path = Path(os.path.realpath(trace.tb_frame.f_code.co_filename))
        if work and path.is_relative_to(work):
            place = f" ({path.relative_to(work)}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return f"{type(error).__name__}{': ' if text else ''}{text}{place}{notes}"
