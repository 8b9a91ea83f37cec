"""The tables of an ablation, for a terminal and for a Markdown document."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..audit.probe import Probe
from ..bootstrap import Figure
from .figures import AUC, BALANCED, NAMES, Leak, Table, Together
from .words import points

Grid = list[list[str]]


def ablation_grid(table: Table, probes: dict[str, Probe]) -> Grid:
    """A heading and a row for each arm, then the shortcut probes; empty cells for unknown values."""
    grid = [["arm", "accuracy", "balanced", "AUC", "balanced, less the recipe's", "AUC, less the recipe's", "core min"]]
    for row in table.rows:
        values = _values(row.validation) or [f"{row.failed} of {len(table.cells)} failed", "", ""]
        grid.append([row.arm.title, *values, *_differences(row.difference), f"{row.minutes:.1f}"])
    for name, probe in probes.items():
        grid.append([f"probe: {name}", *_values((probe.accuracy, probe.balanced, probe.auc)), "", "", ""])
    return grid


def test_grid(table: Table) -> Grid:
    """The table of the test photographs; empty if their labels are unknown."""
    if not any(row.test for row in table.rows):
        return []
    grid = [["test set", "accuracy", "balanced", "AUC", "balanced, less the recipe's", "AUC, less the recipe's"]]
    return grid + [
        [row.arm.title, *(_values(row.test) or ["", "", ""]), *_differences(row.test_difference)] for row in table.rows
    ]


def together_grid(averages: Sequence[Together]) -> Grid:
    """The table of the ensembles of all folds on the test photographs, with intervals of the figures themselves."""
    grid = [["folds averaged, test set", "accuracy", "balanced", "AUC", "balanced, less the recipe's"]]
    return grid + [
        [row.arm.title, *map(_whole, row.test), "" if row.difference is None else _signed(row.difference[BALANCED])]
        for row in averages
    ]


def leak_grid(gaps: Sequence[Leak]) -> Grid:
    """A heading, and a row for each split and figure: validation, test, and their difference."""
    grid = [["split", "figure", "validation", "test", "validation less test"]]
    for leak in gaps:
        title = "by patient (the recipe)" if leak.arm.name == "recipe" else "by file"
        for number, name in enumerate(NAMES):
            grid.append([title, name, str(leak.validation[number]), str(leak.test[number]), _signed(leak.gap[number])])
    return grid


def as_text(grid: Grid) -> str:
    """A table for a terminal, with the first column aligned left and the others right.

    In a table wider than 100 columns, what follows a comma, and intervals, stand in a second line.
    """
    if max(map(len, _aligned(grid).splitlines()), default=0) > 100:
        halves = [[re.split(r"(?<=,) | (?=\()", cell, maxsplit=1) for cell in row] for row in grid]
        below = [[half[1] if len(half) > 1 else "" for half in row] for row in halves]
        lines = zip([[half[0] for half in row] for row in halves], below, strict=True)
        grid = [line for pair in lines for line in pair if any(line)]
    return _aligned(grid)


def _aligned(grid: Grid) -> str:
    widths = [max(len(row[column]) for row in grid) for column in range(len(grid[0]))] if grid else []
    lines = []
    for row in grid:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def as_markdown(grid: Grid) -> str:
    """A table of Markdown."""
    if not grid:
        return ""
    head, *rows = grid
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _whole(figure: Figure) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f}-{figure.high:.3f})"


def _values(figures: Sequence[Figure] | None) -> list[str]:
    return [f"{figure.value:.3f}" for figure in figures] if figures else []


def _differences(figures: Sequence[Figure] | None) -> list[str]:
    return [_signed(figures[BALANCED]), _signed(figures[AUC])] if figures else ["", ""]


def _signed(figure: Figure) -> str:
    return f"{points(figure.value)} ({points(figure.low)} to {points(figure.high)})"
