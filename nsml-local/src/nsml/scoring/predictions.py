"""Predictions: check the result of `infer`, and write the prediction file, one line `FOLDER,FILE,PREDICTION` per image."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from ..errors import NsmlError, PredictionsRefused
from ..store.files import is_utf16, read_text, write_text
from ..wording import counted

FILE = "predictions.csv"
# Key of a value without FOLDER,FILE: this and the line's number.
BARE = "line "
# Digits of a class. Scorers count by class, so a stray number must not create a billion classes.
_LONGEST_CLASS = 4
MOST_CLASSES = 10**_LONGEST_CLASS


class Kind(Enum):
    """The kind of a prediction for one image."""

    CLASS = "class"  # an integer
    NUMBER = "number"  # a float
    PROBABILITIES = "probabilities"  # one float for the positive class, or one float per class


@dataclass(frozen=True)
class Wanted:
    """The result that `infer` must return: kind of prediction, number of classes (0 for numbers), and number of predictions, if known
    from the labels."""

    kind: Kind
    classes: int
    count: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """A dict for JSON."""
        return {"kind": self.kind.value, "classes": self.classes, "count": self.count}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Wanted:
        """The inverse of `to_dict`."""
        return cls(Kind(values["kind"]), values["classes"], values["count"])


_HINTS = {
    Kind.CLASS: "infer must return one integer class per {item}, in the order of {order}",
    Kind.NUMBER: "infer must return one number per {item}, in the order of {order}",
    Kind.PROBABILITIES: "infer must return {probabilities} for each {item}, in the order of {order}",
}


@dataclass(frozen=True)
class _Words:
    """Words for error messages: image, or item."""

    item: str
    items: str
    order: str

    def hint(self, wanted: Wanted) -> str:
        row = f"a row of {wanted.classes} probabilities"
        probabilities = row if wanted.classes > 2 else f"the probability of class 1, or {row},"
        return _HINTS[wanted.kind].format(item=self.item, order=self.order, probabilities=probabilities)


_IMAGES = _Words("image", "images", "data")
_ITEMS = _Words("item of the test data", "items of the test data", "the test data")


def check_predictions(returned: Any, wanted: Wanted, images: int | None) -> list[str]:
    """Check the result of `infer`; return the predictions as text for the file.

    Args:
        returned: the result of `infer`: a list, tuple, iterator or array of Python, NumPy, TensorFlow or PyTorch numbers, one per
            image; for probabilities also one row per image.
        wanted: a class must be in 0 .. `wanted.classes` - 1; a row of probabilities must have `wanted.classes` values.
        images: number of images. None if the test data are not images: then `wanted.count` predictions are required, or at least
            one if that is unknown.

    Raises:
        PredictionsRefused: one line on the first wrong prediction.
    """
    words = _ITEMS if images is None else _IMAGES
    hint = words.hint(wanted)
    shape = getattr(returned, "shape", None)
    if wanted.kind is not Kind.PROBABILITIES and shape is not None and len(shape) == 2 and shape[1] > 1:
        fix = " (numpy.argmax(scores, axis=1))" if wanted.kind is Kind.CLASS else ""
        raise PredictionsRefused(
            f"infer returned an array of shape {tuple(shape)}, probably scores by class; {hint}{fix}"
        )
    names = isinstance(returned, dict) or hasattr(returned, "columns")  # which iterating over a dict or DataFrame gives
    if returned is None or isinstance(returned, str | bytes) or names or not hasattr(returned, "__iter__"):
        raise PredictionsRefused(f"infer returned {_name(returned)}; {hint}")
    values = [_unwrap(item) for item in returned]
    if values and all(isinstance(item, float) and math.isnan(item) for item in values):
        raise PredictionsRefused(f"infer returned only NaN; the weights of this checkpoint may have diverged; {hint}")
    if values and wanted.kind is Kind.PROBABILITIES and all(type(item) is int for item in values):
        raise PredictionsRefused(
            f"infer returned whole numbers, the first {values[0]}, like label numbers, and the dataset is scored by probabilities; {hint}"
        )
    lines = [_check(item, f"{words.item} {position}", wanted, hint) for position, item in enumerate(values)]
    count = wanted.count if images is None else images
    if len(lines) != count if count is not None else not lines:
        inputs = f"{count} {words.items}" if count else words.order
        raise PredictionsRefused(f"infer returned {counted(len(lines), 'prediction')} for {inputs}; {hint}")
    return lines


def _check(item: Any, place: str, wanted: Wanted, hint: str) -> str:
    kind, classes = wanted.kind, wanted.classes
    if isinstance(item, list) and len(item) == 2:
        item = _of_pair(item, kind)
    if kind is Kind.PROBABILITIES and isinstance(item, list):
        if len(item) != classes or not all(_is_number(p) and 0 <= p <= 1 for p in item):
            raise PredictionsRefused(
                f"infer returned {str(item)[:60]} for {place}, not {classes} numbers from 0 to 1; {hint}"
            )
        return " ".join(repr(float(p)) for p in item)
    if kind is Kind.CLASS:
        if isinstance(item, bool) or not isinstance(item, int):
            raise PredictionsRefused(f"infer returned {_name(item)} for {place}; {hint}")
        if not 0 <= item < classes:
            raise PredictionsRefused(f"infer returned {item} for {place}, outside 0 .. {classes - 1}; {hint}")
        return str(item)
    if not _is_number(item):
        raise PredictionsRefused(f"infer returned {_name(item)} for {place}; {hint}")
    if kind is Kind.PROBABILITIES and classes > 2:
        raise PredictionsRefused(f"infer returned one number, {item}, for {place}; {hint}")
    if kind is Kind.PROBABILITIES and not 0 <= item <= 1:
        raise PredictionsRefused(f"infer returned {item} for {place}, outside 0 .. 1; {hint}")
    return repr(float(item))


def _of_pair(pair: list[Any], kind: Kind) -> Any:
    """The prediction in a pair (probability, class), the result of infer in many competitions. Two probabilities stay a pair."""
    if kind is not Kind.PROBABILITIES:
        return pair[1]
    are_probabilities = all(_is_number(p) for p in pair) and abs(sum(pair) - 1) < 1e-3
    return pair[0] if isinstance(pair[1], int) and not are_probabilities else pair


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool) and math.isfinite(item)


def _unwrap(item: Any) -> Any:
    """Convert a NumPy, TensorFlow or PyTorch scalar or row, or a list or array of one element, to Python values."""
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
    """`FOLDER,FILE` of each image, as in label files; FOLDER is the name of the file's parent folder below `root`.

    A line break in a name is written as a backslash and `n` or `r`.
    """
    names = (f"{path.relative_to(root).parent.name},{path.name}" for path in paths)
    return [name.replace("\n", "\\n").replace("\r", "\\r") for name in names]


def write_predictions(path: Path, predictions: Iterable[str], ids: Iterable[str] | None = None) -> None:
    """Write the prediction file atomically: `ID,PREDICTION` lines, or without `ids` one prediction per line."""
    lines = predictions if ids is None else (f"{n},{value}" for n, value in zip(ids, predictions, strict=True))
    write_text(path, "".join(f"{line}\n" for line in lines))


def composed(name: str) -> str:
    """A name in NFC, as Windows and Linux write it; macOS decomposes Korean letters, which looks the same."""
    return unicodedata.normalize("NFC", name)


def text_lines(path: Path, what: str) -> list[tuple[int, str]]:
    """The lines of a label or prediction file, with their numbers from 1. NsmlError if it cannot be read."""
    try:
        # File names are bytes on Linux and may contain characters at which `splitlines` splits.
        text = read_text(path) if is_utf16(path) else path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise NsmlError(f"{what} {path} cannot be read: {error.strerror}; fix it, or name another file") from None
    return list(enumerate(text.split("\n"), 1))


def read_lines(path: Path, what: str) -> dict[str, str]:
    """Read a label or prediction file: a dict from `FOLDER,FILE` to the last field. NsmlError names the first invalid line.

    A file without commas has one value per line; the keys are BARE and the line's number.
    """
    fields: dict[str, str] = {}
    lines = [(number, line) for number, line in text_lines(path, what) if line.strip()]
    if not any("," in line for _, line in lines):
        lines = [(number, f"{BARE}{at},{line}") for at, (number, line) in enumerate(lines, 1)]
    for number, line in lines:
        name, comma, value = line.rpartition(",")
        name = composed(name.strip())
        if not comma or not value.strip():
            raise NsmlError(f"{what} {path}, line {number}: {line[:60]!r} is not FOLDER,FILE,LABEL")
        if name in fields:
            raise NsmlError(f"{what} {path}, line {number}: {name} appears twice; remove one line")
        fields[name] = value.strip()
    if not fields:
        raise NsmlError(f"{what} {path} is empty")
    return fields


def names_in(lines: Iterable[str], images: Collection[str]) -> list[str]:
    """The image that each line names, by its id, else its first two fields.

    An id may hold more commas, and a loader may write several values behind it.
    """
    lengths = sorted({2, *(image.count(",") + 1 for image in images)}, reverse=True)
    possible = [[",".join(composed(line).split(",", n)[:n]) for n in lengths] for line in lines]
    return [next((name for name in names if name in images), names[-1]) for names in possible]


def read_part(path: Path) -> frozenset[str]:
    """Names of labels, one a line."""
    return frozenset(path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")) - {""}


def lines_of_part(path: Path, what: str, order: Sequence[str], part: Collection[str], rest: bool) -> str:
    """The lines of a label or prediction file whose names are in `part`, or with `rest` are not.

    Args:
        order: all names in the order of the label file, for a file whose lines have no names.

    Raises:
        NsmlError: the lines have other names, or another number.
    """
    lines = [line for _, line in text_lines(path, what) if line.strip()]
    names = [composed(line.rpartition(",")[0].strip()) for line in lines]
    if set(names) != set(order):
        names = list(order)
        if len(lines) != len(names) or any("," in line for line in lines):
            raise NsmlError(
                f"{what} {path} does not have a line NAME,VALUE for each label, so no part of it can be scored"
            )
    return "".join(f"{line}\n" for name, line in zip(names, lines, strict=True) if (name in part) != rest)


def is_class(value: str) -> bool:
    """Whether a label or prediction is a class number."""
    return value.isdecimal() and len(value) <= _LONGEST_CLASS


def is_finite(value: str) -> bool:
    """Whether a label or prediction is a finite number."""
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def read_classes(path: Path, what: str) -> dict[str, int]:
    """Read a file with one class per line: a dict from `FOLDER,FILE` to class. NsmlError names the first invalid line."""
    lines = read_lines(path, what)
    for number, (name, value) in enumerate(lines.items(), 1):
        if not is_class(value):
            raise NsmlError(
                f"{what} {path}, entry {number}: {value[:20]!r}, of {name[:60]}, is not a class from 0 to {MOST_CLASSES - 1}"
            )
    return {name: int(value) for name, value in lines.items()}


def match(truth: dict[str, Any], predicted: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Pairs of label and prediction by the label's name, matched by id; by order if one of the files has no ids.

    Raises:
        PredictionsRefused: an image has no prediction, or a prediction has no image.
    """
    if len(truth) == len(predicted) and any(next(iter(values)).startswith(BARE) for values in (truth, predicted)):
        return dict(zip(truth, zip(truth.values(), predicted.values(), strict=True), strict=True))
    missing, unknown = sorted(truth.keys() - predicted.keys()), sorted(predicted.keys() - truth.keys())
    if missing or unknown:
        raise PredictionsRefused(
            f"{len(predicted)} predictions for {len(truth)} images: {len(missing)} images have none"
            f"{f' ({missing[0]} is the first)' if missing else ''}, {len(unknown)} belong to no image"
            f"{f' ({unknown[0]} is the first)' if unknown else ''}"
        )
    return {name: (truth[name], predicted[name]) for name in sorted(truth)}
