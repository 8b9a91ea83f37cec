"""Feeding the hidden test data to `infer`, in the competitor's process, since `infer` closes over that program's names."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import NsmlError, PredictionsRefused, RunFailed
from .photographs import Photographs, photographs_below
from .predictions import check_predictions, image_ids, write_predictions

Infer = Callable[..., Any]


def feed_photographs(
    infer: Infer, dataset_path: Path, output: Path, classes: int, on_progress: Callable[[int, int], None]
) -> int:
    """Feed the photographs below `dataset_path/test`, check the predictions, write them to `output`, return their number.

    `on_progress(done, total)` is called at most twice a second, and for the last photograph.
    """
    root = dataset_path / "test"
    paths = photographs_below(root)
    last = 0.0

    def on_read(done: int) -> None:
        nonlocal last
        if done == len(paths) or time.monotonic() - last > 0.5:
            last = time.monotonic()
            on_progress(done, len(paths))

    predictions = check_predictions(infer(Photographs(paths, on_read)), len(paths), classes)
    write_predictions(output, image_ids(paths, root), predictions)
    return len(paths)


def feed_with_loader(infer: Infer, loader: Path, output: Path) -> None:
    """Let the organiser's `data_loader.py` feed `infer` and write `output`, through its `feed_infer(output_file, infer_func)`."""
    # A name of its own, so that a data_loader.py of the competitor neither stands in for it nor is hidden by it.
    spec = importlib.util.spec_from_file_location("nsml_organiser_data_loader", loader)
    if spec is None or spec.loader is None:
        raise RunFailed(f"the organiser's {loader} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.append(str(loader.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise RunFailed(
            f"the organiser's data_loader.py cannot be imported: {type(error).__name__}: {error}"
        ) from error
    feed = getattr(module, "feed_infer", None)
    if feed is None:
        raise RunFailed("the organiser's data_loader.py has no feed_infer(output_file, infer_func)")
    feed(str(output), infer)
    if not output.is_file():
        raise RunFailed("the organiser's feed_infer wrote no prediction file")
    if not output.stat().st_size:
        raise PredictionsRefused("the organiser's feed_infer wrote an empty prediction file; see what infer returned")


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
