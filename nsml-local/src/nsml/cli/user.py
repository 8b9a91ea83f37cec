"""`nsml login`, `nsml logout` and `nsml whoami`: the user's name. There is no password, as everything is on this machine."""

from __future__ import annotations

import click

from ..store.files import write_json
from ..store.home import open_home
from ..store.names import check_name
from .limits import accepted


@click.command(
    epilog="""\b
Example:
  nsml login team146
"""
)
@click.argument("name")
@accepted("-e", hidden=True)  # the terminal's encoding, such as CP949
def login(name: str) -> None:
    """Set the user's name for new sessions."""
    home = open_home()
    write_json(home.path / "user.json", {"name": check_name(name, "NAME")})
    click.echo(f"Hello {name}")
    _warn_variable(home.user(), name)


@click.command()
def logout() -> None:
    """Remove the user's name; new sessions use the system's user name."""
    home = open_home()
    (home.path / "user.json").unlink(missing_ok=True)
    click.echo(f"Goodbye; new sessions use the name {home.user()}")


def _warn_variable(user: str, name: str) -> None:
    if user != name:
        click.echo(f"warning: NSML_USER is set, so new sessions use the name {user}; unset NSML_USER", err=True)


@click.command()
def whoami() -> None:
    """Print the user's name."""
    click.echo(open_home().user())
