"""The report's diagrams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure as Canvas
from matplotlib.layout_engine import ConstrainedLayoutEngine

from model.records import Epoch

from ..drawing import STABLE, draw
from .figures import GRID, Band, Calibration, OneClass

Drawn = dict[str, bytes]  # a diagram in each of KINDS
_DPI = 120
_CELLS = 24  # classes of a confusion matrix with numbers in it
_STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "text.parse_math": False,  # a class may be called $a$
    **STABLE,
}
_FIRST, _SECOND = "#1f5fa8", "#c2571a"
_PHASES = ("#f1f4f8", "#fdf3e7")


def confusion_diagram(confusion: np.ndarray, classes: Sequence[str]) -> Drawn:
    """True classes down, predicted ones across: counts, and the share of the true class in colour. Of many classes, the colour alone."""
    totals = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, totals, out=np.zeros(confusion.shape), where=totals > 0)
    readable = len(classes) <= _CELLS
    side = 1.4 + 0.9 * len(classes) if readable else 9.0
    with rc_context(_STYLE):
        canvas = Canvas(dpi=_DPI, figsize=(side + 0.6, side), layout="constrained")
        axes = canvas.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        names = classes if readable else ()
        axes.set_xticks(range(len(names)), names, rotation=30 if max(map(len, classes)) > 8 else 0)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="predicted", ylabel="true")
        for row, column in np.ndindex(confusion.shape) if readable else ():
            text = f"{confusion[row, column]}\n{shares[row, column]:.0%}" if totals[row, 0] else "-"
            colour = "white" if shares[row, column] > 0.55 else "#222"
            axes.text(column, row, text, ha="center", va="center", color=colour)
        return draw(canvas)


def roc_diagram(classes: Sequence[OneClass]) -> Drawn:
    """A ROC curve for each class, with the interval of the sensitivity."""
    with rc_context(_STYLE):
        canvas, all_axes = _grid(len(classes))
        for axes, one in zip(all_axes, classes, strict=False):
            axes.plot([0, 1], [0, 1], color="#999", linewidth=0.8, linestyle="--")
            _band(axes, one.roc, step="post")
            axes.set(title=f"{one.name}: AUC {one.auc}", xlabel="1 - specificity", ylabel="sensitivity")
        return draw(canvas)


def precision_diagram(classes: Sequence[OneClass]) -> Drawn:
    """Precision over recall for each class; the dashed line is the precision of guessing."""
    with rc_context(_STYLE):
        canvas, all_axes = _grid(len(classes))
        for axes, one in zip(all_axes, classes, strict=False):
            axes.axhline(one.share, color="#999", linewidth=0.8, linestyle="--")
            _band(axes, one.precision, step="pre")
            axes.set(title=f"{one.name}: AP {one.average_precision}", xlabel="recall", ylabel="precision")
        return draw(canvas)


def calibration_diagram(before: Calibration, after: Calibration) -> Drawn:
    """Reliability diagrams, with the number of photographs of each bin below."""
    with rc_context(_STYLE):
        canvas = Canvas(dpi=_DPI, figsize=(8.4, 4.6), layout=ConstrainedLayoutEngine(wspace=0.06))
        upper, lower = canvas.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3, 1))
        for axes, counts, calibration, colour in zip(upper, lower, (before, after), (_SECOND, _FIRST), strict=True):
            bins = calibration.reliability
            width = 1 / len(bins.count)
            middles = (np.arange(len(bins.count)) + 0.5) * width
            axes.plot([0, 1], [0, 1], color="#999", linewidth=0.8, linestyle="--")
            axes.bar(middles, np.nan_to_num(bins.accuracy), 0.92 * width, color=colour, alpha=0.3)
            axes.plot(bins.confidence, bins.accuracy, "o", color=colour, markersize=4, clip_on=False)
            error = f"expected calibration error {bins.expected_error:.3f}"
            axes.set(title=f"{calibration.name}: {error}", ylim=(0, 1.03), xlim=(0, 1))
            counts.bar(middles, bins.count, 0.92 * width, color=colour, alpha=0.6)
            counts.set(xlabel="highest probability")
        upper[0].set(ylabel="share that is right")
        lower[0].set(ylabel="photographs")
        lower[0].yaxis.get_major_locator().set_params(integer=True)
        return draw(canvas)


def learning_diagram(histories: Sequence[Sequence[Epoch]], best_epoch: int) -> Drawn:
    """Losses and accuracies over the epochs, a line for each network, with the longest training's phases and the best epoch marked."""
    longest = max(histories, key=len)
    epochs = [epoch.epoch for epoch in longest]
    several = len(histories) > 1
    few = len(longest) < 40 and not several
    with rc_context(_STYLE):
        canvas = Canvas(dpi=_DPI, figsize=(8.4, 3.6), layout="constrained")
        panels = canvas.subplots(1, 2)
        for axes, name in zip(panels, ("loss", "accuracy"), strict=True):
            for side, colour in (("train", _SECOND), ("val", _FIRST)):
                label = "training" if side == "train" else "validation"
                for number, history in enumerate(histories):
                    axes.plot(
                        [epoch.epoch for epoch in history], [getattr(epoch, f"{side}_{name}") for epoch in history],
                        color=colour, marker="o" if few or len(history) == 1 else None, markersize=3, linewidth=0.9 if several else 1.3,
                        alpha=0.7 if several else 1, label=None if number else label,
                    )  # fmt: skip
            _shade_phases(axes, longest)
            if best_epoch in epochs:
                axes.axvline(best_epoch, color="#444", linewidth=0.9, linestyle=":", label="best epoch")
            axes.set(xlabel="epoch", ylabel=name, xlim=(epochs[0] - 0.5, epochs[-1] + 0.5))
            axes.xaxis.get_major_locator().set_params(integer=True)
        panels[0].set_ylim(bottom=0)
        panels[1].set_ylim(0, 1)
        panels[1].legend(loc="lower right", framealpha=0.9)
        return draw(canvas)


def _shade_phases(axes: Any, history: Sequence[Epoch]) -> None:
    start = 0
    number = 0
    for position in range(1, len(history) + 1):
        if position < len(history) and history[position].phase == history[start].phase:
            continue
        left, right = history[start].epoch - 0.5, history[position - 1].epoch + 0.5
        axes.axvspan(left, right, color=_PHASES[number % 2], zorder=0)
        axes.annotate(
            history[start].phase, ((left + right) / 2, 1.01), xycoords=axes.get_xaxis_transform(), ha="center",
            color="#555", fontsize=8,
        )  # fmt: skip
        start, number = position, number + 1


def _grid(count: int) -> tuple[Canvas, list[Any]]:
    """Square diagrams in two columns."""
    columns = min(2, count)
    rows = -(-count // columns)
    canvas = Canvas(dpi=_DPI, figsize=(3.9 * columns, 3.7 * rows), layout="constrained")
    cells = canvas.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axes in cells[:count]:
        axes.set(xlim=(-0.01, 1.01), ylim=(0, 1.03), aspect="equal")
    for axes in cells[count:]:
        axes.set_visible(False)
    return canvas, cells


def _band(axes: Any, band: Band, step: str) -> None:
    axes.fill_between(GRID, band.low, band.high, color=_FIRST, alpha=0.18, linewidth=0, step=step)
    axes.plot(band.x, band.y, color=_FIRST, linewidth=1.4, drawstyle=f"steps-{step}")
