"""Arguments shared by several commands, with shell completion."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import Damaged, NsmlError
from ..store.home import Home, open_home
from ..store.names import parse_session_name
from ..store.sessions import SWEEP, Session, find_session, list_sessions, match_sessions
from ..wording import plain

if TYPE_CHECKING:
    from ..store.checkpoints import Checkpoint

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Group(click.Group):
    """Commands, of which the nearest is named where one is misspelt."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if near := get_close_matches(args[0].lower(), self.list_commands(ctx), 1):
                raise click.UsageError(f"{error.message.rstrip('.')}; did you mean {near[0]!r}?", ctx) from None
            raise


def complete_sessions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Sessions that begin with the typed text."""
    home = open_home()
    names = [s.name for s in list_sessions(home)]
    own = [f"{name.dataset}/{name.number}" for name in names if name.user == home.user()]
    return [name for name in (*own, *map(str, names)) if name.startswith(incomplete)]


def complete_datasets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Datasets that begin with the typed text."""
    from ..store.datasets import list_datasets

    return [d.name for d in list_datasets(open_home()) if d.name.startswith(incomplete)]


def complete_checkpoints(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Checkpoints of the session on the command line that begin with the typed text."""
    return _checkpoints_to_type(ctx.params["session"], incomplete)


def _checkpoints_to_type(session: str, incomplete: str) -> list[str]:
    """A shell shows these by itself, so those with control characters are left out."""
    from ..store.checkpoints import checkpoint_names

    names = checkpoint_names(session_named(open_home(), session).checkpoints)
    return [name for name in names if name.startswith(incomplete) and plain(name) == name]


def session_argument(*, with_checkpoint: bool = False) -> Decorator:
    """The argument SESSION, which may also be SESSION:CHECKPOINT."""
    complete = complete_sessions_and_checkpoints if with_checkpoint else complete_sessions
    return click.argument("session", metavar="SESSION", shell_complete=complete)


def check_folder(path: Path, argument: str) -> None:
    """NsmlError if the folder to write to is a file."""
    if path.exists() and not path.is_dir():
        raise NsmlError(f"{argument}: {path} is a file; name a folder")


def json_option() -> Decorator:
    """-j: JSON for programs."""
    return click.option("-j", "--json", "as_json", is_flag=True, help="JSON, for programs.")


def session_named(home: Home, text: str) -> Session:
    """The session of a typed name. NsmlError lists similar names."""
    return find_session(home, parse_session_name(text, home.user()))


def complete_sessions_and_checkpoints(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Sessions; after a colon, checkpoints of the session before it."""
    session, colon, start = incomplete.partition(":")
    if not colon:
        return complete_sessions(ctx, param, incomplete)
    return [f"{session}:{name}" for name in _checkpoints_to_type(session, start)]


def sweep_sessions(home: Home, text: str) -> list[Session]:
    """The sessions of the sweep that the user typed, as DATASET/sweep-1. NsmlError if it is not the name of one."""
    if not re.fullmatch(rf"([^/]+/)?[^/]+/{SWEEP}[1-9]\d*", text):
        raise NsmlError(
            f"--sweep {text!r} is not USER/DATASET/{SWEEP}N; 'nsml ps -a -s {SWEEP}' lists the sessions of sweeps"
        )
    return match_sessions(home, text, home.user())


def session_and_checkpoint(home: Home, session: str, checkpoint: str | None = None) -> tuple[Session, str | None]:
    """Session and checkpoint name of SESSION CHECKPOINT, or of SESSION:CHECKPOINT or SESSION/CHECKPOINT in one word; None without one."""
    try:
        return session_named(home, session), checkpoint
    except NsmlError:
        # Names of checkpoints may contain colons and slashes, names of sessions no colons.
        in_one_word = re.fullmatch(r"((?:[^/:]+/)?[^/:]+/\d+)[:/](.*)", session, re.DOTALL)
        if in_one_word is None:
            raise
    if checkpoint is not None:
        raise NsmlError(f"CHECKPOINT: {session} already names a checkpoint; leave out {checkpoint}")
    return session_named(home, in_one_word[1]), in_one_word[2]


def session_with_checkpoint(home: Home, session: str, checkpoint: str | None) -> tuple[Session, str]:
    """As `session_and_checkpoint`, where a checkpoint has to be named."""
    chosen, name = session_and_checkpoint(home, session, checkpoint)
    if name is None:
        context = click.get_current_context()
        (missing,) = (p for p in context.command.params if p.name == "checkpoint")
        raise click.MissingParameter(ctx=context, param=missing)
    return chosen, name


def chosen_checkpoint(home: Home, session: str, checkpoint: str | None = None) -> tuple[Session, Checkpoint | None]:
    """Session and checkpoint, named as in `session_and_checkpoint`. Default checkpoint: 'best', else the newest, else None.

    Raises:
        NsmlError: the session or the checkpoint does not exist.
        Damaged: the checkpoint cannot be read.
    """
    from ..store.checkpoints import find_checkpoint

    chosen, name = session_and_checkpoint(home, session, checkpoint)
    if name is not None:
        return chosen, find_checkpoint(chosen.checkpoints, name, str(chosen.name))
    for wanted in ("best", None):
        try:
            return chosen, find_checkpoint(chosen.checkpoints, wanted, str(chosen.name))
        except Damaged:
            raise
        except NsmlError:
            continue
    return chosen, None
