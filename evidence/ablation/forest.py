"""The forest plot: each arm's difference from the recipe with its interval."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from dataprep.files import replacing

from .figures import BALANCED, Table

MISSING = "matplotlib is missing, so no forest plot is drawn; pip install 'matplotlib>=3.9,<4'"


def available() -> bool:
    """Whether a plot can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_forest(table: Table, title: str, paths: Sequence[Path]) -> None:
    """Draw to each of `paths`, a PNG, PDF or SVG by its name. A file is replaced once it is complete."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from ..drawing import STABLE, draw

    rows = [row for row in table.rows if row.difference is not None]
    apart = 0.12 if any(row.test_difference for row in rows) else 0.0
    with rc_context(STABLE):
        figure = Figure(dpi=110, figsize=(8, 1.9 + 0.42 * len(rows)), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color="0.6", linewidth=1)
        for side, shift, colour, face in (
            ("difference", -apart, "tab:blue", "tab:blue"),
            ("test_difference", apart, "tab:orange", "white"),
        ):
            shown = [(place, getattr(row, side)[BALANCED]) for place, row in enumerate(rows) if getattr(row, side)]
            if not shown:
                continue
            axes.errorbar(
                [100 * figure.value for _, figure in shown],
                [place + shift for place, _ in shown],
                # An estimate may be slightly outside the percentiles of its draws; Matplotlib refuses negative lengths.
                xerr=[
                    [100 * max(figure.value - figure.low, 0) for _, figure in shown],
                    [100 * max(figure.high - figure.value, 0) for _, figure in shown],
                ],
                fmt="o", color=colour, markerfacecolor=face, capsize=3,
                label="validation" if side == "difference" else "test set",
            )  # fmt: skip
        axes.set_yticks(range(len(rows)), [row.arm.title for row in rows])
        # Half a row above and below, downwards: by itself, the axis of a single arm ends at its points.
        axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
        # Two lines, as long names of arms leave the axes little width.
        axes.set_xlabel("points of balanced accuracy above (right)\nor below (left) the recipe, 95 % interval")
        axes.set_title(title)
        # Below the axes, where it hides no arm.
        figure.legend(loc="outside lower right", ncols=2, frameon=False)
        drawn = draw(figure, [path.suffix[1:] for path in paths])
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(drawn[path.suffix[1:]])
