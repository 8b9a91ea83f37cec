"""Feed `infer` through the organiser's `data_loader.py`, in all forms that the platform's competitions used."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import PredictionsRefused, RunFailed
from ..wording import say

Infer = Callable[..., Any]
_NAME = "nsml_organiser_data_loader"


def feed_with_loader(
    infer: Infer, loader: Path, dataset_path: Path, output: Path, batch_size: int | None = None
) -> None:
    """Let the organiser's loader call `infer` and write the predictions to `output`.

    A loader with `feed_infer(output_file, infer_func)` calls `infer` and writes the file itself. A loader with only
    `test_data_loader(root)` (2018) returns the argument of `infer`, or a tuple of arguments. Then each prediction is written on a
    line; of pairs, the second value.

    Args:
        batch_size: passed to `feed_infer` if it has such a parameter.

    Raises:
        RunFailed: the loader itself failed.
        PredictionsRefused: the loader could not use the result of `infer`, or wrote an empty file.
        Exception: any error of `infer`.
    """
    module = _import(loader)
    watched = _WatchedInfer(infer)
    try:
        if feed := getattr(module, "feed_infer", None):
            feed(str(output), watched, **_batch_size(feed, batch_size))
        elif load := getattr(module, "test_data_loader", None):
            _write_answers(output, watched(*_arguments(load, dataset_path)))
        else:
            raise RunFailed("the organiser's data_loader.py has no feed_infer(output_file, infer_func)")
    except RunFailed:
        raise
    except Exception as error:
        if watched.raised is not None:
            raise watched.raised from None
        say(traceback.format_exc().rstrip(), 2)
        where = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}{_line_in(error, loader)}"
        if watched.calls:
            raise PredictionsRefused(
                f"the organiser's data_loader.py could not use what infer returned, {watched.returned}: {where}"
            ) from error
        raise RunFailed(f"the organiser's data_loader.py failed before it called infer: {where}") from error
    if not output.is_file():
        raise RunFailed("the organiser's feed_infer wrote no prediction file")
    if not output.stat().st_size:
        raise PredictionsRefused("the organiser's feed_infer wrote an empty prediction file; see what infer returned")


class _WatchedInfer:
    """`infer`, with the number of calls, a description of its last result, and its exception."""

    def __init__(self, infer: Infer) -> None:
        self._infer = infer
        self.calls = 0
        self.returned = ""
        self.raised: BaseException | None = None

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        self.calls += 1
        try:
            answer = self._infer(*arguments, **keywords)
        except BaseException as error:
            self.raised = error
            raise
        length = f" of {len(answer)}" if hasattr(answer, "__len__") else ""
        self.returned = f"a {type(answer).__name__}{length}"
        return self._watch(answer) if isinstance(answer, Generator) else answer

    def _watch(self, answers: Generator[Any, Any, Any]) -> Iterator[Any]:
        """The values of a generator; an exception in it counts as one of `infer`."""
        try:
            yield from answers
        except Exception as error:
            self.raised = error
            raise


def _import(loader: Path) -> ModuleType:
    # Under a unique name, so that it does not clash with a data_loader.py of the competitor.
    spec = importlib.util.spec_from_file_location(_NAME, loader)
    if spec is None or spec.loader is None:
        raise RunFailed(f"the organiser's {loader} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    sys.path.append(str(loader.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        say(traceback.format_exc().rstrip(), 2)
        raise RunFailed(
            f"the organiser's data_loader.py cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return module


def _batch_size(feed: Callable[..., Any], batch_size: int | None) -> dict[str, int]:
    names = inspect.signature(feed).parameters
    name = next((name for name in ("batch_size", "batch") if name in names), None)
    return {name: batch_size} if name and batch_size is not None else {}


def _arguments(load: Callable[..., Any], dataset_path: Path) -> tuple[Any, ...]:
    """The arguments of `infer` from a loader of 2018, called with DATASET_PATH, or with DATASET_PATH/test if its files are there."""
    try:
        data = load(str(dataset_path))
    except (FileNotFoundError, NotADirectoryError):
        data = load(str(dataset_path / "test"))
    return data if isinstance(data, tuple) else (data,)


def _write_answers(output: Path, answers: Any) -> None:
    lines = [answer[1] if isinstance(answer, list | tuple) and len(answer) == 2 else answer for answer in answers]
    output.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _line_in(error: BaseException, loader: Path) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == loader]
    return f" (line {lines[-1]})" if lines else ""
