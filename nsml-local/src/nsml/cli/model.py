"""`nsml model`: checkpoints of a session."""

from __future__ import annotations

import click

from ..store.checkpoints import Checkpoint, list_checkpoints
from ..store.home import open_home
from .arguments import json_option, session_argument, session_named
from .display import ago, duration, print_json, print_table, size, values


@click.group()
def model() -> None:
    """Checkpoints of a session."""


@model.command(
    epilog="""\b
Example:
  nsml model ls FUNDUS_DEMO/1
"""
)
@session_argument()
@json_option()
def ls(session: str, as_json: bool) -> None:
    """List the checkpoints of a session, in the order in which they were saved."""
    found = session_named(open_home(), session)
    kept = list_checkpoints(found.checkpoints)
    good = [c for c in kept if isinstance(c, Checkpoint)]
    for entry in kept:
        if not isinstance(entry, Checkpoint):
            click.echo(f"warning: {entry}", err=True)
    if as_json:
        print_json(
            [
                {
                    "checkpoint": c.name,
                    "saved_at": c.saved_at,
                    "elapsed": c.elapsed,
                    "summary": c.summary,
                    "size": c.size,
                }
                for c in good
            ]
        )
        return
    print_table(
        ("Checkpoint", "Last Modified", "Elapsed", "Summary", "Size"),
        [(c.name, ago(c.saved_at), duration(c.elapsed), values(c.summary), size(c.size)) for c in good],
    )
    if not good:
        click.echo(f"session {found.name} has saved no checkpoint", err=True)
