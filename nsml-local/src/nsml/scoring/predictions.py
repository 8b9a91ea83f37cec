"""Predictions: what `infer` may return, and the file that they are written to, a `FOLDER,FILE,PREDICTION` line an image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from ..errors import NsmlError, PredictionsRefused
from ..store.files import write_text

FILE = "predictions.csv"


class Kind(Enum):
    """What a scorer takes for one image."""

    CLASS = "class"  # an integer
    NUMBER = "number"  # a float
    PROBABILITIES = "probabilities"  # a float of the positive class, or one float a class


_HINTS = {
    Kind.CLASS: "infer must return one integer class an image, in the order of data",
    Kind.NUMBER: "infer must return one number an image, in the order of data",
    Kind.PROBABILITIES: "infer must return a probability, or one a class, for each image, in the order of data",
}


def check_predictions(returned: Any, count: int, kind: Kind, classes: int) -> list[str]:
    """The predictions as they are written to the file.

    Args:
        returned: what `infer` returned: a list, tuple, iterator or array, of Python or NumPy (TensorFlow, PyTorch) numbers, one an
            image; for probabilities also one row an image.
        count: number of images.
        classes: a class must be in 0 .. classes - 1, a row of probabilities has so many.

    Raises:
        PredictionsRefused: one line that says what is wrong with the first bad one.
    """
    hint = _HINTS[kind]
    shape = getattr(returned, "shape", None)
    if kind is not Kind.PROBABILITIES and shape is not None and len(shape) == 2 and shape[1] > 1:
        mend = " (numpy.argmax(scores, axis=1))" if kind is Kind.CLASS else ""
        raise PredictionsRefused(
            f"infer returned an array of shape {tuple(shape)}, scores by class it seems; {hint}{mend}"
        )
    if returned is None or isinstance(returned, str | bytes | dict) or not hasattr(returned, "__iter__"):
        raise PredictionsRefused(f"infer returned {_name(returned)}; {hint}")
    found = [_unwrap(item) for item in returned]
    if found and all(isinstance(item, float) and math.isnan(item) for item in found):
        raise PredictionsRefused(
            f"infer returned nothing but NaN; the weights of this checkpoint may have diverged; {hint}"
        )
    lines = [_check(item, position, kind, classes) for position, item in enumerate(found)]
    if len(lines) != count:
        raise PredictionsRefused(f"infer returned {len(lines)} predictions for {count} images; {hint}")
    return lines


def _check(item: Any, position: int, kind: Kind, classes: int) -> str:
    hint = _HINTS[kind]
    if kind is Kind.PROBABILITIES and isinstance(item, list):
        if len(item) != classes or not all(_is_number(p) and 0 <= p <= 1 for p in item):
            raise PredictionsRefused(
                f"infer returned {str(item)[:60]} for image {position}, not {classes} numbers of 0 to 1; {hint}"
            )
        return " ".join(repr(float(p)) for p in item)
    if kind is Kind.CLASS:
        if isinstance(item, bool) or not isinstance(item, int):
            raise PredictionsRefused(f"infer returned {_name(item)} for image {position}; {hint}")
        if not 0 <= item < classes:
            raise PredictionsRefused(f"infer returned {item} for image {position}, outside 0 .. {classes - 1}; {hint}")
        return str(item)
    if not _is_number(item):
        raise PredictionsRefused(f"infer returned {_name(item)} for image {position}; {hint}")
    if kind is Kind.PROBABILITIES and not 0 <= item <= 1:
        raise PredictionsRefused(f"infer returned {item} for image {position}, outside 0 .. 1; {hint}")
    return repr(float(item))


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool) and math.isfinite(item)


def _unwrap(item: Any) -> Any:
    """Python values out of a NumPy, TensorFlow or PyTorch scalar or row, or out of an array or list of one element."""
    for _ in range(3):
        if isinstance(item, bool | int | float | str) and type(item).__module__ == "builtins":
            return item
        if isinstance(item, list | tuple):
            if len(item) != 1:
                return [_unwrap(part) for part in item]
            item = item[0]
            continue
        if not hasattr(item, "item") and callable(getattr(item, "numpy", None)):
            item = item.numpy()
        try:
            item = item.item()
        except (AttributeError, TypeError, ValueError, RuntimeError):
            return item.tolist() if callable(getattr(item, "tolist", None)) else item
    return item


def _name(value: Any) -> str:
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


def write_predictions(path: Path, ids: Iterable[str], predictions: Iterable[str]) -> None:
    """Write the file, all or nothing."""
    write_text(path, "".join(f"{name},{value}\n" for name, value in zip(ids, predictions, strict=True)))


def read_lines(path: Path, what: str) -> dict[str, str]:
    """The last field by the ones before it, of a label or prediction file. NsmlError names the first line that is none."""
    found: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NsmlError(f"{what} {path} cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, comma, value = line.rpartition(",")
        if not comma or not value.strip():
            raise NsmlError(f"{what} {path}, line {number}: {line[:60]!r} is not FOLDER,FILE,LABEL")
        if name.strip() in found:
            raise NsmlError(f"{what} {path}, line {number}: {name.strip()} stands there twice; remove one line")
        found[name.strip()] = value.strip()
    if not found:
        raise NsmlError(f"{what} {path} is empty")
    return found


def read_classes(path: Path, what: str) -> dict[str, int]:
    """The classes by `FOLDER,FILE` of a label or prediction file. NsmlError names the first line that has none."""
    lines = read_lines(path, what)
    for number, (name, value) in enumerate(lines.items(), 1):
        if not value.isdecimal():
            raise NsmlError(f"{what} {path}, entry {number}: {value[:20]!r}, of {name}, is no class of 0 or more")
    return {name: int(value) for name, value in lines.items()}


def match(truth: dict[str, Any], predicted: dict[str, Any]) -> None:
    """PredictionsRefused where an image has no prediction, or a prediction belongs to no image."""
    missing, unknown = sorted(truth.keys() - predicted.keys()), sorted(predicted.keys() - truth.keys())
    if missing or unknown:
        raise PredictionsRefused(
            f"{len(predicted)} predictions for {len(truth)} images: {len(missing)} images have none"
            f"{f' ({missing[0]} is the first)' if missing else ''}, {len(unknown)} belong to no image"
            f"{f' ({unknown[0]} is the first)' if unknown else ''}"
        )
