"""Scoring stored predictions again, where a dataset's labels or its scorer have changed since."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import NsmlError
from ..store.datasets import Dataset
from ..store.files import read_json, write_json
from ..store.home import Home
from ..store.submissions import outdated_submissions
from .predictions import FILE
from .scorer import score


def rescore(home: Home, dataset: Dataset) -> Iterator[tuple[Path, float | str]]:
    """Each outdated submission's folder, with its new score, or with the reason why it has none and stays as it is.

    The score of before stays in the record, in `before`.
    """
    for folder in outdated_submissions(home, dataset):
        record = read_json(folder / "submission.json")
        try:
            if not (folder / FILE).is_file():
                raise NsmlError("its predictions are gone; submit the checkpoint again")
            scored_by = dataset.scored_by()
            value = score(dataset, folder / FILE).value
        except NsmlError as error:
            yield folder, str(error)
            continue
        before = [*record.get("before", []), {name: record.get(name) for name in ("score", *scored_by)}]
        write_json(folder / "submission.json", record | scored_by | {"score": value, "before": before})
        yield folder, value
