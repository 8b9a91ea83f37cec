"""The tables inside a document, between two marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.rows import ROWS
from benchmarks.table import markdown_table

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def split_document(path: Path) -> tuple[str, str]:
    """What stands before and after the tables in the document at `path`; nothing where it is missing.

    ValueError where the document has no place for them.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return "", "\n"
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no place for the tables; put {BEGIN} and {END} on lines of their own")
    return before, after


def write_document(path: Path, result: dict[str, Any]) -> None:
    """Puts the tables of a run into the document at `path`, in place of those that are there."""
    before, after = split_document(path)
    path.write_text(f"{before}{BEGIN}\n{markdown(result)}\n{END}{after}", encoding="utf-8")


def markdown(result: dict[str, Any]) -> str:
    """The machine and the tables of a run."""
    facts = [f"{name} {value}" for name, value in result["machine"].items()]
    kind = "A quick run. " if result["quick"] else ""
    tables = [markdown_table(f"{name}: {ROWS[name]}", records) for name, records in result["results"].items()]
    return "\n\n".join([f"{kind}Measured on: {'; '.join(facts)}.", *tables])
