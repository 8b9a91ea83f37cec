"""What is wrong with a dataset: asked at push, so that nobody learns it after a training."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ..store.datasets import Dataset
from ..store.files import sha256_of
from ..store.labels import counted, few
from ..store.photographs import photographs_below, why_unreadable
from ..wording import plain
from .labels import label_trouble, number_trouble
from .metrics import missing_library


def dataset_problems(dataset: Dataset) -> list[str]:
    """One line for each problem, with its count, examples and the fix. Labels of the test set come last."""
    found = dataset.record().get("problems")
    problems = [str(problem) for problem in found] if isinstance(found, list) else []
    test, training = dataset.submission / "test", dataset.training / "train" / "train_data"
    tested = photographs_below(test) if test.is_dir() else []
    unreadable = {path: why for path in tested if (why := why_unreadable(path))}
    if unreadable:
        first = ", ".join(f"{path.name} is {unreadable[path]}" for path in list(unreadable)[:3])
        problems.append(
            f"{counted(len(unreadable), 'test photograph')} unreadable, so infer gets a black image: {first}"
        )
    copies = _copies(tested, photographs_below(training) if training.is_dir() else [])
    if copies:
        first = few([f"{one.name} is {other.relative_to(training).as_posix()}" for one, other in copies.items()], 4)
        problems.append(
            f"{len(copies)} of {len(tested)} test photographs are training photographs too, so their score says nothing ({first}); "
            "remove them from one of the two"
        )
    if dataset.labels.exists() and not dataset.can_be_scored:
        problems.append(
            "test/test_label is a folder, which only an evaluation/evaluation.py can read; write it as a file"
        )
    elif (like := dataset.record().get("like_labels")) and not dataset.can_be_scored:
        problems.append(f"{few(like)} is named like labels, but not read; to score with it, name it test/test_label")
    scored_here = dataset.has_label_file and not dataset.evaluation.exists() and dataset.referee() is None
    if scored_here and (lack := missing_library(dataset.metric())):
        problems.append(f"{lack}, else no submit can be scored")
    if trouble := label_trouble(dataset):
        problems.append(f"{trouble}, else no submit can be scored")
    elif trouble := number_trouble(dataset):
        problems.append(trouble)
    return [plain(problem) for problem in problems]


def _copies(ones: Sequence[Path], others: Sequence[Path]) -> dict[Path, Path]:
    """For each of `ones` that has the content of one of `others`, the first such. A file is read only if another has its size."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in ones:
        with contextlib.suppress(OSError):
            by_size[path.stat().st_size].append(path)
    by_size.pop(0, None)
    digests: dict[str, list[Path]] = {}
    hashed: set[int] = set()
    copies: dict[Path, Path] = {}
    for other in others:
        with contextlib.suppress(OSError):
            size = other.stat().st_size
            if size not in by_size:
                continue
            if size not in hashed:
                hashed.add(size)
                for path in by_size[size]:
                    digests.setdefault(sha256_of(path), []).append(path)
            for path in digests.get(sha256_of(other), ()):
                copies.setdefault(path, other)
    return copies
