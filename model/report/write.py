"""Puts a report together and writes it: report.html, and beside it each of its pictures as a PNG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dataprep.html_page import write_whole

from ..calibration import scaled
from ..grad_cam import grad_cam
from ..network import Network
from ..score import score
from ..terminal import Progress
from .figures import work_out
from .lesions import look_at_lesions
from .page import Report, page
from .pictures import strips, surest, worst_mistakes
from .requirements import ReportError, check_matplotlib

PAGE = "report.html"


def write_report(network: Network, photographs: Path, folder: Path, title: str) -> Path:
    """Write the report of a trained network into `folder` and return the page's path; the page is written last.

    Args:
        photographs: the folder of photographs that the network was trained on; those that are gone are said to be.
        title: of the page.

    Raises:
        ReportError: the checkpoint holds no validation predictions, or matplotlib is missing.
        OSError: `folder` cannot be written.
    """
    check_matplotlib()
    found, settings = network.validation, network.settings
    if found is None or not len(found.labels):
        raise ReportError("the checkpoint holds no validation predictions; take one that was saved after an epoch")
    from . import plots

    figures = work_out(found, settings.classes, settings.temperature)
    diagrams = {"confusion": plots.confusion_png(figures.confusion, settings.classes)}
    if figures.classes:
        diagrams["roc"] = plots.roc_png(figures.classes)
        diagrams["precision_recall"] = plots.precision_png(figures.classes)
    before, after, _ = figures.calibrations
    diagrams["calibration"] = plots.calibration_png(
        before, replace(after, name=f"after, T = {settings.temperature:.2f}")
    )
    if network.history:
        diagrams["learning"] = plots.learning_png(network.history, settings.best_epoch)

    def heat_of(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        return grad_cam(network.model, images, classes)

    probabilities = scaled(found.probabilities, settings.temperature)
    shown = [
        strips(chosen, photographs, found.samples, found.labels, probabilities, settings.preparation, heat_of)
        for chosen in (worst_mistakes(found.labels, probabilities), surest(found.labels, probabilities))
    ]
    lesions, unusable = look_at_lesions(
        photographs, found.samples, found.patients, found.labels, settings.classes, settings.preparation, heat_of,
        Progress("looking at lesions"),
    )  # fmt: skip
    notes = [f"{len(unusable)} marks of lesions could not be used, the first: {unusable[0]}"] if unusable else []
    report = Report(
        title,
        settings,
        _facts(network),
        figures,
        diagrams,
        shown[0],
        int((probabilities.argmax(axis=1) != found.labels).sum()),
        shown[1],
        lesions,
        notes,
    )
    pictures = dict(diagrams)
    for kind, row in zip(("mistake", "surest"), shown, strict=True):
        pictures |= {f"{kind}_{number:02d}": strip.png for number, strip in enumerate(row, 1) if strip.png}
    for name, content in pictures.items():
        write_whole(folder / f"{name}.png", content)
    for stale in {*folder.glob("mistake_*.png"), *folder.glob("surest_*.png")}:
        if stale.stem not in pictures:
            stale.unlink()
    write_whole(folder / PAGE, page(report).encode())
    return folder / PAGE


def _facts(network: Network) -> dict[str, str]:
    """The settings in words."""
    settings, found = network.settings, network.validation
    assert found is not None
    preparation = settings.preparation.to_dict()
    split = f"fold {settings.fold} of {settings.folds}" if settings.folds else "a fifth of the patients"
    best = "" if settings.best_score is None else f"{settings.best_score:.2f} in epoch {settings.best_epoch}"
    return {
        "epochs": f"{settings.epoch}, the last in phase {settings.phase}" if settings.phase else str(settings.epoch),
        "score of the competition": f"{score(found.labels, found.probabilities.argmax(axis=1)).value:.2f}",
        "best so far": best,
        "validated on": f"{len(found.labels)} photographs of {len(set(found.patients))} patients: {split}",
        "network": f"{network.model.count_params():,} weights, width {settings.width}, depth {settings.depth}, "
        f"dropout {settings.dropout:g}, L2 {settings.l2:g}, trained in {settings.precision}",
        "preparation": ", ".join(f"{name} {value}" for name, value in preparation.items()),
        "seed": str(settings.seed),
        "temperature": f"{settings.temperature:.4f}",
    }
