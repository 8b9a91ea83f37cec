"""Records as a table for a terminal, 100 columns wide at most, and as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from benchmarks.records import Comparison, Condition, Growth, Record, Spread

WIDTH = 100
_HEAD = ("what", "median\nmin..max", "ratio\nmin..max", "target", "reached")
_RIGHT = (1, 2)
_RATIOS = {
    "times as fast": "{}x as fast",
    "times the time": "{}x the time",
    "seconds more": "{} s more",
    "times the memory": "{}x the memory",
}
_BOUNDS = {"at least": ">=", "at most": "<="}


def terminal_table(title: str, records: Sequence[Record]) -> str:
    """The records of one benchmark below its title."""
    rows = [_HEAD, *_rows(records)]
    widths = [max(len(line) for row in rows for line in row[column].split("\n")) for column in range(len(_HEAD))]
    widths[0] = min(widths[0], WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1))
    lines = [title, *(line for row in rows for line in _wrapped(row, widths))]
    return "\n".join([*lines, *_notes(records)])


def markdown_table(title: str, records: Sequence[Record]) -> str:
    """The same as Markdown."""
    rows = [_cells(row) for row in (_HEAD, *_rows(records))]
    head = [rows.pop(0), "|---|--:|--:|---|---|"]
    return "\n".join(
        [f"### {title}", "", *head, *rows, "", *(f"{note.strip()}  " for note in _notes(records))]
    ).rstrip()


def missed(records: Sequence[Record]) -> list[str]:
    """What did not reach its target."""
    return [record.what for record in records if record.reached is False]


def number(value: float) -> str:
    """Three significant digits, without an exponent from a millionth to a billion."""
    if value == 0:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    digits = next((d for d in range(1, 9) if abs(value) >= 10 ** (2 - d)), 2)
    return f"{value:.{digits}f}" if abs(value) >= 1e-6 else f"{value:.2e}"


def _cells(row: Sequence[str]) -> str:
    # Markdown drops leading blanks, and takes no line break within a cell.
    cells = [cell.replace("  ", "&emsp;").replace("\n", "<br>") for cell in row]
    return f"| {' | '.join(cells)} |"


def _rows(records: Sequence[Record]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    baseline = None
    for record in records:
        match record:
            case Comparison():
                # Several ways against one baseline follow each other.
                if baseline != (record.baseline, record.baseline_value):
                    baseline = (record.baseline, record.baseline_value)
                    rows.append(
                        (record.baseline, _spread(record.baseline_value, f"{{}} {record.unit}"), "baseline", "", "")
                    )
                ratio = _spread(record.ratio, _RATIOS[record.relation])
                rows.append(
                    (
                        f"  {record.what}",
                        _spread(record.value, f"{{}} {record.unit}"),
                        ratio,
                        _target(record),
                        _reached(record),
                    )
                )
            case Condition():
                value = f"{number(record.value)} {record.unit}".rstrip()
                rows.append((record.what, value, "", _target(record), _reached(record)))
            case Growth():
                sizes = "\n".join(
                    f"{size:,}: {number(value)} {record.unit}"
                    for size, value in zip(record.sizes, record.values, strict=True)
                )
                ratio = f"exponent {record.exponent:.2f}"
                rows.append((record.what, sizes, ratio, _target(record), _reached(record)))
    return rows


def _target(record: Record) -> str:
    if record.bound is None or record.target is None:
        return ""
    return f"{_BOUNDS[record.bound]} {record.target:g}"


def _reached(record: Record) -> str:
    return {None: "", True: "yes", False: "no"}[record.reached]


def _spread(result: Spread, form: str) -> str:
    text = form.format(number(result.median))
    alone = (result.low, result.high) == (result.median, result.median)
    return text if alone else f"{text}\n{number(result.low)}..{number(result.high)}"


def _notes(records: Sequence[Record]) -> list[str]:
    counts = [(r.samples, r.discarded, r.disturbed) for r in records if isinstance(r, Comparison) and r.samples]
    notes = []
    for samples, discarded, disturbed in dict.fromkeys(counts):
        note = f"  {samples} sample{'s' * (samples > 1)} of each way"
        note += f", {discarded} thrown away as other processes were at work"
        note += f", {disturbed} kept although they were" if disturbed else ""
        notes.append(note)
    return notes


def _wrapped(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """The lines of one row, its cells broken at words and line breaks."""
    cells = [_broken(cell, width) for cell, width in zip(row, widths, strict=True)]
    lines = []
    for number_of_line in range(max(map(len, cells))):
        parts = [cell[number_of_line] if number_of_line < len(cell) else "" for cell in cells]
        lines.append(
            "  ".join(
                part.rjust(width) if column in _RIGHT else part.ljust(width)
                for column, (part, width) in enumerate(zip(parts, widths, strict=True))
            ).rstrip()
        )
    return lines


def _broken(cell: str, width: int) -> list[str]:
    lines: list[str] = []
    for line in cell.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        lines += textwrap.wrap(line, max(width, 1), subsequent_indent=indent + "  ") or [""]
    return lines
