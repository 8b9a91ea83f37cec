"""Write a report: report.html, each of its pictures as a PNG, and its diagrams also as PDF and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from model.console import Progress
from model.ensemble import Ensemble
from model.network import Network
from model.records import Baseline

from ..html_page import write_private
from .calibration import scaled
from .facts import facts
from .figures import Figures, work_out
from .lesions import look_at_lesions
from .page import Report, page
from .pictures import strips, surest, worst_mistakes
from .requirements import check_matplotlib
from .subject import only, subject_of

PAGE = "report.html"
# Classes with curves and a surest answer; of more, those with the most photographs.
_SHOWN = 24


def write_report(
    checkpoint: Network | Ensemble,
    photographs: Path,
    folder: Path,
    title: str,
    chosen_classes: Sequence[str] | None = None,
) -> Path:
    """Write the report of a checkpoint to `folder` and return the path of the page, which is written last.

    Args:
        photographs: the folder of its training photographs. The page names missing ones.
        title: title of the page.
        chosen_classes: only photographs of these classes, with the probabilities of these classes alone (default: all).

    Raises:
        ReportError: the checkpoint holds no validation predictions, or matplotlib is missing.
        OSError: `folder` cannot be written.
    """
    check_matplotlib()
    subject = subject_of(checkpoint)
    if chosen_classes is not None:
        subject = only(subject, chosen_classes)
    from . import plots

    validation, classes = subject.validation, subject.classes
    figures = work_out(validation, classes, subject.temperature)
    diagrams = {"confusion": plots.confusion_diagram(figures.confusion, classes)}
    if figures.classes:
        most = sorted(range(len(figures.classes)), key=lambda number: -figures.classes[number].share)[:_SHOWN]
        curves = [figures.classes[number] for number in sorted(most)]
        diagrams["roc"] = plots.roc_diagram(curves)
        diagrams["precision_recall"] = plots.precision_diagram(curves)
    before, after, _ = figures.calibrations
    diagrams["calibration"] = plots.calibration_diagram(
        before, replace(after, name=f"after, T = {subject.temperature:.2f}")
    )
    if subject.histories:
        diagrams["learning"] = plots.learning_diagram(subject.histories, subject.best_epoch)

    probabilities = scaled(validation.probabilities, subject.temperature)
    shown = [
        strips(chosen, photographs, validation.samples, validation.labels, probabilities, subject.views)
        for chosen in (
            worst_mistakes(validation.labels, probabilities),
            surest(validation.labels, probabilities)[:_SHOWN],
        )
    ]
    lesions, unusable = look_at_lesions(
        photographs,
        validation.samples,
        validation.patients,
        validation.labels,
        classes,
        subject.views,
        Progress("looking at lesions"),
    )
    notes = [*_warnings(figures, classes, len(validation.labels)), *subject.notes]
    if len(figures.classes) > _SHOWN:
        notes.append(
            f"Curves are of the {_SHOWN} classes with the most photographs, and as many surest answers are shown."
        )
    if unusable:
        notes.append(f"{len(unusable)} marks of lesions could not be used, the first: {unusable[0]}")
    report = Report(
        title,
        classes,
        subject.temperature,
        facts(subject),
        figures,
        {name: drawn["png"] for name, drawn in diagrams.items()},
        shown[0],
        int((probabilities.argmax(axis=1) != validation.labels).sum()),
        shown[1],
        lesions,
        notes,
        # The baselines are those of all classes.
        baselines_of(subject.networks) if len(subject.classes) == len(checkpoint.classes) else [],
    )
    pictures = {f"{name}.{kind}": content for name, drawn in diagrams.items() for kind, content in drawn.items()}
    for kind, row in zip(("mistake", "surest"), shown, strict=True):
        pictures |= {f"{kind}_{number:02d}.png": strip.png for number, strip in enumerate(row, 1) if strip.png}
    for name, content in pictures.items():
        write_private(folder / name, content)
    for stale in {*folder.glob("mistake_*.png"), *folder.glob("surest_*.png")}:
        if stale.name not in pictures:
            stale.unlink()
    write_private(folder / PAGE, page(report).encode())
    return folder / PAGE


def _warnings(figures: Figures, classes: Sequence[str], count: int) -> list[str]:
    """Notes on a checkpoint that is no better than guessing."""
    notes = []
    if figures.one_class is not None:
        notes.append(
            f"All {count} predictions are of one class, {classes[figures.one_class]}: the network may have collapsed."
        )
    if figures.gains["accuracy"].value <= 0:
        notes.append("The accuracy is not above that of the same prediction for all photographs.")
    return notes


def baselines_of(networks: Sequence[Network]) -> list[Baseline]:
    """The baselines of a network except the constant one; for several networks, the means of the baselines that all have."""
    every = [{one.name: one for one in network.baselines if not one.name.startswith("always ")} for network in networks]
    return [
        Baseline(
            name if len(every) == 1 else f"{name}, mean over the networks",
            *(
                float(np.mean([getattr(one[name], value) for one in every]))
                for value in ("auc", "balanced", "accuracy")
            ),
        )
        for name in every[0]
        if all(name in one for one in every)
    ]
