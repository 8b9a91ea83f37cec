"""`nsml.training_photographs`: the training photographs of any dataset with their labels."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from ..scoring.photographs import Photographs
from ..scoring.public import patient_in
from ..store.labels import FEWEST, LabelError, Row, counted, few, read_labels
from ..store.photographs import photographs_below, why_unreadable
from ..wording import plain, short
from .context import current


@dataclass(frozen=True)
class TrainingPhotographs:
    """The photographs of DATASET_PATH/train that have a label and can be read, sorted by path.

    Attributes:
        images: decodes each when it is asked for, exactly as `infer` gets it: uint8 (height, width, 3), blue first.
        labels: label number of each, an index into `classes`, and what `infer` has to answer.
        classes: names by label number, in the order in which the dataset was pushed. One may have no photographs.
        patients: whose it is, so that both eyes can be on one side of a split: the table's patient, else the name up to `_R`, `_left`
            and so on, else the name.
        paths: their files.
    """

    images: Photographs
    labels: list[int]
    classes: tuple[str, ...]
    patients: list[str]
    paths: tuple[Path, ...]


def training_photographs() -> TrainingPhotographs:
    """The training photographs of this session's dataset, from class folders or a table of labels, whatever the classes are.

    What is left out is said on stderr, with a count.

    Raises:
        SystemExit: there is no dataset, or it has no photographs of two classes; the message is one line with the fix.
    """
    shown = current().dataset_path
    if not shown:
        sys.exit(
            "nsml: there is no dataset; start this with 'nsml run -d DATASET', or set NSML_DATASET to one of 'nsml dataset ls'"
        )
    root = Path(shown) / "train" / "train_data"
    try:
        found = photographs_below(root) if root.is_dir() else []
        labels = read_labels(root, found)
    except LabelError as error:
        sys.exit(f"nsml: {short(str(error), 500)}")
    unreadable = {path: why for path in labels.numbers if (why := why_unreadable(path))}
    problems = list(labels.problems)
    if unreadable:
        first = few([f"{path.name} is {why}" for path, why in unreadable.items()], 4)
        problems.append(f"{counted(len(unreadable), 'photograph')} left out, as unreadable: {first}")
    for problem in problems:
        print(f"warning: {plain(problem)}", file=sys.stderr)
    paths = tuple(path for path in sorted(labels.numbers) if path not in unreadable)
    numbers = [labels.numbers[path] for path in paths]
    if len(set(numbers)) < FEWEST:
        present = f", of {labels.classes[numbers[0]]}" if numbers else ""
        sys.exit(
            f"nsml: {root}: {len(paths)} photographs with a label{present}; training needs two classes, as folders or in a table "
            "train/labels.csv with the columns file and label"
        )
    patients = [labels.rows.get(path, Row()).patient or patient_in(path.stem) for path in paths]
    return TrainingPhotographs(Photographs(paths), numbers, labels.classes, patients, paths)
