"""`nsml diff`: two sessions side by side."""

from __future__ import annotations

from typing import Any

import click

from ..engine.differences import arguments_of, differing_files, environment_of, pairs
from ..store.home import open_home
from ..store.metrics import last_summary
from ..wording import number, plain
from .arguments import json_option, session_named
from .display import print_json, print_table


@click.command(
    epilog="""\b
Example:
  nsml diff FUNDUS_DEMO/1 FUNDUS_DEMO/2
"""
)
@click.argument("first", metavar="SESSION")
@click.argument("second", metavar="SESSION")
@json_option()
def diff(first: str, second: str, as_json: bool) -> None:
    """Show the differences of two sessions. Arguments, files, environment and last metrics; what differs comes first.

    Of the versions of the packages only those that differ are shown; -j has all.
    """
    home = open_home()
    one, other = session_named(home, first), session_named(home, second)
    arguments = pairs(arguments_of(one), arguments_of(other))
    environment = pairs(environment_of(one), environment_of(other))
    metrics = pairs(last_summary(one.folder), last_summary(other.folder))
    files = differing_files(one, other)
    if as_json:
        print_json({"arguments": arguments, "environment": environment, "metrics": metrics, "files": files})
        return
    for title, both in (("Arguments", arguments), ("Environment", environment), ("Results", metrics)):
        rows = sorted(_shortened(both).items(), key=lambda row: row[1][0] == row[1][1])
        print_table((title, str(one.name), str(other.name)), [(k, _text(a), _text(b)) for k, (a, b) in rows])
        click.echo()
    click.echo(f"Files: {len(files)} differ" if files else "Files: the same")
    for lines in files.values():
        for line in lines:
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            click.secho(plain(line), fg=colour)


def _shortened(both: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """Of `versions` only what differs: all of them would make lines that no screen shows."""
    if "versions" not in both:
        return both
    one, other = (str(versions or "").split(", ") for versions in both["versions"])
    differing = ", ".join(v for v in one if v not in other), ", ".join(v for v in other if v not in one)
    return {name: pair for name, pair in (both | {"versions": differing}).items() if name != "versions" or any(pair)}


def _text(value: Any) -> str:
    return "" if value is None else number(value, 6)
