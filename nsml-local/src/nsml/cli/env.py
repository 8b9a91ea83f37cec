"""`nsml env`: environments of sessions."""

from __future__ import annotations

import click

from ..engine.environment import list_environments, prune_environments
from ..store.home import open_home
from ..wording import ago, counted, size
from .arguments import Group, json_option
from .display import print_json, print_table


@click.group(cls=Group)
def env() -> None:
    """Environments built for sessions."""


@env.command()
@json_option()
def ls(as_json: bool) -> None:
    """List the environments and their packages."""
    environments = list_environments(open_home())
    if as_json:
        print_json([{"name": f.name, "packages": p, "size": s, "used_at": at} for f, p, s, at in environments])
        return
    print_table(
        ("Name", "Last Use", "Size", "Packages"),
        [(f.name, ago(at), size(s), ", ".join(p)) for f, p, s, at in environments],
    )


@env.command()
def prune() -> None:
    """Remove environments that no running session or submit uses. A session that needs one builds it again."""
    count, freed, used = prune_environments(open_home())
    in_use = f"; {used} {'is' if used == 1 else 'are'} in use" if used else ""
    click.echo(f"{counted(count, 'environment')} removed, {size(freed)} freed{in_use}")
