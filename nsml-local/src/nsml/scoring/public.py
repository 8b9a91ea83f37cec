"""The public part of a test set, which the board shows until the competition is closed, and the private rest.

The names of the public part are the lines of a file beside the labels (`Dataset.public`).
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import PurePath

from ..errors import NsmlError
from ..store.datasets import Dataset
from ..store.files import write_text
from ..store.photographs import photographs_below
from .metrics import METRICS
from .predictions import BARE, Kind, composed, image_ids, is_finite, read_lines, read_part
from .rules import Rules

_EYE = re.compile(r"(.+?)[ _-](?:R|L|OD|OS|right|left)(?: ?\(\d+\))?", re.IGNORECASE)
# Strata of labels that are numbers.
_BANDS = 5


def choose_public(dataset: Dataset, rules: Rules) -> str:
    """Choose the public part by the rules and store it; without a `public_share` remove it.

    Returns:
        A line on the two parts; "" without a public part.

    Raises:
        NsmlError: the labels are no file of lines, or a part would be empty or of one class.
    """
    if rules.public_share is None:
        dataset.public.unlink(missing_ok=True)
        return ""
    if not dataset.has_label_file:
        raise NsmlError("public_share needs test/test_label with a line FOLDER,FILE,LABEL for each test photograph")
    labels = read_lines(dataset.labels, "the label file")
    names, without = patients_of(dataset, labels, rules.patient_pattern)
    strata = dict(labels)
    is_number = rules.metric in METRICS and METRICS[rules.metric].kind is Kind.NUMBER
    if is_number and all(map(is_finite, labels.values())):
        ranked = sorted(labels, key=lambda name: float(labels[name]))
        strata = {name: f"{place * _BANDS // len(ranked)}" for place, name in enumerate(ranked)}
    public = split(strata, names, rules.public_share, rules.public_seed)
    parts = {"public": public, "private": labels.keys() - public}
    for what, part in parts.items():
        classes = {strata[name] for name in part}
        if not part or (len(classes) < 2 <= len(set(strata.values()))):
            few = "empty" if not part else f"of one class, {classes.pop()}"
            raise NsmlError(
                f"public_share = {rules.public_share:g}: the {what} part would be {few}; choose another share"
            )
    write_text(dataset.public, "".join(f"{name}\n" for name in labels if name in public))
    patients = len(set(names.values()))
    line = f"public: {len(public)} of {len(labels)} labels, of {len({names[n] for n in public})} of {patients} patients"
    if without:
        line += f"; {len(without)} names do not match patient_pattern ({', '.join(without[:3])}), so each counts as a patient"
    return line


def public_part(dataset: Dataset) -> frozenset[str] | None:
    """Names of the public part, as in the label file; None if the whole test set is scored."""
    if not dataset.public.is_file():
        return None
    return read_part(dataset.public)


def patients_of(dataset: Dataset, labels: Mapping[str, str], pattern: str) -> tuple[dict[str, str], list[str]]:
    """The patient of each label by its name, and the names that `pattern` does not match.

    Without a pattern, the two eyes of a patient have the same name up to `_R`, `_L`, `_OD`, `_OS`, `_right` or `_left`. Labels without
    names are taken to be in the order of the photographs.
    """
    files = list(labels)
    if files and files[0].startswith(BARE):
        root = dataset.submission / "test"
        ids = [composed(name) for name in image_ids(photographs_below(root), root)]
        files = ids if len(ids) == len(labels) else files
    patients, without = {}, []
    for name, file in zip(labels, files, strict=True):
        # Behind the folder; a file's name may hold commas itself.
        path = PurePath(file.partition(",")[2] or file)
        found = re.search(pattern, path.name) if pattern else _EYE.fullmatch(path.stem)
        if found and found[1]:
            # Apart from names, which stand for themselves.
            patients[name] = f"patient {found[1]}"
        else:
            patients[name] = file
            if pattern:
                without.append(path.name)
    return patients, without


def patient_in(name: str) -> str:
    """A file's name without its ending, up to `_R`, `_L`, `_OD`, `_OS`, `_right` or `_left`."""
    found = _EYE.fullmatch(name)
    return found[1] if found else name


def split(labels: Mapping[str, str], patients: Mapping[str, str], share: float, seed: int) -> set[str]:
    """Names of about `share` of the labels: whole patients, in a random order that `seed` gives, of each class its share.

    A patient with several classes counts for the rarest. The order of a patient depends on seed and name only, so that a corrected
    label moves few patients.
    """
    counts: dict[str, int] = defaultdict(int)
    for label in labels.values():
        counts[label] += 1
    by_patient: dict[str, list[str]] = defaultdict(list)
    for name in labels:
        by_patient[patients[name]].append(name)
    strata: dict[str, list[str]] = defaultdict(list)
    for patient, names in by_patient.items():
        strata[min((labels[name] for name in names), key=lambda label: (counts[label], label))].append(patient)

    def order(patient: str) -> str:
        return hashlib.sha256(f"{seed} {patient}".encode("utf-8", "surrogateescape")).hexdigest()

    public: set[str] = set()
    seen = 0
    # The rarest class first, so that the largest evens out what was rounded.
    for stratum in sorted(strata, key=lambda label: (counts[label], label)):
        members = sorted(strata[stratum], key=order)
        seen += sum(len(by_patient[patient]) for patient in members)
        for place, patient in enumerate(members):
            size = len(by_patient[patient])
            is_wanted = len(public) + size / 2 <= share * seen
            # Of two patients or more, one is in each part.
            if (is_wanted or place == 0) and (place < len(members) - 1 or (len(members) == 1 and is_wanted)):
                public.update(by_patient[patient])
    return public
