"""Arguments that several commands share, with shell completion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..store.home import Home, open_home
from ..store.names import parse_session_name
from ..store.sessions import Session, find_session, list_sessions

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def complete_sessions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The sessions that begin with what was typed."""
    home = open_home()
    names = [s.name for s in list_sessions(home)]
    own = [f"{name.dataset}/{name.number}" for name in names if name.user == home.user()]
    return [name for name in (*own, *map(str, names)) if name.startswith(incomplete)]


def complete_datasets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The registered datasets that begin with what was typed."""
    from ..store.datasets import list_datasets

    return [d.name for d in list_datasets(open_home()) if d.name.startswith(incomplete)]


def complete_checkpoints(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The checkpoints, beginning with what was typed, of the session named before."""
    from ..store.checkpoints import Checkpoint, list_checkpoints

    found = list_checkpoints(session_named(open_home(), ctx.params["session"]).checkpoints)
    return [c.name for c in found if isinstance(c, Checkpoint) and c.name.startswith(incomplete)]


def session_argument() -> Decorator:
    """The argument SESSION."""
    return click.argument("session", metavar="SESSION", shell_complete=complete_sessions)


def json_option() -> Decorator:
    """-j, JSON for programs."""
    return click.option("-j", "--json", "as_json", is_flag=True, help="JSON, for programs.")


def session_named(home: Home, text: str) -> Session:
    """The session that the user typed; NsmlError names those near it."""
    return find_session(home, parse_session_name(text, home.user()))
