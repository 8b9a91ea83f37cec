"""The platform's layout of folders, from a dataset's root or from its training folder."""

from __future__ import annotations

from pathlib import Path

from dataprep.catalog import CatalogError
from dataprep.folder import read_folder
from dataprep.header import EXTENSIONS

_TRAINING = Path("train", "train_data")


def find_training(path: Path) -> Path:
    """The folder of the class folders: `train/train_data` below `path` if it exists, else `path`. CatalogError if it holds datasets."""
    if (path / _TRAINING).is_dir():
        return path / _TRAINING
    if datasets := sorted(inside.name for inside in path.glob("*/") if (inside / _TRAINING).is_dir()):
        raise CatalogError(f"{path} holds datasets ({', '.join(datasets[:5])}); give the folder of one")
    return path


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
