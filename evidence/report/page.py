"""The report as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from model.records import Baseline

from ..bootstrap import Figure
from ..html_page import document, image, table, text
from .figures import SPECIFICITIES, Figures
from .lesions import OnLesions
from .pictures import Strip

_STYLE = """
h2 { margin: 2rem 0 .3rem; border-bottom: 2px solid #eee } img { display: block; max-width: 100%; height: auto; margin: .4rem 0 }
.strip { margin: .9rem 0; overflow-wrap: anywhere } .strip img { margin: .1rem 0 } .none { background: #ddd; padding: 2rem; width: 20rem }
"""
_STRIPS = (
    "Each row: the photograph; the prepared image; the heat of the predicted class; the heat of the true class. Heat is "
    "Grad-CAM (Selvaraju et al., ICCV 2017): where the last feature map speaks for that class, bright where most, on a grid as coarse "
    "as that map's. It shows where a network looks, not what it sees."
)


@dataclass(frozen=True)
class Report:
    """The content of the page.

    diagrams: PNGs by name: confusion, roc, precision_recall, calibration, learning; some may be missing.
    baselines: the training's baselines, see `model.baselines`; empty if the checkpoint has none.
    """

    title: str
    classes: Sequence[str]
    temperature: float
    facts: dict[str, str]
    figures: Figures
    diagrams: dict[str, bytes]
    mistakes: Sequence[Strip]
    mistake_count: int
    surest: Sequence[Strip]
    lesions: Sequence[OnLesions]
    notes: Sequence[str] = field(default=())
    baselines: Sequence[Baseline] = field(default=())


def page(report: Report) -> str:
    """The whole page. All text from the dataset or the checkpoint is escaped."""
    figures, classes = report.figures, report.classes
    parts = [
        *[f"<p>Note: {text(note)}</p>" for note in report.notes],
        _says(
            "Figures are of the validation photographs, with 95 % intervals in brackets, from 1,000 resamples of their patients. A "
            "checkpoint that was chosen by these photographs, as 'best' is, looks a little better than it is."
        ),
        table([("", "value"), *((name, str(figure)) for name, figure in figures.overall.items())]),
        *_guessing(report),
        "<h2>Settings</h2>",
        table([("setting", "value"), *report.facts.items()], "words"),
        "<h2>Classes</h2>",
        _classes(classes, figures),
        _diagram(report, "confusion", "Confusion matrix: true classes down, predicted ones across"),
        *_curves(report),
        "<h2>Are the probabilities calibrated?</h2>",
        _calibration(report),
        *_learning(report),
        "<h2>The worst mistakes</h2>",
        *_strips(
            classes,
            report.mistakes,
            f"{len(report.mistakes)} of {report.mistake_count} mistakes, lowest probability of the true class first.",
        ),
        "<h2>The surest right answers</h2>",
        *_strips(
            classes,
            report.surest,
            "For each class, the correct prediction with the highest probability.",
        ),
        "<h2>Does it look at the lesions?</h2>",
        *_lesions(report.lesions),
    ]
    return document(report.title, parts, _STYLE)


def _says(sentence: str) -> str:
    return f"<p>{text(sentence)}</p>"


def _guessing(report: Report) -> list[str]:
    figures, guess = report.figures, f"always {report.classes[report.figures.largest]}"
    rows = [
        ("", *figures.overall),
        ("this checkpoint", *map(str, figures.overall.values())),
        (f"always the largest class ({guess})", *map(str, figures.constant.values())),
        (f"this checkpoint minus {guess}", *(f"{gain:+}" for gain in figures.gains.values())),
    ]
    for one in report.baselines:
        values = {"accuracy": one.accuracy, "balanced accuracy": one.balanced, "macro AUC": one.auc}
        rows.append((one.name, *(f"{values[name]:.3f}" for name in figures.overall)))
    says = "The differences are paired: on the same resamples of the patients. "
    if report.baselines:
        says += (
            "The other rows were measured by the training, on the same photographs. Edges and corners, colours and sharpness show how far "
            "shortcuts go; frozen features are a logistic regression on what EfficientNet-Lite0 had learned before this training."
        )
    else:
        says += "The checkpoint has no other baselines."
    return ["<h2>Is it better than guessing?</h2>", table(rows), _says(says)]


def _diagram(report: Report, name: str, description: str) -> str:
    return image(report.diagrams[name], "png", description) if name in report.diagrams else ""


def _classes(classes: Sequence[str], figures: Figures) -> str:
    rows = [("class", "photographs", "patients", "recognised")]
    for name, (photographs, patients), recall in zip(classes, figures.counts, figures.recalls, strict=True):
        rows.append((name, str(photographs), str(patients), str(recall) if recall else "none to recognise"))
    return table(rows)


def _curves(report: Report) -> list[str]:
    figures = report.figures
    if not figures.classes:
        return [_says("The validation photographs are all of one class, so there are no curves.")]
    heads = [f"sensitivity at {share:.0%} specificity" for share in SPECIFICITIES]
    rows = [("class against the rest", "AUC", "average precision", *heads)]
    rows += [
        (one.name, str(one.auc), str(one.average_precision), *map(str, one.sensitivities)) for one in figures.classes
    ]
    return [
        "<h2>Each class against the rest</h2>",
        table(rows),
        _says(
            "The sensitivity is that of the best threshold with at least that specificity, which is chosen anew in each resample. Where a "
            "class has few photographs, the intervals are too narrow rather than too wide, as resamples contain only these photographs."
        ),
        _diagram(report, "roc", "ROC curves; the band is the interval of the sensitivity"),
        _diagram(report, "precision_recall", "Precision over recall; the dashed line is the class' share"),
    ]


def _calibration(report: Report) -> str:
    rows = [("", "expected calibration error", "Brier score (0 to 2)", "log loss")]
    for one in report.figures.calibrations:
        error = one.reliability.expected_error
        rows.append((one.name, f"{error:.3f}", f"{one.brier:.3f}", f"{one.log_loss:.3f}"))
    temperature = report.temperature
    verdict = (
        "overconfident"
        if temperature > 1
        else "underconfident"
        if temperature < 1
        else "neither over- nor underconfident"
    )
    sentence = (
        f"Temperature scaling (Guo et al., ICML 2017) divides the scores before the softmax by {temperature:.3f}, the temperature that "
        f"fits these photographs best: the network is {verdict}. It scales the probabilities below and changes no prediction. The last row "
        "is cross-validated: the probabilities of each patient are scaled by a temperature that is fitted to other patients."
    )
    picture = _diagram(report, "calibration", "Reliability before and after temperature scaling")
    return f"{table(rows)}{_says(sentence)}{picture}"


def _learning(report: Report) -> list[str]:
    if "learning" not in report.diagrams:
        return []
    return [
        "<h2>How it learned</h2>",
        _diagram(report, "learning", "Loss and accuracy by epoch, with the phases"),
        _says(
            "A line for each network, up to the epoch of this checkpoint. The training's loss has smoothed labels and augmented "
            "photographs, so the two losses need not meet."
        ),
    ]


def _strips(classes: Sequence[str], strips: Sequence[Strip], sentence: str) -> list[str]:
    if not strips:
        return [_says("None.")]
    heat = any(strip.heat for strip in strips)
    parts = [_says(sentence), _says(_STRIPS if heat else "Each row: the photograph; the prepared image.")]
    for strip in strips:
        chances = ", ".join(f"{name} {share:.2f}" for name, share in zip(classes, strip.probabilities, strict=True))
        truth, said = classes[strip.truth], classes[strip.predicted]
        line = f"{truth}, predicted {said}" if strip.truth != strip.predicted else truth
        shown = (
            image(
                strip.png,
                "png",
                f"photograph, prepared image{f', heat of {said}, heat of {truth}' if strip.heat else ''}",
            )
            if strip.png
            else '<div class="none">the photograph cannot be read</div>'
        )
        parts.append(f'<div class="strip">{shown}<b>{text(line)}</b> ({text(chances)}) {text(strip.sample)}</div>')
    return parts


def _lesions(lesions: Sequence[OnLesions]) -> list[str]:
    if not lesions:
        return [
            _says(
                "Unknown: the dataset marks no lesions in these photographs (how it can: docs/reference/report.md), "
                "or the network has no heat."
            )
        ]
    rows = [("class", "photographs", "share of the retina", "share of the heat", "times as much as by chance")]
    for one in lesions:
        rows.append((one.name, str(one.photographs), f"{one.area:.3f}", str(one.heat), _times(one.ratio)))
    sentence = (
        "The heat is that of the true class. Heat spread evenly over the retina has 1 in the last column. The heat's grid is far coarser "
        "than a lesion, so much of the heat of a lesion falls beside it."
    )
    return [table(rows), _says(sentence)]


def _times(figure: Figure) -> str:
    return f"{figure.value:.1f} ({figure.low:.1f} to {figure.high:.1f})"
