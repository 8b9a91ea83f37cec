"""Score stored predictions again after a change of a dataset's labels or scorer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import NsmlError
from ..store.datasets import Dataset
from ..store.files import read_json, write_json
from ..store.home import Home
from ..store.submissions import outdated_submissions
from .predictions import FILE
from .scorer import same_answers, score


def rescore(home: Home, dataset: Dataset) -> Iterator[tuple[Path, float | str]]:
    """Rescore outdated submissions; yield each folder with its new score, or with the reason why it stays unchanged.

    The record lists earlier scores in `before`.
    """
    for folder in outdated_submissions(home, dataset):
        record = read_json(folder / "submission.json")
        try:
            if not (folder / FILE).is_file():
                raise NsmlError("its predictions are missing; submit the checkpoint again")
            scored_by = dataset.scored_by()
            result = score(dataset, folder / FILE)
            same = same_answers(dataset, folder / FILE)
        except NsmlError as error:
            yield folder, str(error)
            continue
        before = [*record.get("before", []), {name: record.get(name) for name in ("score", "constant", *scored_by)}]
        scores = {"score": result.value, "constant": result.constant, **same, "before": before}
        write_json(folder / "submission.json", record | scored_by | scores)
        yield folder, result.value
