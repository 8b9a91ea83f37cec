"""The photographs of an ablation, and the test labels if they can be read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataprep.catalog import read_chosen
from dataprep.labels import readable
from dataprep.split import split_folds

from ..audit.layout import find_test, find_training


class DatasetError(ValueError):
    """A dataset that cannot be found or used. The message is one line and says what to change."""

    exit_status = 2


@dataclass(frozen=True)
class Dataset:
    """`photographs`: the folder of the class folders. `test`: test photographs of the classes whose labels, int (n,), can be read, or none.

    `digest` identifies the photographs by their names and sizes.
    """

    name: str
    root: Path
    photographs: Path
    classes: tuple[str, ...]
    test: tuple[Path, ...]
    test_labels: np.ndarray
    digest: str
    patient_pattern: str = ""


def find_dataset(
    data: str, classes: Sequence[str] | None, folds: int, seeds: int, patient_pattern: str = ""
) -> Dataset:
    """A dataset by its folder, else by its registered name, checked to have `folds` folds for each of the seeds 0 to `seeds` - 1.

    A registered dataset has no test labels: the platform hides them. Raises DatasetError if there is no such dataset,
    CatalogError or SplitError if it cannot be used; each with the fix.
    """
    root = Path(data)
    if not root.is_dir():
        if os.sep in data:
            raise DatasetError(f"{data}: no such folder; give the dataset's, which holds train/train_data")
        root = _registered(data)
    folder = find_training(root)
    catalog = read_chosen(folder, classes, patient_pattern)
    samples = catalog.samples
    for seed in range(seeds):
        for fold in range(folds):
            split_folds(samples, folds, fold, seed, catalog.classes)
    test, labels = _read_test(root, folder, catalog.numbers)
    facts = [f"{path.name} {path.stat().st_size}" for path in test]
    facts += [f"{sample.path.relative_to(folder).as_posix()} {sample.path.stat().st_size}" for sample in samples]
    digest = hashlib.sha256("\n".join([*facts, *map(str, labels)]).encode("utf-8", "surrogateescape")).hexdigest()
    name = root.resolve().name if root == Path(data) else data
    return Dataset(name, root, folder, catalog.classes, test, labels, digest[:12], patient_pattern)


def _registered(name: str) -> Path:
    os.environ["NSML_DATASET"] = name
    try:
        import nsml

        path = str(nsml.DATASET_PATH)
    except Exception as error:
        raise DatasetError(f"{name}: {error}") from None
    if not path:
        raise DatasetError(f"{name}: neither a folder nor a dataset of 'nsml dataset ls'")
    return Path(path)


def _read_test(root: Path, folder: Path, classes: Sequence[int]) -> tuple[tuple[Path, ...], np.ndarray]:
    label_file = root / "test" / "test_label"
    nothing = (), np.zeros(0, int)
    if not label_file.is_file():
        return nothing
    photographs = {readable(f"{path.parent.name},{path.name}"): path for path in find_test(folder, None)}
    numbers = {str(number): label for label, number in enumerate(classes)}
    label_of: dict[Path, int] = {}
    lines = label_file.read_text(encoding="utf-8-sig", errors="surrogateescape").split("\n")
    for line, text in enumerate(lines, 1):
        name, _, number = text.rpartition(",")
        name = readable(",".join(part.strip() for part in name.split(",", 1)))
        if name in photographs and number.strip() in numbers:
            label_of[photographs[name]] = numbers[number.strip()]
        elif text.strip() and name not in photographs:
            raise DatasetError(
                f"{label_file}, line {line}, {readable(text)[:80]!r}: it names no test photograph; write FOLDER,FILE,LABEL, and see "
                f"'nsml dataset check {root}'"
            )
    if not label_of:
        raise DatasetError(f"{label_file}: no label is {' or '.join(numbers)}, as the classes are; correct the labels")
    return tuple(label_of), np.array(list(label_of.values()), int)
