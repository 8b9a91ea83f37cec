"""Datasets: `datasets/NAME/`. What a session may read and what is hidden are in separate folders.

dataset.json              source, classes, counts, time; whoever changes it holds `lock`
training/train/...        DATASET_PATH while training; classes.txt in it names the classes by label number
submission/test/...       DATASET_PATH at submit: the test data without labels
hidden/test/test_label    the labels;  hidden/evaluation/evaluation.py  the organiser's scorer
hidden/public             the labels that count until the competition is closed
feed/data_loader.py       the organiser's loader and the files it uses; it runs in the competitor's process

Files are hard links to the organiser's if the file system allows it, else symbolic links. Folders are real, so that `..` from a
photograph never leads to the labels.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Damaged, NsmlError, RunFailed
from .files import (
    folder_beside,
    is_number,
    locked,
    make_private,
    read_json,
    read_text,
    real_path,
    remove_tree,
    visible,
    walk,
    write_json,
    write_text,
)
from .home import Home
from .names import check_name, is_name, nearest
from .photographs import (
    count_endings,
    is_photograph,
    left_by_a_system,
    looks_like_labels,
    photographs_below,
    why_unreadable,
)
from .plain_paths import plain_path

if TYPE_CHECKING:
    from .labels import Labels

LABELS = "test_label"
# Of a dataset pushed with --isolate, see `isolated`.
MARK = ".isolated"
# What a referee publishes in his spool: a file of rules.
RULES = "rules.toml"
# Below train/: lesion masks for training photographs; not training photographs themselves.
MARKS = "lesions"


@dataclass(frozen=True)
class Dataset:
    """A registered dataset."""

    name: str
    folder: Path

    @property
    def has_sides(self) -> bool:
        """Whether it was pushed with a folder train/. Without, its files lie in `training` too, see `push_dataset`."""
        return [entry.name for entry in visible(self.training)] == ["train"]

    @property
    def training(self) -> Path:
        return self.folder / "training"

    @property
    def submission(self) -> Path:
        return self.folder / "submission"

    def shown(self, side: str) -> Path:
        """DATASET_PATH for the side "training" or "submission"."""
        return plain_path(self.folder / side, self.name)

    @property
    def labels(self) -> Path:
        return self.folder / "hidden" / "test" / LABELS

    @property
    def public(self) -> Path:
        """Names of the labels that count until the competition is closed, one a line; missing if all count."""
        return self.folder / "hidden" / "public"

    @property
    def evaluation(self) -> Path:
        return self.folder / "hidden" / "evaluation" / "evaluation.py"

    @property
    def loader(self) -> Path:
        return self.folder / "feed" / "data_loader.py"

    @property
    def has_own_programs(self) -> bool:
        """Whether the organiser brings a loader or a scorer, as for another task than to classify photographs."""
        return self.loader.exists() or self.evaluation.exists()

    @property
    def has_label_file(self) -> bool:
        """Whether the labels are one file, as the built-in scorers require. An organiser's scorer may read a folder."""
        return self.labels.is_file()

    def labels_unreadable(self) -> str:
        """What the system says where the label file or folder cannot be read; "" where it can, or there is none."""
        with contextlib.suppress(FileNotFoundError):
            try:
                os.close(os.open(self.labels, os.O_RDONLY))
            except PermissionError as error:
                return str(error.strerror)
        return ""

    @property
    def can_be_scored(self) -> bool:
        """Whether there is a label file, or the organiser's scorer."""
        return self.has_label_file or self.evaluation.exists()

    def metric(self) -> str:
        """Name of the built-in scorer. A referee may have changed it since the push, and publishes what it is."""
        metric = str(self.record().get("metric", "fundus"))
        if (spool := self.referee()) is not None:
            import tomllib

            with contextlib.suppress(NsmlError, OSError, ValueError, RecursionError):
                return str(tomllib.loads(read_text(spool / RULES)).get("metric", metric))
        return metric

    def told(self) -> dict[str, str]:
        """NSML_METRIC, by which a program may choose its best epoch; {} with an organiser's own scorer, which has no name."""
        with contextlib.suppress(Damaged):
            return {} if self.evaluation.exists() else {"NSML_METRIC": self.metric()}
        return {}

    def classes(self) -> tuple[str, ...]:
        """Names of the classes by label number; () if they are unknown."""
        names = self.record().get("classes")
        return tuple(map(str, names)) if isinstance(names, list) else ()

    def class_name(self, answer: str) -> str:
        """The name of the class with this label number; "" if the answer is something else, or the name is the number.

        "" also with the organiser's own scorer, whose numbers nobody else knows.
        """
        classes = () if self.evaluation.exists() else self.classes()
        known = answer.isascii() and answer.isdecimal() and int(answer[:9]) < len(classes)
        return classes[int(answer)] if known and classes[int(answer)] != answer else ""

    def named(self, answer: str) -> str:
        """ "0 (NORMAL)" for the label number 0; any other answer as it is."""
        name = self.class_name(answer)
        return f"{answer} ({name})" if name else answer

    def class_counts(self) -> str:
        """ "0 NORMAL: 200, 1 AMD: 60", training photographs by label number, or "A 200, B 60" where that is unknown, for a few classes."""
        from .labels import few

        classes = self.classes()
        shown = {
            name: f"{number} {name}:" if name != str(number) else f"{name}:" for number, name in enumerate(classes)
        }
        return few([f"{shown.get(name, name)} {count}" for name, count in self.record()["train"].items()])

    def scored_by(self) -> dict[str, str]:
        """`labels`, `scorer` and `public`: what a score depends on, as SHA-256, "" for what is missing; the name of a built-in scorer."""
        scorer = self.metric()
        if self.evaluation.is_file():
            used = [
                path for path in visible(self.evaluation.parent) if path.name not in ("data_loader.py", "__pycache__")
            ]
            # Alone, the script has its own digest, as in records of older versions.
            scorer = digest(self.evaluation if len(used) == 1 else self.evaluation.parent)
        return {"labels": digest(self.labels), "scorer": scorer, "public": digest(self.public)}

    def referee(self) -> Path | None:
        """The spool of the referee who scores the submissions; None if this home has the labels."""
        spool = self.record().get("referee")
        return Path(spool) if isinstance(spool, str) else None

    def isolated(self) -> bool:
        """Whether sessions are isolated: they see only the parts of the home that they need."""
        return (self.folder / MARK).exists() or bool(self.record().get("isolate", False))

    def record(self) -> dict[str, Any]:
        """dataset.json: `source`, `created_at`, `train` (files by class), `train_files`, `test_files`, `size` (bytes), `classes` (by label
        number) and `problems` (of the training photographs and their labels), if there are some."""
        try:
            record = read_json(self.folder / "dataset.json")
        except FileNotFoundError:
            raise Damaged(f"{self.folder} has no dataset.json; push the dataset again") from None
        if not (
            all(is_number(record.get(name)) for name in ("created_at", "train_files", "test_files", "size"))
            and isinstance(record.get("train"), dict)
            and (record.get("every") is None or is_number(record["every"]))
            and "source" in record
        ):
            raise Damaged(f"{self.folder / 'dataset.json'} is damaged; push the dataset again")
        return record

    @contextlib.contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """The record, to be changed: written at the end, unless by then there is an error. Other processes that change it wait."""
        with locked(self.folder / "lock"):
            record = self.record()
            yield record
            write_json(self.folder / "dataset.json", record)


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of the files in a folder but for compiled ones; "" if there is neither."""
    import hashlib

    if not path.is_dir():
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    files = sorted(Path(root, name) for root, _, names in walk(path) for name in names if not name.endswith(".pyc"))
    lines = (f"{file.relative_to(path)}\0{digest(file)}\n" for file in files)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def list_datasets(home: Home) -> list[Dataset]:
    """All registered datasets by name."""
    return [Dataset(e.name, Path(e.path)) for e in visible(home.datasets) if e.is_dir() and is_name(e.name)]


def find_dataset(home: Home, name: str) -> Dataset:
    """The dataset of that name.

    Raises:
        NsmlError: there is none; the message suggests a similar name.
        Damaged: its folder has no record.
    """
    folder = home.datasets / check_name(name, "DATASET")
    if (folder / "dataset.json").exists():
        return Dataset(name, folder)
    if (now := present_name(home, name)) != name:
        raise NsmlError(f"dataset {name} was renamed; it is {now} now")
    if folder.is_dir():
        raise Damaged(
            f"{folder} has no dataset.json that can be read here; 'nsml doctor --repair' puts it aside, and an isolated program sees none"
        )
    known = sorted(list_datasets(home), key=_pushed_at, reverse=True)
    hint = nearest(name, [d.name for d in known], "'nsml dataset ls'")
    hint = hint or "; 'nsml dataset push NAME PATH' registers one, 'nsml dataset demo' a synthetic one"
    raise NsmlError(f"there is no dataset {name}{hint}")


def _pushed_at(dataset: Dataset) -> float:
    with contextlib.suppress(Damaged):
        return float(dataset.record()["created_at"])
    return 0.0


def scored_here(home: Home, name: str) -> Dataset:
    """The dataset of that name. NsmlError if its submissions are scored by the referee of another account."""
    dataset = find_dataset(home, name)
    if dataset.referee() is not None:
        raise NsmlError(f"dataset {name} is scored by its referee, who is another account; ask the organiser")
    return dataset


def push_dataset(
    home: Home,
    name: str,
    source: Path,
    *,
    copy: bool = False,
    origin: str | None = None,
    rules: Mapping[str, Any] | None = None,
    isolate: bool = False,
    classes: Sequence[str] = (),
) -> Dataset:
    """Register the folder `source` in the contract's layout as dataset `name`.

    Args:
        copy: copy the files instead of linking them.
        origin: the source to record instead of the folder.
        rules: metric and rules of the competition, as members of the record (see `nsml.scoring.rules`).
        isolate: hide labels and `source` from programs; implies `copy`.
        classes: the classes by label number, in place of those of train/classes.txt or of the usual order.

    Raises:
        NsmlError: the layout is wrong, or the name is in use.
        RunFailed: to be isolated, while a program runs.
    """
    from .isolated import isolate_from_now
    from .sessions import NO_DATASET

    check_name(name, "NAME")
    if name == NO_DATASET:
        raise NsmlError(f"NAME: {name} means 'no dataset'; choose another name")
    copy = copy or isolate
    target = home.datasets / name
    if target.exists():
        raise NsmlError(
            f"dataset {name} already exists; choose another name, or remove it with 'nsml dataset rm {name}'"
        )
    import shutil

    from .loader_files import answers_beside, needed_by_loader

    source = source.absolute()
    _check_layout(source)
    if real_path(home.path).is_relative_to(real_path(source)):
        raise NsmlError(f"PATH: {source} contains {home.path}, the home of nsml; name the folder of the dataset")
    make_private(home.datasets)
    with folder_beside(home.datasets) as beside:
        if isolate:
            isolate_from_now(home, beside, source)
        if (source / "train").is_dir():
            _fill(source / "train", beside / "training" / "train", copy)
        else:
            # Without train/, programs of 2017 read DATASET_PATH/FILE, later ones DATASET_PATH/train/FILE.
            for folder in ("training",) if (source / "train").exists() else ("training", "training/train"):
                _fill(source, beside / folder, copy, leave_out=("test", "evaluation"))
        (beside / "submission").mkdir()
        kept_back: list[str] = []
        if (source / "test").is_dir():
            kept_back = _fill(
                source / "test", beside / "submission" / "test", copy, leave_out=(LABELS,), hide_labels=True
            )
        make_private(beside / "hidden" / "test")
        labels = source / "test" / LABELS
        if labels.is_dir():
            _fill(labels, make_private(beside / "hidden" / "test" / LABELS), copy)
        elif labels.is_file():
            shutil.copyfile(labels, beside / "hidden" / "test" / LABELS)
            os.chmod(beside / "hidden" / "test" / LABELS, 0o600)
        if (source / "evaluation").is_dir():
            shutil.copytree(source / "evaluation", beside / "hidden" / "evaluation")
            needed = needed_by_loader(source / "evaluation")
            shutil.copytree(
                source / "evaluation",
                beside / "feed",
                ignore=lambda folder, names: set(names) - needed if Path(folder) == source / "evaluation" else (),
            )
        if isolate and (found := answers_beside(beside / "feed", beside / "hidden" / "test" / LABELS)):
            raise NsmlError(f"--isolate: {found}")
        facts: dict[str, Any] = {"like_labels": kept_back} if kept_back else {}
        shown = beside / "submission" / "test"
        usual = "accuracy" if shown.is_dir() and not photographs_below(shown) else "fundus"
        facts |= {"metric": usual, **(rules or {}), "isolate": isolate}
        write_json(
            beside / "dataset.json",
            {"source": origin or str(source), "created_at": time.time(), **facts, **_count(beside, source, classes)},
        )
        try:
            os.rename(beside, target)
        except OSError:
            raise NsmlError(f"dataset {name} already exists; choose another name") from None
    return Dataset(name, target)


def _check_layout(source: Path) -> None:
    if not source.is_dir():
        raise NsmlError(f"PATH: there is no folder {source}; name the folder that holds train/ and test/")
    if not any(files for _, _, files in walk(source)):
        raise NsmlError(
            f"PATH: there is no file below {source}; a dataset contains train/train_data/<CLASS>/ and test/test_data/"
        )
    if (source / "train").is_dir() and not any(files for _, _, files in walk(source / "train")):
        raise NsmlError(f"PATH: there is no file below {source / 'train'}; put the training data there")
    # test_data may be a folder or one file.
    if (source / "test" / LABELS).exists() and not (source / "test" / "test_data").exists():
        raise NsmlError(f"PATH: {source / 'test'} has labels but no test_data; put the test data there")


def _fill(
    source: Path, target: Path, copy: bool, leave_out: tuple[str, ...] = (), *, hide_labels: bool = False
) -> list[str]:
    """Recreate the folders of `source` at `target` and link or copy the files, without the top-level names in `leave_out`.

    With `hide_labels`, files and folders named like labels are left out too, and returned.
    """
    import shutil

    hidden: list[str] = []
    for root, folders, files in walk(source, followlinks=True):
        at_top = Path(root) == source
        folders[:] = sorted(f for f in folders if not (at_top and f in leave_out) and not _leads_up(source, root, f))
        if hide_labels:
            like = [
                name for name in (*folders, *files) if looks_like_labels(name) and not (at_top and name in leave_out)
            ]
            folders[:] = [name for name in folders if name not in like]
            files = [name for name in files if name not in like]
            hidden += [str(Path(root, name).relative_to(source.parent)) for name in sorted(like)]
        inside = target / Path(root).relative_to(source)
        inside.mkdir(parents=True, exist_ok=True)
        for name in files:
            if at_top and name in leave_out:
                continue
            if copy:
                shutil.copyfile(os.path.join(root, name), inside / name)
            else:
                _link(os.path.join(root, name), inside / name)
    return hidden


def _leads_up(top: Path, folder: str, name: str) -> bool:
    """Whether a folder is a link to one of its parents below `top`, so that walking into it would not end."""
    path = Path(folder, name)
    if not path.is_symlink():
        return False
    target = real_path(path)
    way = [Path(folder), *Path(folder).parents]
    return any(real_path(passed).is_relative_to(target) for passed in way if passed.is_relative_to(top))


def _link(source: str, target: Path) -> None:
    if os.path.islink(source):
        source = os.path.realpath(source)
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    try:
        os.symlink(source, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
        raise RunFailed(f"the disk of NSML_HOME has no links ({error.strerror}); give --copy") from None


def _count(folder: Path, source: Path, classes: Sequence[str]) -> dict[str, Any]:
    """Number of files by class and side, bytes, endings of ignored files in class folders, and the classes, also as the class file.

    If there are photographs with labels, only those count, as training reads nothing else.
    """
    from .labels import CLASS_FILE, FEWEST, LabelError, counted, read_class_file

    data = folder / "training" / "train" / "train_data"
    class_file = data.parent / CLASS_FILE
    photographs = photographs_below(data) if data.is_dir() else []
    facts: dict[str, Any] = {}
    named: Sequence[str] = ()
    by_class = {
        e.name: [Path(name) for _, _, names in walk(Path(e.path)) for name in names if not left_by_a_system(name)]
        for e in visible(data)
        if e.is_dir()
    }
    counts = {name: len(paths) for name, paths in by_class.items()}
    others: list[Path] = []
    if photographs:
        labels, problems = _labels(data, photographs, classes)
        problems += _unread_tables(source, everything=not labels.numbers)
        unreadable = {path: why for path in photographs if (why := why_unreadable(path))}
        if unreadable:
            why = ", ".join(f"{path.name} is {unreadable[path]}" for path in list(unreadable)[:3])
            problems.append(f"{counted(len(unreadable), 'training photograph')} unreadable and left out: {why}")
        counts = {name: sum(map(is_photograph, paths)) for name, paths in by_class.items()}
        if labels.classes:
            readable = Counter(number for path, number in labels.numbers.items() if path not in unreadable)
            counts = {name: readable[number] for number, name in enumerate(labels.classes) if readable[number]}
            facts = {"classes": list(labels.classes)}
        others = [path for paths in by_class.values() for path in paths if not is_photograph(path)]
        facts |= {"problems": problems} if problems else {}
        named = labels.classes if len(labels.classes) >= FEWEST else ()
    elif classes and data.parent.is_dir():
        facts, named = {"classes": list(classes)}, classes
    elif class_file.is_file():
        try:
            facts = {"classes": list(read_class_file(class_file))}
        except LabelError as error:
            facts = {"problems": [str(error).replace(f"{data.parent}{os.sep}", "train/")]}
    if named:
        # A new file in its place, since it may be a link to the organiser's.
        write_text(class_file, "".join(f"{name}\n" for name in named))
    marks = folder / "training" / "train" / MARKS
    size = train = 0
    found: list[Path] = []
    for side in ("training/train" if (folder / "training" / "train").is_dir() else "training", "submission"):
        for root, _, files in walk(folder / side):
            with contextlib.suppress(OSError):
                size += sum(os.stat(os.path.join(root, name)).st_size for name in files)
            if side != "submission":
                train += 0 if Path(root).is_relative_to(marks) else sum(not left_by_a_system(name) for name in files)
            else:
                found += [Path(root, name) for name in files if not left_by_a_system(name)]
    train -= len(others) + class_file.is_file()
    train = sum(counts.values()) if photographs and counts else train
    shown = folder / "submission" / "test"
    fed = photographs_below(shown) if shown.is_dir() else []
    test = len(found)
    if fed and not (folder / "feed" / "data_loader.py").exists():
        # `infer` gets the photographs alone.
        test, others = len(fed), [*others, *sorted(set(found) - set(fed))]
    left_out = {"left_out": count_endings(others)} if others else {}
    return {"train": counts, "train_files": train, "test_files": test, "size": size, **left_out, **facts}


def _labels(data: Path, photographs: Sequence[Path], classes: Sequence[str]) -> tuple[Labels, list[str]]:
    """The labels of the training photographs, and what is wrong with them. NsmlError if the classes given are not theirs."""
    from .labels import FEWEST, LabelError, Labels, examples, few, read_labels

    try:
        labels = read_labels(data, photographs, classes)
    except LabelError as error:
        return Labels((), {}), [str(error).replace(f"{data.parent}{os.sep}", "train/")]
    problems = [problem.replace(f"{data.parent}{os.sep}", "train/") for problem in labels.problems]
    present = [name for number, name in enumerate(labels.classes) if number in labels.numbers.values()]
    if classes and not present:
        found = few(read_labels(data, photographs).classes) or "none"
        raise NsmlError(f"--classes: no training photograph is of {few(classes)}; the classes are {found}")
    if not labels.numbers:
        problems = [
            f"train/train_data: none of {len(photographs)} photographs has a class ({examples(data, photographs)}); put them into class "
            "folders, or list them in train/labels.csv with the columns file and label"
        ] + [problem for problem in problems if "in no class folder" not in problem]
    elif len(present) < FEWEST:
        problems.append(f"train/train_data: all photographs are of {present[0]}; training needs two classes")
    return labels, problems


def _unread_tables(source: Path, everything: bool) -> list[str]:
    """A line for each table of labels under another name, or at another place; without labels, for each table at all (`everything`)."""
    import re

    from .labels import SPREADSHEETS, TABLES

    train = source / "train"
    if any((train / name).is_file() for name in (*TABLES, *SPREADSHEETS)):
        return []
    found = []
    for folder in (source, train, train / "train_data"):
        for path in visible(folder):
            name, ending = os.path.splitext(path.name.lower())
            plain = re.sub(r"[\W_]", "", name)
            usual = re.fullmatch(r"train(ing)?|(train(ing)?)?(data|set)?(labels?|annotations?|groundtruths?|gt)", plain)
            if ending in (".csv", ".tsv", ".xlsx", ".xls", ".ods") and (usual or everything) and path.is_file():
                wanted = "train/labels.tsv" if ending == ".tsv" else "train/labels.csv"
                fix = f"name it {wanted}" if ending in (".csv", ".tsv") else f"save it as CSV (UTF-8), {wanted}"
                found.append(
                    f"{Path(path.path).relative_to(source).as_posix()} is not read; if it holds the labels of the training, {fix}"
                )
    return found


def present_name(home: Home, name: str) -> str:
    """The current name of a dataset that may have been renamed; `name` itself if not."""
    if (home.datasets / name).exists():
        return name
    for dataset in list_datasets(home):
        with contextlib.suppress(Damaged):
            if name in dataset.record().get("was", []):
                return dataset.name
    return name


def remove_dataset(home: Home, dataset: Dataset) -> None:
    """Remove a dataset: rename its folder, then delete it. The organiser's files, sessions and scores stay.

    Raises:
        NsmlError: a session or a submit uses it.
    """
    _check_not_in_use(home, dataset.name)
    hidden = dataset.folder.with_name(f".tmp-removed-{dataset.name}-{os.getpid()}")
    os.rename(dataset.folder, hidden)
    remove_tree(hidden)


def _check_not_in_use(home: Home, name: str) -> None:
    from .sessions import ENDED, list_sessions
    from .submissions import running_submission

    for session in list_sessions(home, but_for_ended=True):
        datasets = [session.name.dataset]
        with contextlib.suppress(NsmlError):
            datasets = session.datasets()
        with contextlib.suppress(Damaged):
            if name in datasets and (status := session.status()) not in ENDED:
                raise NsmlError(
                    f"session {session.name} uses dataset {name} ({status}); wait for it, or end it with 'nsml stop {session.name}'"
                )
    if (process := running_submission(home, name)) is not None:
        raise NsmlError(f"a submit uses dataset {name} (process {process}); wait for it")


def rename_dataset(home: Home, name: str, new: str) -> None:
    """Rename a dataset, also in submissions and in the sessions of all users.

    After an interruption, call it again to finish.

    Raises:
        NsmlError: the new name is in use, a session or a submit uses the dataset, or a referee has scored it.
    """
    from .sessions import NO_DATASET, list_sessions
    from .submissions import rename_sessions

    dataset = find_dataset(home, name)
    check_name(new, "NEW")
    if new == NO_DATASET:
        raise NsmlError(f"NEW: {new} means 'no dataset'; choose another name")
    _check_not_in_use(home, name)
    if (ledger := home.ledgers / f"{name}.jsonl").exists():
        raise NsmlError(f"the ledger {ledger} names the sessions of {name}, so that its name stays")
    record = dataset.record()
    becomes = record.get("becomes", name)
    pairs = [(home.submissions / name, home.submissions / new)]
    pairs += [(Path(user.path) / name, Path(user.path) / new) for user in visible(home.sessions)]
    if becomes == name:
        for target in (home.datasets / new, *(target for _, target in pairs)):
            if target.exists():
                raise NsmlError(f"NEW: {target} already exists; choose another name")
        with dataset.changing() as changed:
            changed |= {"becomes": new, "was": [*changed.get("was", []), name]}
    elif becomes != new:
        raise NsmlError(f"dataset {name} is half renamed; 'nsml dataset rename {name} {becomes}' finishes it")
    for source, target in pairs:
        if source.exists():
            os.rename(source, target)
    for session in list_sessions(home):
        with contextlib.suppress(Damaged):
            session.rename_dataset(name, new)
    for entry in visible(home.submissions):
        rename_sessions(home, entry.name, name, new)
    os.rename(dataset.folder, home.datasets / new)
