"""`nsml plot`: reported values of a session, as text graphs or as CSV."""

from __future__ import annotations

import csv
import sys
from itertools import pairwise

import click

from ..engine.exporting import cell
from ..errors import RunFailed
from ..store.files import is_number
from ..store.home import open_home
from ..store.metrics import read_metrics
from .arguments import session_argument, session_named
from .display import print_table

_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = 48


@click.command(
    epilog="""\b
Examples:
  nsml plot FUNDUS_DEMO/1
  nsml plot --csv FUNDUS_DEMO/1 > metrics.csv
"""
)
@session_argument()
@click.option("--csv", "as_csv", is_flag=True, help="All values, for a spreadsheet.")
def plot(session: str, as_csv: bool) -> None:
    """Draw each reported value of a session as a line of text. It goes from the first step to the last."""
    chosen = session_named(open_home(), session)
    records, damage = read_metrics(chosen.folder)
    if not records:
        raise RunFailed(damage or f"session {chosen.name} has reported nothing; its program must call nsml.report")
    if damage:
        click.echo(f"warning: {damage}", err=True)
    names = sorted({name for record in records for name in record["values"]})
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(map(cell, ["step", "time", *names]))
        for record in records:
            reported = {**record["values"], **(record.get("not_finite") or {})}
            writer.writerow(map(cell, [record.get("step"), record.get("time"), *map(reported.get, names)]))
        return
    rows = []
    for name in names:
        values = [v for record in records if is_number(v := record["values"].get(name))]
        if values:
            rows.append((name, _line(values), f"{values[-1]:.4g}", f"{min(values):.4g}", f"{max(values):.4g}"))
    print_table(("Value", "", "Last", "Lowest", "Highest"), rows)


def _line(values: list[float]) -> str:
    """One character for the mean of each of at most 48 equal parts."""
    count = min(len(values), _COLUMNS)
    edges = [round(i * len(values) / count) for i in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    span = (high - low) or 1.0
    return "".join(_BARS[round((mean - low) / span * (len(_BARS) - 1))] for mean in means)
