"""The platform's layout of folders, from a dataset's root or from its training folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dataprep.catalog import CLASSES, Catalog, CatalogError, plain_name, read_catalog
from dataprep.folder import read_folder
from dataprep.header import EXTENSIONS


def find_training(path: Path) -> Path:
    """The folder of the class folders: `train/train_data` below `path` if it exists, else `path`."""
    inside = path / "train" / "train_data"
    return inside if inside.is_dir() else path


def find_test(path: Path, given: Path | None) -> list[Path]:
    """The test photographs, sorted: from the folder `given`, else from the dataset of `path`; [] if there are none."""
    training = find_training(path).absolute()
    beside = training.parent.parent / "test" if training.parts[-2:] == ("train", "train_data") else None
    folder = given or beside
    if folder is None:
        return []
    if given and not given.is_dir():
        raise CatalogError(f"{given}: no such folder; give the folder of the test photographs")
    photographs = list(read_folder(folder / "test_data" if (folder / "test_data").is_dir() else folder).photographs)
    if given and not photographs:
        raise CatalogError(f"{given}: no photographs in it ({' '.join(sorted(EXTENSIONS))})")
    return photographs


def read_classes(folder: Path, names: Sequence[str] | None) -> tuple[Catalog, tuple[str, ...]]:
    """The catalog of a training folder, and the classes of its labels. names: only these classes, if given."""
    if names is None:
        return read_catalog(folder), CLASSES
    # All classes, as the catalog warns about folders of unknown classes.
    known = (*CLASSES, *(name for name in names if name not in CLASSES))
    catalog = read_catalog(folder, known)
    present = sorted({sample.label for sample in catalog.samples})
    for name in names:
        if known.index(name) not in present:
            raise CatalogError(f"{folder}: no photographs of {name}, only of {', '.join(known[i] for i in present)}")
    wanted = [known.index(name) for name in names]
    samples = tuple(
        replace(sample, label=wanted.index(sample.label)) for sample in catalog.samples if sample.label in wanted
    )
    chosen = {plain_name(name) for name in names} | {"NOR" for name in names if name == "NORMAL"}
    unreadable = tuple(
        (path, why) for path, why in catalog.unreadable if plain_name(path.relative_to(folder).parts[0]) in chosen
    )
    return replace(catalog, samples=samples, unreadable=unreadable), tuple(names)
