"""A folder of photographs -> samples with path, class, patient and eye.

The layout is that of DATASET_PATH/train/train_data: one folder per class, or a table of labels beside it (see `dataprep.labels`), with
photographs named `<Camera>_<code>_<patient>_<R|L>[_n].jpg` or `<patient>_<R|L>.jpg`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dataprep.folder import Folder, count_endings, read_folder
from dataprep.header import PhotographError, check_no_strip, read_header
from dataprep.labels import (
    LabelError,
    Row,
    class_folder,
    class_key,
    counted,
    examples,
    few,
    numbers_of,
    plain_name,
    read_labels,
)

# Eyes in names: letters, oculus dexter (od), sinister (os) and uterque (ou), and words.
_EYES = (
    dict.fromkeys(("r", "re", "od", "right", "우", "우안"), "R")
    | dict.fromkeys(("l", "le", "os", "left", "좌", "좌안"), "L")
    | dict.fromkeys(("ou", "both", "양안"), "")
)
# Finds the folder between class folder and file.
_FOLDER = "/(.+)/"
# Patterns to propose for names: their first part, their first two parts, their last part, their folder, the first digits.
_PATTERNS = (
    r"^([^_]+)_",
    r"^([^-]+)-",
    r"^([^_]+_[^_]+)_",
    r"_([^_]+)$",
    r"-([^-]+)$",
    r"^([^ ]+) ",
    _FOLDER,
    r"([0-9]+)",
)
# A date in a patient's id, as of a visit, and the patterns to propose for a patient before and after it.
_DATE = r"(?:19|20)[0-9]{2}-?[0-9]{2}-?[0-9]{2}"
_BEFORE, _AFTER = rf"([^_]+)_{_DATE}", rf"{_DATE}_([^_]+)"
# Pixels of the shorter side; what stands in for a missing photograph often has one.
_LEAST_SIDE = 8
# A photograph with at least this ratio of sides shows two eyes side by side.
_DOUBLE = 1.8


class CatalogError(ValueError):
    """The folder cannot be used for training. The message is one line with the problem and the fix."""

    exit_status = 2


@dataclass(frozen=True)
class Sample:
    """A photograph: path, label (index into the classes), patient, eye ("R", "L" or "") and camera.

    The camera comes from the file name, "" if unknown; it is ignored when samples are compared.
    """

    path: Path
    label: int
    patient: str
    eye: str
    camera: str = field(default="", compare=False)


@dataclass(frozen=True)
class Catalog:
    """The photographs of a folder.

    Attributes:
        samples: sorted by path.
        unreadable: files that cannot be read, with the reason.
        warnings: one line each, for the user; the last is that on unreadable files, if there are any.
        classes: names of the labels.
        numbers: label number of each class in the files of test labels, and in what `infer` returns.
    """

    samples: tuple[Sample, ...]
    unreadable: tuple[tuple[Path, str], ...]
    warnings: tuple[str, ...]
    classes: tuple[str, ...]
    numbers: tuple[int, ...]

    def with_photographs(self) -> Catalog:
        """The catalog without the classes that have no photographs: the network would have an output that learns nothing."""
        present = sorted({sample.label for sample in self.samples})
        new = {label: position for position, label in enumerate(present)}
        return replace(
            self,
            samples=tuple(replace(sample, label=new[sample.label]) for sample in self.samples),
            classes=tuple(self.classes[label] for label in present),
            numbers=tuple(self.numbers[label] for label in present),
        )


def read_chosen(
    folder: str | os.PathLike[str], classes: Sequence[str] | int | None, patient_pattern: str = ""
) -> Catalog:
    """The catalog of the classes that have photographs, or of `classes`. CatalogError if one of these has none; see `read_catalog`."""
    catalog = read_catalog(folder, classes, patient_pattern)
    present = catalog.with_photographs()
    if classes is None or isinstance(classes, int) or len(present.classes) == len(catalog.classes):
        return present
    missing = next(name for name in catalog.classes if name not in present.classes)
    raise CatalogError(
        f"{folder}: no photographs of {missing}, only of {few(present.classes)}; --classes may name others"
    )


def read_catalog(
    folder: str | os.PathLike[str], classes: Sequence[str] | int | None = None, patient_pattern: str = ""
) -> Catalog:
    """List the photographs below `folder`, with endings in `dataprep.header.EXTENSIONS` (ignoring case).

    The class folder, or a table of labels, gives the class. The table, or the id in the name, gives the patient, independent of camera
    and class: a patient with two diseases, or two cameras, must not be on both sides of a split. Treating two people as one patient
    does little harm. So ids are compared without leading zeros, surrounding blanks and case, in one Unicode normalisation (macOS and
    Windows differ). A file whose name does not fit counts as a patient of its own.

    Only the header and the end of each file are read.

    Args:
        classes: only these, in this order, or the first so many (default: all of the dataset, by label number).
        patient_pattern: regular expression, searched in each name without its ending, or, if it has a slash, in the path below `folder`.
            Its group `patient`, else its first group, is the patient, its group `eye`, if there is one, the eye.

    Raises:
        CatalogError: the folder is missing, a class is unknown or named twice, or fewer than two classes have a usable photograph.
    """
    root = Path(folder)
    if not root.is_dir():
        raise CatalogError(f"{root}: no such folder; give the one with the class folders")
    if (root / "train" / "train_data").is_dir():
        raise CatalogError(f"{root}: the class folders are in {root / 'train' / 'train_data'}; give that folder")
    content = read_folder(root)
    try:
        labels = read_labels(root, content.photographs)
    except LabelError as error:
        raise CatalogError(str(error)) from None
    numbers = _chosen(root, labels.classes, classes)
    label_of = {number: label for label, number in enumerate(numbers)}
    codes = numbers_of(labels.classes)
    name_pattern = _name_pattern(codes)
    own_pattern = re.compile(patient_pattern) if patient_pattern else None

    samples: list[Sample] = []
    unreadable: list[tuple[Path, str]] = []
    unwanted: Counter[str] = Counter()
    problems = _Problems()
    for path in content.photographs:
        number = labels.numbers.get(path)
        if number is None:
            continue
        if (label := label_of.get(number)) is None:
            unwanted[labels.classes[number]] += 1
            continue
        try:
            header = read_header(path)
            if min(header.width, header.height) < _LEAST_SIDE:
                raise PhotographError(f"{header.width}x{header.height} pixels: fewer than {_LEAST_SIDE} show no eye")
            check_no_strip(header.width, header.height)
        except PhotographError as error:
            unreadable.append((path, str(error)))
            continue
        problems.paged += [path] * (header.pages > 1)
        problems.double += [path] * (max(header.width, header.height) >= _DOUBLE * min(header.width, header.height))
        name = unicodedata.normalize("NFC", path.stem).strip()
        row = labels.rows.get(path, Row())
        match = name_pattern.fullmatch(name)
        spelled, eye, camera = (match["patient"], match["eye"], match["camera"] or "") if match else ("", "", "")
        if own_pattern is not None:
            spelled, eye = _by_pattern(own_pattern, _searched(patient_pattern, root, path), eye)
        elif match and not row.patient and path.parent.parent != root:
            problems.of_folder[path.parent].add(spelled)
        if match and match["code"] is not None:
            problems.contradicting += [path] * (codes[class_key(match["code"])] != number)
        if spelled := (row.patient or spelled).strip():
            key = re.sub(r"(?<!\d)0+(?=\d)", "", plain_name(spelled))  # without leading zeros
            patient = problems.spellings.setdefault(key, spelled)
            if patient != spelled:
                problems.respelled[patient] = spelled
        else:
            problems.nameless.append(path)
            # A path contains a slash, an id does not, so the two never coincide.
            patient = f"./{path.name}" if path.parent == root else path.relative_to(root).as_posix()
        samples.append(Sample(path, label, patient, _EYES.get((row.eye or eye).lower(), ""), row.camera or camera))

    warnings = [*labels.problems, *_left_out(root, content, set(labels.numbers))]
    if unwanted:
        counts = [f"{name} {count}" for name, count in unwanted.items()]
        warnings.append(
            f"{counted(unwanted.total(), 'photograph')} left out, as the classes were chosen: {few(counts)}"
        )
    warnings += problems.warnings(root, len(samples), patient_pattern)
    names = tuple(labels.classes[number] for number in numbers)
    _refuse_unusable(root, samples, unreadable, warnings, names, list(unwanted))
    if unreadable:
        path, reason = unreadable[0]
        warnings.append(
            f"{len(unreadable)} unreadable {'file is' if len(unreadable) == 1 else 'files are'} left out, "
            f"the first {path}: {reason}"
        )
    return Catalog(tuple(samples), tuple(unreadable), tuple(warnings), names, tuple(numbers))


@dataclass
class _Problems:
    """The photographs of a catalog with a problem, by its kind: names that do not fit or contradict their folder, pages, and so on.

    spellings: the first spelling of each patient; respelled: another one. of_folder: patients by name of each folder in a class folder.
    """

    nameless: list[Path] = field(default_factory=list)
    contradicting: list[Path] = field(default_factory=list)
    paged: list[Path] = field(default_factory=list)
    double: list[Path] = field(default_factory=list)
    spellings: dict[str, str] = field(default_factory=dict)
    respelled: dict[str, str] = field(default_factory=dict)
    of_folder: defaultdict[Path, set[str]] = field(default_factory=lambda: defaultdict(set))

    def warnings(self, root: Path, total: int, pattern: str) -> Iterator[str]:
        """One line for each kind of problem, for `total` photographs. pattern: the user's, for patients."""
        if self.nameless:
            fit = "--patient-pattern" if pattern else "<Camera>_<code>_<patient>_<R|L>[_n] nor <patient>_<R|L>"
            yield (
                f"{len(self.nameless)} of {total} names do not fit {fit} ({examples(root, self.nameless)}): each such file counts as a "
                "patient of its own, so photographs of one person may be on both sides of a split; "
                f"{_advice(root, self.nameless)}"
            )
        if len(self.of_folder) > (found := len(set().union(*self.of_folder.values()))):
            yield (
                f"{counted(len(self.of_folder), 'folder')} inside class folders, whose photographs are of {found} "
                f"patient{'s' * (found > 1)} by their names: if each folder is a patient, give --patient-pattern '{_FOLDER}'"
            )
        undated: defaultdict[str, list[str]] = defaultdict(list)
        for patient in self.spellings.values() if not pattern else ():
            undated[re.sub(rf"(?<![0-9]){_DATE}(?![0-9])", "", patient)].append(patient)
        if visits := [dated for without, dated in undated.items() if len(dated) > 1 and without.strip(" _-")]:
            visit = _AFTER if re.match(_DATE, visits[0][0]) else _BEFORE
            yield (
                f"{sum(map(len, visits))} patients differ by a date alone, such as {visits[0][0]!r} and {visits[0][1]!r}: "
                f"if these are visits of one person, give --patient-pattern '{visit}'"
            )
        if self.respelled:
            some = ", ".join(f"{one!r} and {other!r}" for one, other in list(self.respelled.items())[:3])
            yield f"{counted(len(self.respelled), 'patient')} spelled in several ways, each counted as one: {some}"
        if self.contradicting:
            yield (
                f"{len(self.contradicting)} of {total} names contain another class than their folder "
                f"({examples(root, self.contradicting)}): the folder counts"
            )
        if self.paged:
            yield (
                f"{counted(len(self.paged), 'file')} made of several pages ({examples(root, self.paged)}): only the first page is read; "
                "save each page as a file of its own"
            )
        if self.double:
            yield (
                f"{counted(len(self.double), 'photograph')} about twice as long as wide ({examples(root, self.double)}), like an image "
                "of two eyes: each counts as one photograph; cut it in two"
            )


def _chosen(root: Path, order: Sequence[str], classes: Sequence[str] | int | None) -> list[int]:
    """The label numbers of the chosen classes."""
    if classes is None:
        return list(range(len(order)))
    if isinstance(classes, int):
        if classes > len(order):
            raise CatalogError(f"{root}: {classes} classes are wanted, but there are {len(order)}: {few(order)}")
        return list(range(classes))
    numbers = numbers_of(order)
    chosen = {class_key(name): numbers.get(class_key(name)) for name in classes}
    if len(chosen) < len(classes):
        raise CatalogError(f"classes {', '.join(classes)}: one is named twice; name each once")
    for name in classes:
        if chosen[class_key(name)] is None:
            raise CatalogError(f"{root}: there is no class {name}, only {few(order)}; --classes may name these")
    return [number for number in chosen.values() if number is not None]


def _by_pattern(pattern: re.Pattern[str], name: str, eye: str) -> tuple[str, str]:
    """Patient and eye of a name by a pattern of the user; "" for a patient that it does not find."""
    match = pattern.search(name)
    if match is None:
        return "", eye
    groups = match.groupdict()
    patient = groups["patient"] if "patient" in groups else match[1] if pattern.groups else match[0]
    return patient or "", groups.get("eye") or eye


def _searched(pattern: str, root: Path, path: Path) -> str:
    """What a pattern is searched in: the name without its ending, or, if the pattern has a slash, the path below `root`."""
    text = path.relative_to(root).with_suffix("").as_posix() if "/" in pattern else path.stem
    return unicodedata.normalize("NFC", text).strip()


def _advice(root: Path, paths: Sequence[Path]) -> str:
    """The pattern that finds the most patients with several photographs by the parts of their names, or what to do without one."""
    best, most = "", 1
    for pattern in _PATTERNS:
        found = [match[1] for path in paths if (match := re.search(pattern, _searched(pattern, root, path)))]
        groups = len(set(found))
        # Parts that all photographs share, or very many, are those of a camera or a class.
        if len(found) >= 0.9 * len(paths) and most < groups < len(found) <= 20 * groups:
            best, most = pattern, groups
    if best:
        return f"--patient-pattern '{best}' would find {most} patients"
    return (
        "--patient-pattern REGEX can name the part that is the patient, and so can a column patient of train/labels.csv"
    )


def _name_pattern(codes: dict[str, int]) -> re.Pattern[str]:
    """A pattern for file names. Camera and code are optional, as in 10_left; blanks, hyphens and marks of copies ("R (2)") are allowed.

    Classes that are numbers are no codes, as a number in a name may be anything.
    """
    names = {code for code in codes if not code.isdecimal()} | ({"NOR"} if "NORMAL" in codes else set())
    alternatives = "|".join(re.escape(code) for code in sorted(names, key=len, reverse=True)) or "(?!)"
    eyes = "|".join(sorted(_EYES, key=len, reverse=True))
    between = r"[\s_-]+"
    return re.compile(
        rf"(?:(?P<camera>.+?){between}(?P<code>{alternatives}){between})?"
        rf"(?P<patient>.+?)(?:{between}|(?<=\d))(?P<eye>{eyes})"
        r"(?:[\s_.-]*\d+)?(?:[\s_.-]*(?:\(\d+\)|copy|복사본|사본)(?:\s+\d+)?)*+",
        re.IGNORECASE,
    )


def _left_out(root: Path, content: Folder, labelled: set[Path]) -> Iterator[str]:
    """One line for each group of other files and folders that is left out."""
    if content.problems:
        yield f"{counted(len(content.problems), 'folder')} left out, the first {content.problems[0]}"
    of_photographs = {class_folder(root, path) for path in labelled}
    by_folder: dict[str, list[Path]] = {}
    for path in content.others:
        by_folder.setdefault(class_folder(root, path), []).append(path)
    for name, others in sorted(by_folder.items()):
        if name and name in of_photographs:
            what = f"file of {name}", f"files of {name}"
            yield f"{counted(len(others), *what)} left out, without the ending of a photograph: {count_endings(others)}"
        if not name and (broken := [path for path in others if path.is_symlink() and not path.exists()]):
            yield f"{broken[0]}: left out, as it is not a folder, or a broken link"


def _refuse_unusable(
    root: Path,
    samples: list[Sample],
    unreadable: list[tuple[Path, str]],
    warnings: list[str],
    classes: Sequence[str],
    unwanted: Sequence[str],
) -> None:
    counts = Counter(sample.label for sample in samples)
    if len(counts) > 1:
        return
    if counts and unwanted:
        (label,) = counts
        missing = next(name for name in classes if name != classes[label])
        problem = f"no photographs of {missing}, only of {few([*unwanted, classes[label]])}; --classes may name others"
    elif counts:
        (label,) = counts
        others = few([name for name in classes if name != classes[label]]) or "other classes"
        problem = f"only {classes[label]} has photographs, but training needs two classes; add folders of {others}"
    elif unreadable:
        problem = f"none of {len(unreadable)} photographs can be read, the first because: {unreadable[0][1]}"
    else:
        problem = f"no photographs in class folders; expected {root}/<CLASS>/*.jpg, or a table labels.csv with the columns file and label"
    raise CatalogError("; ".join([f"{root}: {problem}", *(warning for warning in warnings if "left out" in warning)]))
