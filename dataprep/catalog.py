"""A folder of photographs -> samples: path, class, patient and eye.

The folder is laid out as the platform lays out DATASET_PATH/train/train_data: one folder a class, photographs named
`<Camera>_<code>_<patient>_<R|L>[_n].jpg`.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataprep.header import EXTENSIONS, PhotographError, read_header

CLASSES: tuple[str, ...] = ("NORMAL", "AMD", "RVO", "DMR")

# The competition writes NOR in file names, and some copies of it in folder names too.
_OTHER_NAMES = {"NOR": "NORMAL"}


class CatalogError(ValueError):
    """The folder cannot be trained on; the message is one line with the mend."""

    exit_status = 2


@dataclass(frozen=True)
class Sample:
    """A photograph: its file, its class as an index into the classes, its patient, its eye "R", "L" or "", and its camera.

    The camera is what the name says, "" where it does not; two samples are the same whatever their camera.
    """

    path: Path
    label: int
    patient: str
    eye: str
    camera: str = field(default="", compare=False)


@dataclass(frozen=True)
class Catalog:
    """What a folder holds: usable samples sorted by path, unusable files with the reason, and what to tell the user."""

    samples: tuple[Sample, ...]
    unreadable: tuple[tuple[Path, str], ...]
    warnings: tuple[str, ...]


def read_catalog(folder: str | os.PathLike[str], classes: Sequence[str] = CLASSES) -> Catalog:
    """Lists the photographs (.jpg .jpeg .png .bmp .tif .tiff, in any case) under the class folders of `folder`.

    The class is that of the folder; the patient is the id in the name, whatever the camera and the class say: someone
    with two diseases, or seen by two cameras, must not be on both sides of a split, and taking two people for one
    costs a split nothing but a little freedom. A file whose name does not fit is its own patient.

    Only headers and ends of files are read. CatalogError where the folder is missing, or fewer than two classes have
    a usable photograph.
    """
    root = Path(folder)
    if not root.is_dir():
        raise CatalogError(f"{root}: no such folder; give the one that holds the class folders {', '.join(classes)}")
    known = {name.upper(): label for label, name in enumerate(classes)}
    known |= {other: known[name] for other, name in _OTHER_NAMES.items() if name in known and other not in known}
    name_pattern = _name_pattern(known)

    samples: list[Sample] = []
    unreadable: list[tuple[Path, str]] = []
    warnings: list[str] = []
    nameless = contradicting = 0
    for directory in sorted(root.iterdir()):
        if directory.name.startswith(".") or not directory.is_dir():
            continue
        files = _photographs(directory)
        label = known.get(directory.name.upper())
        if label is None:
            if files:
                warnings.append(
                    f"{directory}: left out with its {len(files)} photographs, as it is none of the classes "
                    f"{', '.join(classes)}; rename it to the class it holds"
                )
            continue
        for path in files:
            try:
                read_header(path)
            except PhotographError as error:
                unreadable.append((path, str(error)))
                continue
            match = name_pattern.fullmatch(path.stem)
            if match is None:
                nameless += 1
                # A slash cannot be part of an id taken from a file's name, so the two kinds never meet.
                patient, eye, camera = path.relative_to(root).as_posix(), "", ""
            else:
                patient, eye, camera = match["patient"], match["eye"].upper(), match["camera"]
                contradicting += known[match["code"].upper()] != label
            samples.append(Sample(path, label, patient, eye, camera))

    total = len(samples)
    if nameless:
        warnings.append(
            f"{nameless} of {total} names do not fit <Camera>_<code>_<patient>_<R|L>[_n]: each such file counts as a "
            "patient of its own, so two pictures of one person may be on both sides of a split"
        )
    if contradicting:
        warnings.append(
            f"{contradicting} of {total} names have another class's code than their folder: the folder counts"
        )
    if unreadable:
        path, reason = unreadable[0]
        warnings.append(
            f"{len(unreadable)} unreadable {'file is' if len(unreadable) == 1 else 'files are'} left out, "
            f"the first {path}: {reason}"
        )
    _refuse_unusable(root, samples, unreadable, warnings, classes)
    return Catalog(tuple(sorted(samples, key=lambda sample: sample.path)), tuple(unreadable), tuple(warnings))


def _name_pattern(codes: dict[str, int]) -> re.Pattern[str]:
    alternatives = "|".join(re.escape(code) for code in sorted(codes, key=len, reverse=True))
    return re.compile(
        rf"(?P<camera>.+?)_(?P<code>{alternatives})_(?P<patient>.+?)_(?P<eye>[RL])(?:_\d+)?", re.IGNORECASE
    )


def _photographs(directory: Path) -> list[Path]:
    """The photographs under a class folder; hidden files are none (macOS leaves `._name.jpg` beside each)."""
    return [
        Path(parent) / name
        for parent, _, names in os.walk(directory, followlinks=True)
        for name in names
        if os.path.splitext(name)[1].lower() in EXTENSIONS and not name.startswith(".")
    ]


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
        found = f"only {classes[label]} has photographs, and a single class cannot be learned; add folders of {others}"
    elif unreadable:
        found = f"none of {len(unreadable)} photographs can be read, the first because: {unreadable[0][1]}"
    elif (root / "train" / "train_data").is_dir():
        found = f"no class folders here, but in {root / 'train' / 'train_data'}: give that folder"
    else:
        found = (
            f"no photographs in class folders; expected {root / classes[0]}/*.jpg and so on for {', '.join(classes)}"
        )
    raise CatalogError("; ".join([f"{root}: {found}", *(w for w in warnings if "left out with" in w)]))
