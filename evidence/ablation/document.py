"""Write findings into a Markdown document, between two marks, so that a later run replaces them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dataprep.files import replacing

from .findings import Findings
from .runs import Outcome
from .table import as_markdown


def marks(name: str) -> tuple[str, str]:
    """The lines before and after the findings called `name`."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def put(path: Path, name: str, text: str) -> None:
    """Put `text` between the marks of `name` in the document at `path`, or with its marks at the end if it has none."""
    begin, end = marks(name)
    try:
        whole = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        whole = ""
    before, started, rest = whole.partition(f"{begin}\n")
    _, ended, after = rest.partition(f"{end}\n")
    if started and not ended:
        raise ValueError(f"{path} has {begin} without {end}; put that on a line of its own")
    if not started:
        before, after = (whole.rstrip("\n") + "\n\n" if whole else ""), ""
    with replacing(path) as temporary:
        temporary.write_text(f"{before}{begin}\n{text.strip()}\n{end}\n{after}", encoding="utf-8")


def markdown(findings: Findings, facts: Sequence[str], picture: Path | None, document: Path) -> str:
    """The findings as Markdown. `facts`: command and machine; `picture`: linked relative to `document`."""
    parts = ["; ".join([*facts, *([findings.heading] if findings.heading else [])]) + "."]
    parts += [as_markdown(grid) for grid in findings.grids]
    if picture is not None:
        where = Path(os.path.relpath(picture, document.parent)).as_posix()
        parts.append(f"![differences from the recipe with their intervals]({where})")
    parts.append("\n".join(f"- {text}" for text in findings.sentences))
    return "\n\n".join(parts)


def facts_of(outcomes: Sequence[Outcome]) -> list[str]:
    """The machines, the time and the duration of runs."""
    machines = sorted({outcome.machine for outcome in outcomes})
    ended = sorted(outcome.ended for outcome in outcomes)
    minutes = sum(outcome.processor_seconds for outcome in outcomes) / 60
    return [
        " and ".join(machines),
        f"{ended[0]} to {ended[-1]}",
        f"{len(outcomes)} runs, {minutes:.0f} minutes of one core",
    ]
