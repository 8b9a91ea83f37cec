"""From a folder of photographs to training and validation data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dataprep.cache import prepared_images
from dataprep.catalog import Catalog, CatalogError, Sample, read_catalog
from dataprep.split import Split, SplitError, split_folds, split_samples, split_table

from .console import Progress
from .settings import Settings

# Who stays on one side of a split: all photographs of a patient; or each file by itself, as most tutorials split, which puts
# fellow eyes on both sides.
SPLITS = ("patient", "file")


class DataError(ValueError):
    """Photographs that cannot be trained on, in one line that says what to change."""

    exit_status = 2


class Rows:
    """Some rows of an array of images, read on demand, so that a memory-mapped one stays on the disk."""

    def __init__(self, images: np.ndarray, indices: np.ndarray) -> None:
        self.images, self.indices = images, indices
        self.shape = (len(indices), *images.shape[1:])

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: Any) -> np.ndarray:
        rows: np.ndarray = self.images[self.indices[key]]
        return rows


@dataclass(frozen=True)
class Data:
    """Prepared images, uint8 (n, size, size, 3), an array or `Rows` of one, and labels, int (n,), of both sides of the split.

    `validation_samples` and `validation_patients`: file name and patient of each validation image; with them, the network records its
    predictions. `train_patients`: patient of each training image.
    """

    train_images: Any
    train_labels: np.ndarray
    validation_images: Any
    validation_labels: np.ndarray
    validation_samples: Sequence[str] = ()
    validation_patients: Sequence[str] = ()
    train_patients: Sequence[str] = ()


def read_data(folder: Path, settings: Settings, cache: Path) -> Data:
    """The photographs below `folder`, split as the settings say into training and validation, and prepared.

    Warnings and a table of the split are printed. DataError where the folder or the split is not possible.
    """
    from dataprep.patients import glance

    catalog, split = read_split(folder, settings)
    for warning in (*catalog.warnings, *split.warnings):
        print(f"warning: {warning}", flush=True)
    print(glance(catalog.samples), flush=True)
    print(split_table(catalog.samples, split, settings.classes), flush=True)
    images = prepared_images(
        [sample.path for sample in catalog.samples], settings.preparation, cache, Progress("preparing photographs")
    )
    labels = np.array([sample.label for sample in catalog.samples])
    training, validation = split.train, split.validation
    validated = [catalog.samples[index] for index in validation]
    return Data(
        Rows(images, training), labels[training], Rows(images, validation), labels[validation],
        [sample.path.relative_to(folder).as_posix() for sample in validated], [sample.patient for sample in validated],
        [catalog.samples[index].patient for index in training],
    )  # fmt: skip


def read_split(folder: Path, settings: Settings) -> tuple[Catalog, Split]:
    """What is in `folder`, and which of its samples train and validate. DataError as from `read_data`."""
    if settings.split not in SPLITS:
        raise DataError(f"split is {settings.split!r}; give one of {', '.join(SPLITS)}")
    try:
        catalog = read_catalog(folder, settings.classes)
        samples = catalog.samples if settings.split == "patient" else _each_alone(catalog.samples)
        if settings.folds:
            split = split_folds(samples, settings.folds, settings.fold, settings.seed)
        else:
            split = split_samples(samples, seed=settings.seed)
        return catalog, split if settings.share == 1 else _less(samples, split, settings.share, settings.seed)
    except (CatalogError, SplitError) as error:
        raise DataError(str(error)) from None


def check_folds(folder: Path, settings: Settings) -> None:
    """Split every fold. DataError names one that is not possible, which would else come out after hours of training the ones before."""
    for fold in range(settings.folds):
        try:
            read_split(folder, replace(settings, fold=fold))
        except DataError as error:
            raise DataError(f"fold {fold}: {error}") from None


def _less(samples: Sequence[Sample], split: Split, share: float, seed: int) -> Split:
    """The split with about that share of each class's training photographs, and the same validation."""
    rows = split_samples([samples[index] for index in split.train], share, seed).validation
    return replace(split, train=split.train[rows])


def _each_alone(samples: Sequence[Sample]) -> list[Sample]:
    return [replace(sample, patient=str(sample.path)) for sample in samples]
