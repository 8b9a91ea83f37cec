"""Does a label file fit the test set? Asked at push and at submit, so that nobody learns it after a training."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from ..errors import NsmlError
from ..store.datasets import Dataset
from ..store.labels import few
from ..store.photographs import ENDINGS, photographs_below
from ..wording import plain
from .fundus import CLASSES
from .metrics import METRICS
from .predictions import Kind, composed, image_ids, is_class, is_finite, read_classes, text_lines

_SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars", " ": "blanks"}
_NO_TEXT = " is not text; save it as UTF-8"


def label_trouble(dataset: Dataset) -> str:
    """The first line of the label file that does not fit, with its fix; "" where all fit.

    Fits means: the built-in scorer can read it, and it names each test photograph once. What an organiser's own scorer can read
    nobody else knows, and which items an organiser's loader feeds neither.
    """
    if not _is_read_by_us(dataset):
        return ""
    if why := dataset.labels_unreadable():
        return f"test/test_label cannot be read: {why}; change its permissions"
    try:
        lines = [
            (number, line.strip()) for number, line in text_lines(dataset.labels, "the label file") if line.strip()
        ]
    except NsmlError:
        return f"test/test_label{_NO_TEXT}"
    root = dataset.submission / "test"
    fed = [] if dataset.loader.exists() else photographs_below(root)
    ids = [composed(i) for i in image_ids(fed, root)]
    images = Counter(ids)
    if twice := next((name for name, count in images.items() if count > 1), ""):
        return plain(f"two test photographs are called {twice} (FOLDER,FILE); rename one, in the label file too")
    trouble = _trouble(lines, set(images), dataset.metric(), dataset.classes() or CLASSES)
    broken = [image for path, image in zip(fed, ids, strict=True) if {"\n", "\r"} & {*str(path.relative_to(root))}]
    if trouble and (named := next((image for image in broken if not any(image in line for _, line in lines)), "")):
        # Which is why the label file has a line too many.
        trouble = (
            rf": a line break is in the name of the test photograph {named}; rename it, or write it as \n, as here"
        )
    return plain(f"test/test_label{trouble}") if trouble else ""


def _is_read_by_us(dataset: Dataset) -> bool:
    return dataset.has_label_file and not dataset.evaluation.exists() and dataset.metric() in METRICS


def number_trouble(dataset: Dataset) -> str:
    """The first label of a file without other trouble that is not a number of the dataset's classes; "" if all are."""
    classes = dataset.classes()
    if not classes or not _is_read_by_us(dataset):
        return ""
    if METRICS[dataset.metric()].kind is Kind.NUMBER:
        return ""
    for name, number in read_classes(dataset.labels, "the label file").items():
        if number >= len(classes):
            return (
                f"test/test_label: {number}, of {name}, is no class; the classes are {_numbered(classes)}; correct the labels, or give all "
                "classes with --classes"
            )
    return ""


def order_trouble(dataset: Dataset) -> str:
    """In which order labels without names are taken, where people would count the photographs in another; "" elsewhere."""
    if not _is_read_by_us(dataset) or dataset.loader.exists():
        return ""
    if any("," in line for _, line in text_lines(dataset.labels, "the label file")):
        return ""
    fed = photographs_below(dataset.submission / "test")
    other = [path != counted for path, counted in zip(fed, sorted(fed, key=_as_counted), strict=True)]
    if True not in other:
        return ""
    first = max(0, other.index(True) - 1)
    order = ", ".join(path.name for path in fed[first : first + 3])
    return plain(
        f"test/test_label: labels without names are taken in the order of the sorted paths, {order}; write FOLDER,FILE,LABEL lines"
    )


def _as_counted(path: PurePath) -> list[list[str | int]]:
    """Sorts 9 before 10, and capitals as small letters."""
    pieces = (re.split(r"(\d+)", part.casefold()) for part in path.parts)
    return [[int(piece) if piece.isdecimal() else piece for piece in part] for part in pieces]


def _numbered(classes: Sequence[str]) -> str:
    return few([f"{name} {number}" for number, name in enumerate(classes)])


def _trouble(lines: list[tuple[int, str]], images: set[str], metric: str, classes: Sequence[str]) -> str:
    if not lines:
        return " is empty; write a FOLDER,FILE,LABEL line for each test photograph"
    if any("\0" in line for _, line in lines[:100]):
        return _NO_TEXT
    if re.match(r"\{\s*(\"|$)|\[\s*([\[{\"]|$)", lines[0][1]):
        return " is JSON; bring evaluation/evaluation.py and evaluation/data_loader.py that read it, or write FOLDER,FILE,LABEL lines"
    is_value = is_finite if METRICS[metric].kind is Kind.NUMBER else is_class
    bare = not any("," in line for _, line in lines)
    named: dict[str, int] = {}
    for position, (number, line) in enumerate(lines):
        where = f", line {number}, {line[:80]!r}"
        name, comma, value = (part.strip() for part in line.rpartition(","))
        quoted = value if composed(name) in images else line
        if '"' in quoted or quoted.count("'") > 1:
            return f"{where}: quotes stand around its fields; remove them"
        if any("\udc80" <= letter <= "\udcff" for letter in line) and composed(name) not in images:
            return f"{where}: it is not UTF-8; save the file as UTF-8"
        if bare and (separators := [words for mark, words in _SEPARATORS.items() if mark in line]):
            return f"{where}: {separators[0]} stand between its fields; put commas"
        if not bare and not (comma and value):
            return f"{where}: it is not FOLDER,FILE,LABEL; correct it"
        if not is_value(value):
            after = lines[1:2]
            is_first = position == 0 and composed(name) not in images and not is_finite(value)
            if is_first and after and is_value(after[0][1].rpartition(",")[2].strip()):
                return f"{where}: it is a header; remove it"
            return f"{where}: {_value_trouble(value, metric, classes)}"
        if bare:
            continue
        name = composed(name)
        if name in named:
            return f"{where}: line {named[name]} names the same file; remove one of the lines"
        if images and name not in images:
            return f"{where}: it names no test photograph; {_nearest(name, images)}"
        named[name] = number
    if images and len(lines) != len(images):
        first = "" if bare else f", {min(images - named.keys())!r} the first of those without"
        return f" has {len(lines)} lines for {len(images)} test photographs{first}; write a line for each"
    return ""


def _value_trouble(value: str, metric: str, classes: Sequence[str]) -> str:
    if METRICS[metric].kind is Kind.NUMBER:
        return f"{value[:20]!r} is no number; correct it"
    if is_finite(value) and is_class(whole := f"{float(value):.0f}") and float(whole) == float(value):
        return f"{value[:20]!r} is no whole number; write {whole}"
    return f"{value[:20]!r} is no class; write classes as numbers ({_numbered(classes)})"


def _nearest(name: str, images: set[str]) -> str:
    """The photograph that a line may mean: of other case, with blanks, without its ending or with another, or in another folder."""
    file = PurePath(re.split(r"[,/\\]", name)[-1].strip().casefold())
    for part in ("name", "stem"):
        for image in sorted(images):
            path = PurePath(image.rpartition(",")[2].casefold())
            if getattr(path, part) in (file.name, getattr(file, part)):
                return f"write {image}"
    if file.suffix[1:].isalpha() and file.suffix not in ENDINGS:
        return f"files with the ending {file.suffix} are not read; convert it to PNG or JPEG, or remove the line"
    return "remove the line, or put the photograph into test/test_data"
