"""A folder of photographs -> samples with path, class, patient and eye.

The layout is that of DATASET_PATH/train/train_data: one folder per class, with photographs named
`<Camera>_<code>_<patient>_<R|L>[_n].jpg` or `<patient>_<R|L>.jpg`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataprep.folder import Folder, count_endings, read_folder
from dataprep.header import PhotographError, read_header

CLASSES: tuple[str, ...] = ("NORMAL", "AMD", "RVO", "DMR")

# The competition uses NOR in file names, and some copies also in folder names.
_OTHER_NAMES = {"NOR": "NORMAL"}
# Eyes in names: letters, oculus dexter (od), sinister (os) and uterque (ou), and words.
_EYES = {
    "r": "R",
    "re": "R",
    "od": "R",
    "right": "R",
    "l": "L",
    "le": "L",
    "os": "L",
    "left": "L",
    "ou": "",
    "both": "",
}
_EYES |= {"우": "R", "우안": "R", "좌": "L", "좌안": "L", "양안": ""}
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
    """Samples sorted by path, unreadable files with the reason, and warnings for the user."""

    samples: tuple[Sample, ...]
    unreadable: tuple[tuple[Path, str], ...]
    warnings: tuple[str, ...]


def read_catalog(folder: str | os.PathLike[str], classes: Sequence[str] = CLASSES) -> Catalog:
    """List the photographs in the class folders of `folder`, with endings in `dataprep.header.EXTENSIONS` (ignoring case).

    The folder gives the class. The id in the name gives the patient, independent of camera and class: a patient with two
    diseases, or two cameras, must not be on both sides of a split. Treating two people as one patient does little harm. So ids
    are compared without leading zeros, surrounding blanks and case, in one Unicode normalisation (macOS and Windows differ). A
    file whose name does not fit counts as a patient of its own.

    Only the header and the end of each file are read.

    Raises:
        CatalogError: the folder is missing, a class is named twice, or fewer than two classes have a usable photograph.
    """
    root = Path(folder)
    if not root.is_dir():
        raise CatalogError(f"{root}: no such folder; give the one with the class folders {', '.join(classes)}")
    known = {plain_name(name): label for label, name in enumerate(classes)}
    if len(known) < len(classes):
        raise CatalogError(f"classes {', '.join(classes)}: one is named twice; name each once")
    known |= {other: known[name] for other, name in _OTHER_NAMES.items() if name in known and other not in known}
    name_pattern = _name_pattern(known)
    content = read_folder(root)

    samples: list[Sample] = []
    unreadable: list[tuple[Path, str]] = []
    nameless: list[Path] = []
    contradicting: list[Path] = []
    paged: list[Path] = []
    double: list[Path] = []
    spellings: dict[str, str] = {}
    respelled: dict[str, str] = {}
    for path in content.photographs:
        label = known.get(plain_name(_class_folder(root, path)))
        if label is None:
            continue
        try:
            header = read_header(path)
        except PhotographError as error:
            unreadable.append((path, str(error)))
            continue
        paged += [path] * (header.pages > 1)
        double += [path] * (max(header.width, header.height) >= _DOUBLE * min(header.width, header.height))
        match = name_pattern.fullmatch(unicodedata.normalize("NFC", path.stem).strip())
        if match is None:
            nameless.append(path)
            # A path contains a slash, an id does not, so the two never coincide.
            patient, eye, camera = path.relative_to(root).as_posix(), "", ""
        else:
            spelled = match["patient"].strip()
            patient = spellings.setdefault(_without_zeros(plain_name(spelled)), spelled)
            if patient != spelled:
                respelled[patient] = spelled
            eye, camera = _EYES.get(match["eye"].lower(), ""), match["camera"] or ""
            contradicting += [path] * (match["code"] is not None and known[plain_name(match["code"])] != label)
        samples.append(Sample(path, label, patient, eye, camera))

    warnings = [*_left_out(root, content, known, classes)]
    total = len(samples)
    if nameless:
        warnings.append(
            f"{len(nameless)} of {total} names do not fit <Camera>_<code>_<patient>_<R|L>[_n] nor <patient>_<R|L> "
            f"({_examples(root, nameless)}): each such file counts as a "
            "patient of its own, so photographs of one person may be on both sides of a split"
        )
    if respelled:
        some = ", ".join(f"{one!r} and {other!r}" for one, other in list(respelled.items())[:3])
        warnings.append(f"{_number(len(respelled), 'patient')} spelled in several ways, each counted as one: {some}")
    if contradicting:
        warnings.append(
            f"{len(contradicting)} of {total} names contain another class than their folder "
            f"({_examples(root, contradicting)}): the folder counts"
        )
    if paged:
        warnings.append(
            f"{_number(len(paged), 'file')} made of several pages ({_examples(root, paged)}): only the first page is read; "
            "save each page as a file of its own"
        )
    if double:
        warnings.append(
            f"{_number(len(double), 'photograph')} about twice as long as wide ({_examples(root, double)}), like an image of two eyes: "
            "each counts as one photograph; cut it in two"
        )
    if unreadable:
        path, reason = unreadable[0]
        warnings.append(
            f"{len(unreadable)} unreadable {'file is' if len(unreadable) == 1 else 'files are'} left out, "
            f"the first {path}: {reason}"
        )
    _refuse_unusable(root, samples, unreadable, warnings, classes)
    return Catalog(tuple(samples), tuple(unreadable), tuple(warnings))


def _class_folder(root: Path, path: Path) -> str:
    """The name of a file's top-level folder in `root`, "" if it lies in `root` itself."""
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""


def plain_name(name: str) -> str:
    """A name in the form for comparisons: normalised, in capitals, without surrounding blanks."""
    return unicodedata.normalize("NFC", name).strip().upper()


def _without_zeros(patient: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", patient)


def _name_pattern(codes: dict[str, int]) -> re.Pattern[str]:
    """A pattern for file names. Camera and code are optional, as in 10_left; blanks, hyphens and marks of copies ("R (2)") are allowed."""
    alternatives = "|".join(re.escape(code) for code in sorted(codes, key=len, reverse=True))
    eyes = "|".join(sorted(_EYES, key=len, reverse=True))
    between = r"[\s_-]+"
    return re.compile(
        rf"(?:(?P<camera>.+?){between}(?P<code>{alternatives}){between})?"
        rf"(?P<patient>.+?)(?:{between}|(?<=\d))(?P<eye>{eyes})"
        r"(?:[\s_.-]*\d+)?(?:[\s_.-]*(?:\(\d+\)|copy|복사본|사본)(?:\s+\d+)?)*+",
        re.IGNORECASE,
    )


def _left_out(root: Path, content: Folder, known: dict[str, int], classes: Sequence[str]) -> Iterator[str]:
    """One line for each group of files and folders that is left out."""
    if content.problems:
        yield f"{_number(len(content.problems), 'folder')} left out, the first {content.problems[0]}"
    by_folder: dict[str, list[list[Path]]] = {}
    for side, paths in enumerate((content.photographs, content.others)):
        for path in paths:
            by_folder.setdefault(_class_folder(root, path), [[], []])[side].append(path)
    for name, (photographs, others) in sorted(by_folder.items()):
        if not name:
            if photographs:
                yield f"{_number(len(photographs), 'photograph')} left out, in no class folder ({_examples(root, photographs)})"
            missing = [path for path in others if plain_name(path.name) in known]
            if missing:
                yield f"{missing[0]}: left out, as it is not a folder, or a broken link"
        elif plain_name(name) in known:
            if others:
                yield f"{_number(len(others), 'file', f' of {name}')} left out, without the ending of a photograph: {count_endings(others)}"
        elif photographs:
            yield (
                f"{root / name}: left out with its {len(photographs)} photographs, as it is not one of the classes "
                f"{', '.join(classes)}; rename it to the class of its photographs"
            )


def _number(count: int, what: str, of: str = "") -> str:
    return f"{count} {what}{of} is" if count == 1 else f"{count} {what}s{of} are"


def _examples(root: Path, paths: Sequence[Path]) -> str:
    shown = ", ".join(path.relative_to(root).as_posix() for path in paths[:3])
    return f"{shown}, ..." if len(paths) > 3 else shown


def _refuse_unusable(
    root: Path,
    samples: list[Sample],
    unreadable: list[tuple[Path, str]],
    warnings: list[str],
    classes: Sequence[str],
) -> None:
    counts = Counter(sample.label for sample in samples)
    if len(counts) > 1:
        return
    if counts:
        (label,) = counts
        others = ", ".join(name for name in classes if name != classes[label])
        problem = f"only {classes[label]} has photographs, but training needs two classes; add folders of {others}"
    elif unreadable:
        problem = f"none of {len(unreadable)} photographs can be read, the first because: {unreadable[0][1]}"
    elif (root / "train" / "train_data").is_dir():
        problem = f"the class folders are in {root / 'train' / 'train_data'}; give that folder"
    else:
        problem = (
            f"no photographs in class folders; expected {root / classes[0]}/*.jpg and so on for {', '.join(classes)}"
        )
    raise CatalogError(
        "; ".join([f"{root}: {problem}", *(w for w in warnings if "left out" in w and "unreadable" not in w)])
    )
