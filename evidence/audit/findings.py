"""The audit as data for the table and the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataprep.catalog import CatalogError, Sample, read_chosen
from dataprep.patients import Patients, read_patients

from . import fingerprint
from .duplicates import Pairs, exact_duplicates, near_duplicates
from .layout import find_test, find_training
from .measure import Measures, measure_all
from .probe import Folds, Probe, make_folds, probe

_FRACTION = 0.2  # share of the files in validation in a random split
# Threshold for blurred photographs: robust deviations from the set's median sharpness, in logarithms. In two real sets, nearly all
# photographs below it are hazy or out of focus; about 2 in 100 would be below it by chance.
_BLURRED = -2.0


@dataclass(frozen=True)
class Finding:
    """A count, its meaning, and its photographs in groups: a pair, all photographs of an eye, or a single one."""

    name: str
    groups: tuple[tuple[Path, ...], ...]
    meaning: str
    warning: bool = False
    unit: str = "photographs"

    @property
    def count(self) -> int:
        """The number of groups."""
        return len(self.groups)

    @property
    def counted(self) -> str:
        """The unit of the count, in the singular for one."""
        return self.unit[:-1] if self.count == 1 else self.unit


@dataclass(frozen=True)
class ClassRow:
    """A class: its photographs, patients and eyes."""

    name: str
    photographs: int
    patients: int
    eyes: int


@dataclass(frozen=True)
class Audit:
    """The audit of `folder`.

    kinds: for "size", "camera" and "EXIF", the number of photographs of each class by value.
    """

    folder: Path
    classes: tuple[ClassRow, ...]
    kinds: dict[str, dict[str, Counter[str]]]
    findings: tuple[Finding, ...]
    patients: Patients
    probes: dict[str, Probe]
    largest: float
    test_photographs: int
    notes: tuple[str, ...]


def audit(
    path: Path,
    test: Path | None = None,
    classes: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    patient_pattern: str = "",
) -> Audit:
    """Audit the training photographs of a dataset's root or training folder. Raises CatalogError if there are none."""
    folder = find_training(path)
    catalog = read_chosen(folder, classes, patient_pattern)
    names = catalog.classes
    test_paths = find_test(path, test)
    near = fingerprint.available()

    paths = [sample.path for sample in catalog.samples] + test_paths
    results = measure_all(paths, near, progress)
    unreadable = [(p, why) for p, why in catalog.unreadable]
    unreadable += [(p, result) for p, result in zip(paths, results, strict=True) if isinstance(result, str)]
    of_samples = zip(catalog.samples, results[: len(catalog.samples)], strict=True)
    readable = [(sample, result) for sample, result in of_samples if isinstance(result, Measures)]
    of_test = zip(test_paths, results[len(catalog.samples) :], strict=True)
    tested = [(p, result) for p, result in of_test if isinstance(result, Measures)]
    samples = [sample for sample, _ in readable]
    measures = [measure for _, measure in readable]
    if not samples:
        raise CatalogError(
            f"{folder}: none of its {len(paths)} photographs can be decoded, the first because: {unreadable[0][1]}"
        )

    # A finding of its own tells the unreadable files.
    notes = list(catalog.warnings[:-1] if catalog.unreadable else catalog.warnings)
    if not near:
        notes.append(fingerprint.MISSING)
    everything = [*measures, *(measure for _, measure in tested)]
    where = [sample.path for sample in samples] + [p for p, _ in tested]
    patients = read_patients(samples, _FRACTION)
    findings = [
        Finding(
            "unreadable",
            tuple((p,) for p, _ in unreadable),
            "; ".join(f"{p.name}: {why}" for p, why in unreadable[:3]) or "every file can be decoded",
            warning=True,
        ),
        *_looks(samples, measures),
        *_copies("exact", exact_duplicates(samples, everything), where, "the same file twice", bool(test_paths)),
    ]
    if near:
        meaning = (
            f"the hashes of the retinas, also mirrored and turned, differ in at most {fingerprint.NEAR} of {fingerprint.BITS} "
            "bits; look at each pair, as one eye photographed twice counts too"
        )
        findings += _copies("near", near_duplicates(samples, everything), where, meaning, bool(test_paths))
    findings += _eyes(samples, patients)
    probes, largest, why = _probes(samples, measures, names)
    return Audit(
        folder,
        _classes(samples, names),
        _kinds(samples, measures, names),
        tuple(findings),
        patients,
        probes,
        largest,
        len(test_paths),
        (*notes, *why),
    )


def blurred(sharpness: np.ndarray) -> np.ndarray:
    """A mask, bool (n,), of the sharpnesses far below the rest, by median and median absolute deviation of logarithms."""
    if len(sharpness) == 0:
        return np.zeros(0, bool)
    logarithms = np.log(sharpness + 0.1)  # finite for a sharpness of 0
    distance = logarithms - np.median(logarithms)
    # The factor 1.4826 gives the standard deviation of a normal distribution.
    deviation = 1.4826 * np.median(np.abs(distance))
    return np.asarray(distance < _BLURRED * deviation) if deviation > 0 else np.zeros(len(sharpness), bool)


def _looks(samples: Sequence[Sample], measures: Sequence[Measures]) -> list[Finding]:
    def pick(chosen: Sequence[int]) -> tuple[tuple[Path, ...], ...]:
        return tuple((samples[index].path,) for index in chosen)

    lit = np.array([i for i, m in enumerate(measures) if not m.almost_black and not m.almost_white], int)
    sharpness = np.array([measures[i].sharpness for i in lit])
    soft = lit[blurred(sharpness)]
    soft = soft[np.argsort([measures[i].sharpness for i in soft], kind="stable")]
    return [
        Finding(
            "almost black",
            pick([i for i, m in enumerate(measures) if m.almost_black]),
            "the brightest colour is below 30 of 255 on average over the retina",
            warning=True,
        ),
        Finding(
            "almost white",
            pick([i for i, m in enumerate(measures) if m.almost_white]),
            "the darkest colour is above 225 of 255 on average over the retina",
            warning=True,
        ),
        Finding(
            "blurred",
            pick(soft.tolist()),
            "the variance of the Laplacian in the middle of the retina, shrunk to 256 pixels, is 2 robust deviations below this "
            "set's median, in logarithms; hazy ones are among them, black and white ones are not",
            warning=True,
        ),
        Finding(
            "text burned in",
            pick([i for i, m in enumerate(measures) if m.text]),
            "rows of small sharp marks beside the retina; text may be the name of a patient, and a network can use it",
            warning=True,
        ),
    ]


def _copies(kind: str, pairs: Pairs, where: Sequence[Path], meaning: str, tested: bool) -> list[Finding]:
    rows = [
        ("within a class", pairs.within_class),
        ("across classes", pairs.across_classes),
        ("across patients", pairs.across_patients),
    ]
    if tested:
        rows.append(("train and test", pairs.train_and_test))
    return [
        Finding(
            f"{kind}, {name}",
            tuple((where[first], where[second]) for first, second in indices),
            meaning + ("; these pairs are among those above" if name == "across patients" else ""),
            warning=True,
            unit="pairs",
        )
        for name, indices in rows
    ]


def _eyes(samples: Sequence[Sample], patients: Patients) -> list[Finding]:
    def pick(groups: dict) -> tuple[tuple[Path, ...], ...]:  # type: ignore[type-arg]
        return tuple(tuple(samples[index].path for index in group) for group in groups.values())

    return [
        Finding(
            "in two classes",
            pick(patients.in_two_classes),
            "their eyes differ, or a label is wrong; the recipe's split does not divide them",
            warning=True,
            unit="patients",
        ),
        Finding("both eyes", pick(patients.both_eyes), "two eyes of one person are alike", unit="patients"),
        Finding("several photographs", pick(patients.several_pictures), "several photographs of one eye", unit="eyes"),
    ]


def _classes(samples: Sequence[Sample], names: Sequence[str]) -> tuple[ClassRow, ...]:
    rows = []
    for label, name in [*enumerate(names), (None, "all")]:
        members = [sample for sample in samples if label in (None, sample.label)]
        patients = {sample.patient for sample in members}
        eyes = {(sample.patient, sample.eye) for sample in members if sample.eye}
        if members:
            rows.append(ClassRow(str(name), len(members), len(patients), len(eyes)))
    return tuple(rows)


def _kinds(
    samples: Sequence[Sample], measures: Sequence[Measures], names: Sequence[str]
) -> dict[str, dict[str, Counter[str]]]:
    kinds: dict[str, dict[str, Counter[str]]] = {"size": {}, "camera": {}, "EXIF": {}}
    for sample, measure in zip(samples, measures, strict=True):
        values = {
            "size": f"{measure.width}x{measure.height}",
            "camera": sample.camera or "not in the name",
        }
        if measure.camera is not None:
            values["EXIF"] = measure.camera or "no make or model"
        for kind, value in values.items():
            kinds[kind].setdefault(value, Counter())[names[sample.label]] += 1
    return {
        kind: dict(sorted(values.items(), key=lambda item: (-item[1].total(), item[0])))
        for kind, values in kinds.items()
        if values
    }


def _probes(
    samples: Sequence[Sample], measures: Sequence[Measures], names: Sequence[str]
) -> tuple[dict[str, Probe], float, tuple[str, ...]]:
    """The probes by name, the share of the largest class among their photographs, and notes."""
    folds = make_folds(samples, names)
    if not isinstance(folds, Folds):
        return {}, 0.0, (folds,)
    features = {
        "colours": np.array([measures[i].colours for i in folds.chosen]),
        "shape": np.array([measures[i].shape for i in folds.chosen]),
    }
    probes = {name: probe(values, folds) for name, values in features.items()}
    return probes, float(np.bincount(folds.labels).max() / len(folds.labels)), folds.notes
