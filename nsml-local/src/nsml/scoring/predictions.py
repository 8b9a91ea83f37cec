"""Predictions: what `infer` may return, and the file that they are written to, a `FOLDER,FILE,CLASS` line an image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import NsmlError, PredictionsRefused
from ..store.files import write_text

FILE = "predictions.csv"
HINT = "infer must return one integer class an image, in the order of data"


def check_predictions(returned: Any, count: int, classes: int) -> list[int]:
    """The predictions as Python ints.

    Args:
        returned: what `infer` returned: a list, tuple, iterator or array of shape (count,) or (count, 1), of Python or NumPy integers.
        count: number of images.
        classes: each prediction must be in 0 .. classes - 1.

    Raises:
        PredictionsRefused: one line that says what is wrong with the first bad one.
    """
    shape = getattr(returned, "shape", None)
    if shape is not None and len(shape) == 2 and shape[1] > 1:
        raise PredictionsRefused(
            f"infer returned an array of shape {tuple(shape)}, scores by class it seems; {HINT} (numpy.argmax(scores, axis=1))"
        )
    if returned is None or isinstance(returned, str | bytes | dict) or not hasattr(returned, "__iter__"):
        raise PredictionsRefused(f"infer returned {_kind(returned)}; {HINT}")
    found = [_unwrap(item) for item in returned]
    if found and all(isinstance(item, float) and math.isnan(item) for item in found):
        raise PredictionsRefused(
            f"infer returned nothing but NaN; the checkpoint's weights may have diverged, and {HINT}"
        )
    for position, item in enumerate(found):
        if isinstance(item, bool) or not isinstance(item, int):
            raise PredictionsRefused(f"infer returned {_kind(item)} for image {position}; {HINT}")
        if not 0 <= item < classes:
            raise PredictionsRefused(f"infer returned {item} for image {position}, outside 0 .. {classes - 1}; {HINT}")
    if len(found) != count:
        raise PredictionsRefused(f"infer returned {len(found)} predictions for {count} images; {HINT}")
    return found


def _unwrap(item: Any) -> Any:
    """A Python value out of a NumPy, TensorFlow or PyTorch scalar, or out of an array or list of one element."""
    for _ in range(3):
        if isinstance(item, bool | int | float | str) and type(item).__module__ == "builtins":
            return item
        if isinstance(item, list | tuple) and len(item) == 1:
            item = item[0]
            continue
        if not hasattr(item, "item") and callable(getattr(item, "numpy", None)):
            item = item.numpy()
        try:
            item = item.item()
        except (AttributeError, TypeError, ValueError, RuntimeError):
            return item
    return item


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, float):
        return f"the float {value}"
    if isinstance(value, str):
        return f"the text {value[:20]!r}"
    return f"a {type(value).__name__}"


def image_ids(paths: Sequence[Path], root: Path) -> list[str]:
    """`FOLDER,FILE` of each image, as label files name them: FOLDER is the one that the file lies in, below `root`."""
    return [f"{path.relative_to(root).parent.name},{path.name}" for path in paths]


def write_predictions(path: Path, ids: Iterable[str], predictions: Iterable[int]) -> None:
    """Write the file, all or nothing."""
    write_text(path, "".join(f"{name},{value}\n" for name, value in zip(ids, predictions, strict=True)))


def read_classes(path: Path, what: str) -> dict[str, int]:
    """The classes by `FOLDER,FILE` of a label or prediction file. NsmlError names the first line that is none."""
    found: dict[str, int] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NsmlError(f"{what} {path} cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, comma, value = line.rpartition(",")
        if not comma or not value.strip().isdecimal():
            raise NsmlError(
                f"{what} {path}, line {number}: {line[:60]!r} is not FOLDER,FILE,CLASS with a class of 0 or more"
            )
        if name.strip() in found:
            raise NsmlError(f"{what} {path}, line {number}: {name.strip()} stands there twice; remove one line")
        found[name.strip()] = int(value)
    if not found:
        raise NsmlError(f"{what} {path} is empty")
    return found
