"""Is a submission better than guessing? Predictions that are all the same, and the score that one answer for every photograph reaches."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..store.files import regular
from ..wording import plain, score
from .predictions import Kind

# So few predictions may well be the same without anything being wrong.
FEW = 5
# Larger files, of an organiser's loader, hold something else than answers.
_LARGEST = 64_000_000
_LONGEST = 40  # letters of an answer in a message


def best_constant(kind: Kind, labels: Sequence[Any], classes: int) -> Any:
    """The answer that scores best where every photograph gets it: the largest class, the mean, or the shares of the classes."""
    if kind is Kind.NUMBER:
        return math.fsum(labels) / len(labels)
    counts = Counter(labels)
    if kind is Kind.CLASS:
        return max(sorted(counts), key=lambda label: counts[label])
    return [counts[label] / len(labels) for label in range(classes)]


def one_answer(predictions: Path, kind: Kind | None) -> dict[str, Any]:
    """`{"one_class": "0", "predictions": 86}` where a prediction file has one class, or one other answer, for all of its lines.

    Args:
        kind: of the predictions; None where an organiser's loader wrote them in a form of its own: the last field of each line counts.

    Returns:
        An empty dict where the answers differ, where there are only a few, or where the file holds no lines of text.
    """
    with regular(predictions) as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST or b"\0" in content:
        return {}
    lines = content.decode(errors="replace").split("\n")
    answers = [_answer(line, kind) for line in lines if line.strip()]
    if kind is None and len(answers) > 1 and not _numbers(answers[0]) and _numbers(answers[1]):
        del answers[0]  # the names of columns
    if len(answers) <= FEW or not answers[0] or answers.count(answers[0]) < len(answers):
        return {}
    return {"one_class": plain(answers[0])[:_LONGEST], "predictions": len(answers)}


def _answer(line: str, kind: Kind | None) -> str:
    """The most probable class of a row of probabilities; else the last field as it stands."""
    text = line.rpartition("," if "," in line else "\t")[2].strip()
    values = _numbers(text)
    if kind is Kind.PROBABILITIES and len(values) == 1:
        return str(int(values[0] >= 0.5))
    if len(values) > 1 and all(0 <= value <= 1 for value in values):
        return str(values.index(max(values)))
    return text


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split()]
    except ValueError:
        return []


def one_answer_warning(result: dict[str, Any], named: Callable[[str], str] = str) -> list[str]:
    """A warning on the result of `one_answer`, as a list of one line, or of none. `named` adds its name to a label number."""
    if not result:
        return []
    answer = plain(named(result["one_class"]))
    same = "of one class" if result["one_class"].isdecimal() else "the same"
    return [
        f"all {result['predictions']:,} predictions are {same}, {answer}: the network may have collapsed; look at its training, and at "
        "what infer returns ('nsml submit -t')"
    ]


def beats(value: float, constant: float, lower_is_better: bool) -> bool:
    """Whether a score is better than that of the constant answer."""
    return value < constant if lower_is_better else value > constant


def beside(value: float, constant: float, lower_is_better: bool) -> list[str]:
    """What to say beside a score: what guessing reaches, and, where that is so, that the score is not better."""
    lines = [f"the same answer for every photograph reaches at best {score(constant)}"]
    if not beats(value, constant, lower_is_better):
        lines.append(f"not {'below' if lower_is_better else 'above'} the same answer for every photograph")
    return lines
