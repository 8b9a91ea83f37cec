"""From a folder of photographs to training and validation data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dataprep.cache import prepared_images
from dataprep.catalog import Catalog, Sample, read_catalog
from dataprep.patients import glance
from dataprep.split import Split, SplitError, split_folds, split_samples, split_table

from .console import Progress
from .settings import Settings

# What stays on one side of a split: all photographs of a patient, or one file alone, as in most tutorials. By file, one eye of a patient
# may be in training and the other in validation.
SPLITS = ("patient", "file")


class Rows:
    """Some rows of an array of images, read on access, so that a memory-mapped array stays on disk."""

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
    """Training and validation data: prepared images, uint8 (n, size, size, 3), as an array or `Rows`, and labels, int (n,).

    `validation_samples` and `validation_patients`: file name and patient of each validation image; without them, the network does not
    record its predictions. `train_patients`: patient of each training image.
    """

    train_images: Any
    train_labels: np.ndarray
    validation_images: Any
    validation_labels: np.ndarray
    validation_samples: Sequence[str] = ()
    validation_patients: Sequence[str] = ()
    train_patients: Sequence[str] = ()


def read_data(folder: Path, settings: Settings, cache: Path, catalog: Catalog | None = None) -> Data:
    """Split the photographs below `folder` as in `settings`, and prepare them. Prints warnings and a table of the split.

    Args:
        catalog: of `folder`, if it is read already; reading it opens every photograph.

    Raises:
        CatalogError, SplitError: the folder or the split is invalid.
    """
    catalog = catalog or read_catalog(folder, settings.classes, settings.patient_pattern)
    split = split_catalog(catalog, settings)
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


def split_catalog(catalog: Catalog, settings: Settings) -> Split:
    """The split of a catalog into training and validation. SplitError if it is not possible."""
    if settings.split not in SPLITS:
        raise SplitError(f"split is {settings.split!r}; give one of {', '.join(SPLITS)}")
    samples: Sequence[Sample] = catalog.samples
    if settings.split == "file":
        samples = [replace(sample, patient=str(sample.path)) for sample in samples]
    if settings.folds:
        split = split_folds(samples, settings.folds, settings.fold, settings.seed, settings.classes)
    else:
        split = split_samples(samples, seed=settings.seed, classes=settings.classes)
    return split if settings.share == 1 else _with_share(samples, split, settings.share, settings.seed)


def check_folds(catalog: Catalog, settings: Settings) -> None:
    """Split every fold. SplitError names one that is not possible, before hours of training the ones before it."""
    for fold in range(settings.folds):
        try:
            split_catalog(catalog, replace(settings, fold=fold))
        except SplitError as error:
            raise SplitError(f"fold {fold}: {error}") from None


def _with_share(samples: Sequence[Sample], split: Split, share: float, seed: int) -> Split:
    """The split with about a share `share` of each class's training photographs, and the same validation."""
    training = [samples[index] for index in split.train]
    rows = split_samples(training, share, seed).validation
    # `split_samples` validates no class with a single patient, but the network cannot do without it.
    labels = np.array([sample.label for sample in training])
    alone = np.setdiff1d(labels, labels[rows])
    return replace(split, train=split.train[np.union1d(rows, np.flatnonzero(np.isin(labels, alone)))])
