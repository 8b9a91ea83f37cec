"""What is wrong with a dataset: asked at push, so that nobody learns it after a training."""

from __future__ import annotations

import contextlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from ..errors import NsmlError
from ..store.datasets import MARKS, Dataset
from ..store.files import sha256_of, visible, walk
from ..store.labels import CLASS_FILE, SPREADSHEETS, TABLES, counted, few
from ..store.loader_files import answers_beside
from ..store.photographs import is_photograph, left_by_a_system, photographs_below, why_unreadable
from ..wording import plain
from .labels import label_trouble, number_trouble, order_trouble
from .metrics import missing_library
from .predictions import BARE, composed, image_ids, read_classes, read_lines

# A word in fewer photographs is chance. Where a label takes more words, these are the names of its patients.
_FEWEST, _MOST_WORDS = 3, 2
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".txz", ".7z", ".rar")
# What may lie beside the training photographs.
_BESIDE = (*TABLES, *SPREADSHEETS, CLASS_FILE)
# The share of the photographs that counts as nearly all.
_NEARLY_ALL = 0.9


def dataset_problems(dataset: Dataset) -> list[str]:
    """One line for each problem, with its count, examples and the fix. Labels of the test set come last."""
    found = dataset.record().get("problems")
    problems = [*_layout_problems(dataset), *(found if isinstance(found, list) else [])]
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
    problems += filter(None, (_told_by_paths(dataset, tested), answers_beside(dataset.loader.parent, dataset.labels)))
    if dataset.labels.exists() and not dataset.can_be_scored:
        problems.append(
            "test/test_label is a folder, which only an evaluation/evaluation.py can read; write it as a file"
        )
    elif (like := dataset.record().get("like_labels")) and not dataset.can_be_scored:
        problems.append(f"{few(like)} is named like labels, but not read; to score with it, name it test/test_label")
    scored_here = dataset.has_label_file and not dataset.evaluation.exists() and dataset.referee() is None
    if scored_here and (lack := missing_library(dataset.metric())):
        problems.append(f"{lack}, else no submit can be scored")
    if tested and dataset.evaluation.exists() and not dataset.loader.exists() and _is_unreadable(dataset):
        problems.append(
            "evaluation/ has no data_loader.py, and test/test_label holds no class for each photograph: infer gets photographs as arrays "
            "and has to answer with a class for each; bring the competition's data_loader.py if its programs do otherwise"
        )
    if trouble := label_trouble(dataset):
        problems.append(f"{trouble}, else no submit can be scored")
    else:
        problems += filter(None, (order_trouble(dataset), number_trouble(dataset)))
    return [plain(str(problem)) for problem in problems]


def _layout_problems(dataset: Dataset) -> list[str]:
    """A line where the training data lie at another place than programs look, or are packed. Other data may lie anywhere."""
    train = dataset.training / "train"
    files = [path.relative_to(train) for path in _files_below(train)] if train.is_dir() else []
    files = [path for path in files if path.parts[0] != MARKS]
    photographs = [path for path in files if is_photograph(path)]
    archives = {path for path in files if path.name.lower().endswith(_ARCHIVES)}
    only_archives = all(path in archives or path.name in _BESIDE for path in files)
    packed = few(sorted(path.as_posix() for path in archives), 4) if only_archives else ""
    if not dataset.has_sides:
        right = _right_folders(Path(str(dataset.record()["source"])))
        unpack = f"unpack {packed}, and " if packed else ""
        which = f": {few([str(path) for path in right], 4)}" if right else ""
        line = f"there is no folder train/; {unpack}name the folder that holds train/ and test/{which}"
        return [line] if right or photographs or packed else []
    if packed:
        return [f"train/ holds no photographs, but archives, which are not read; unpack them: {packed}"]
    if photographs and not any(path.parts[0] == "train_data" for path in photographs):
        if dataset.has_own_programs:  # another task, of images/ and masks/ for instance
            return []
        first = few(sorted({path.parts[0] for path in photographs}), 4)
        return [f"train/ holds {first}, but photographs are read from train/train_data/<CLASS>/; move them there"]
    folders = [entry.name for entry in visible(train / "train_data") if entry.is_dir()] if photographs else []
    full = {
        path.parts[1]
        for path in files
        if path not in archives and path.parts[0] == "train_data" and len(path.parts) > 2
    }
    empty = [name for name in folders if name not in full]
    if not empty:
        return []
    what = counted(len(empty), "class folder")
    return [
        f"{what} without a photograph: train/train_data/{few(empty, 4)}; put photographs there, or remove what is no class"
    ]


def _files_below(folder: Path) -> Iterator[Path]:
    for root, folders, names in walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root, name) for name in names if not left_by_a_system(name))


def _right_folders(source: Path) -> list[Path]:
    """The folders one level down whose train/ was meant, or else the one up to two levels up that has train/ and test/."""
    down = [Path(entry.path) for entry in visible(source) if Path(entry.path, "train").is_dir()]
    up = [
        path
        for path in list(source.parents)[:2]
        if source in (path / "train", path / "test", path / "train" / "train_data")
        and (path / "train").is_dir()
        and (path / "test").is_dir()
    ]
    return down or up


def _is_unreadable(dataset: Dataset) -> bool:
    """Whether only an organiser's scorer can read the label file."""
    if not dataset.has_label_file:
        return False
    try:
        read_classes(dataset.labels, "the label file")
    except NsmlError:
        return True
    return False


def _told_by_paths(dataset: Dataset, tested: Sequence[Path]) -> str:
    test = dataset.submission / "test"
    told = _told({path.relative_to(test): label for path, label in _labelled(dataset, tested).items()})
    if not told:
        return ""
    return (
        f"the paths of {len(told)} of {len(tested)} test photographs tell their labels, such as {told[0].as_posix()}; rename them to "
        "test_data/000.jpg, 001.jpg and so on, in a random order"
    )


def _labelled(dataset: Dataset, tested: Sequence[Path]) -> dict[Path, str]:
    """The test photographs with a label, and what stands in the label file for them."""
    try:
        labels = read_lines(dataset.labels, "the label file")
    except NsmlError:
        return {}
    if next(iter(labels)).startswith(BARE) and len(labels) == len(tested):
        return dict(zip(tested, labels.values(), strict=True))
    names = map(composed, image_ids(tested, dataset.submission / "test"))
    return {path: labels[name] for path, name in zip(tested, names, strict=True) if name in labels}


def _told(labelled: Mapping[Path, str]) -> list[Path]:
    """The photographs whose path holds one of the few words that go with their label alone, if nearly all do, and two labels or more."""
    words = {path: _words(path) for path in labelled}
    labels_of: dict[str, set[str]] = defaultdict(set)
    by_label: dict[str, set[Path]] = defaultdict(set)
    for path, label in labelled.items():
        by_label[label].add(path)
        for word in words[path]:
            labels_of[word].add(label)
    left = set(labelled)
    for own in by_label.values():
        for _ in range(_MOST_WORDS):
            telling = Counter(word for path in own & left for word in words[path] if len(labels_of[word]) == 1)
            count, word = max(((count, word) for word, count in telling.items()), default=(0, ""))
            if count >= _FEWEST:
                left -= {path for path in own if word in words[path]}
    told = [path for path in labelled if path not in left]
    is_telling = len(told) >= _NEARLY_ALL * len(labelled) and len({labelled[path] for path in told}) > 1
    return told if is_telling else []


def _words(path: PurePath) -> set[str]:
    """The folders of a path, and the words in its file's name. Of a hash, single letters are no words."""
    return {f"{folder}/" for folder in path.parts[:-1]} | set(
        re.findall(r"[^\W\d_]{2,}", composed(path.stem).casefold())
    )


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
