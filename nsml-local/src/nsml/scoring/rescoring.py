"""Score stored predictions again: after a change of a dataset's labels or scorer, and on the private part at the close."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import NsmlError
from ..store.datasets import Dataset
from ..store.files import read_json, write_json
from ..store.home import Home
from ..store.submissions import SCORED, outdated_submissions, submissions_of
from .predictions import FILE
from .scorer import same_answers, score


def rescore(home: Home, dataset: Dataset) -> Iterator[tuple[Path, float | str]]:
    """Rescore outdated submissions; yield each folder with its new score, or with the reason why it stays unchanged.

    The record lists earlier scores in `before`.
    """
    for folder in outdated_submissions(home, dataset):
        record = read_json(folder / SCORED)
        try:
            if not (folder / FILE).is_file():
                raise NsmlError("its predictions are missing; submit the checkpoint again")
            scored_by = dataset.scored_by()
            result = score(dataset, folder / FILE)
            same = same_answers(dataset, folder / FILE)
        except NsmlError as error:
            yield folder, str(error)
            continue
        names = ("score", "private", "constant", *scored_by)
        before = [*record.get("before", []), {name: record.get(name) for name in names}]
        record.pop("private", None)
        scores = {"score": result.value, "constant": result.constant, **same, "before": before}
        write_json(folder / SCORED, record | scored_by | scores)
        yield folder, result.value


def score_private(home: Home, dataset: Dataset) -> Iterator[tuple[Path, float | str]]:
    """Score the private part for all submissions that have no private score; yield as `rescore` does. Outdated ones are left out."""
    for record in submissions_of(home, dataset.name)[0]:
        if record["outdated"] or "private" in record:
            continue
        folder = home.submissions / dataset.name / record["number"]
        try:
            value = score(dataset, folder / FILE, private=True).value
        except NsmlError as error:
            yield folder, str(error)
            continue
        write_json(folder / SCORED, read_json(folder / SCORED) | {"private": value})
        yield folder, value
