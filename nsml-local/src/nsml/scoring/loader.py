"""Feeding `infer` through the organiser's `data_loader.py`, in every shape that the platform's competitions had."""

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

Infer = Callable[..., Any]
_NAME = "nsml_organiser_data_loader"


def feed_with_loader(
    infer: Infer, loader: Path, dataset_path: Path, output: Path, batch_size: int | None = None
) -> None:
    """Let the organiser's loader feed `infer`, and have its predictions in `output`.

    A loader with `feed_infer(output_file, infer_func)` calls `infer` as it likes and writes the file. One with
    `test_data_loader(root)` alone (2018) returns what `infer` is called with, a tuple as several arguments; the second of each pair
    that `infer` returns is written, one a line.

    Args:
        batch_size: handed on where `feed_infer` takes one.

    Raises:
        RunFailed: the loader failed, by itself.
        PredictionsRefused: it could not make anything of what `infer` returned, or wrote an empty file.
        Whatever `infer` raises.
    """
    module = _import(loader)
    watched = _Watched(infer)
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
        traceback.print_exc()
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


class _Watched:
    """`infer`, remembering whether it was called, what it returned last and what it raised."""

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
        """What a generator yields; it is infer that raises where it does."""
        try:
            yield from answers
        except Exception as error:
            self.raised = error
            raise


def _import(loader: Path) -> ModuleType:
    # A name of its own, so that a data_loader.py of the competitor neither stands in for it nor is hidden by it.
    spec = importlib.util.spec_from_file_location(_NAME, loader)
    if spec is None or spec.loader is None:
        raise RunFailed(f"the organiser's {loader} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    sys.path.append(str(loader.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        traceback.print_exc()
        raise RunFailed(
            f"the organiser's data_loader.py cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return module


def _batch_size(feed: Callable[..., Any], batch_size: int | None) -> dict[str, int]:
    names = inspect.signature(feed).parameters
    taken = next((name for name in ("batch_size", "batch") if name in names), None)
    return {taken: batch_size} if taken and batch_size is not None else {}


def _arguments(load: Callable[..., Any], dataset_path: Path) -> tuple[Any, ...]:
    """What a loader of 2018 returns for DATASET_PATH, or for DATASET_PATH/test where it looks for its files there."""
    try:
        found = load(str(dataset_path))
    except (FileNotFoundError, NotADirectoryError):
        found = load(str(dataset_path / "test"))
    return found if isinstance(found, tuple) else (found,)


def _write_answers(output: Path, answers: Any) -> None:
    lines = [answer[1] if isinstance(answer, list | tuple) and len(answer) == 2 else answer for answer in answers]
    output.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _line_in(error: BaseException, loader: Path) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == loader]
    return f" (line {lines[-1]})" if lines else ""
