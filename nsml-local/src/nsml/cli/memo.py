"""`nsml memo`, `nsml tag` and `nsml command`: the memo of a session, its tags, and the command that starts it."""

from __future__ import annotations

import shlex

import click

from ..engine.words import run_words
from ..errors import NsmlError
from ..store.home import open_home
from ..store.names import check_name
from ..store.sessions import match_sessions
from .arguments import session_argument, session_named


@click.command(
    epilog="""\b
Example:
  nsml memo FUNDUS_DEMO/1 "without the local average"
"""
)
@session_argument()
@click.argument("text")
def memo(session: str, text: str) -> None:
    """Set the memo of a session, a line of text shown by 'nsml ps'."""
    chosen = session_named(open_home(), session)
    chosen.write_memo(text)
    click.echo(f"Session {chosen.name}: {chosen.memo()}")


# Words after SESSION are no options, so that -NAME removes a tag.
@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  nsml tag FUNDUS_DEMO/1 +baseline +paper
  nsml tag FUNDUS_DEMO/sweep-1 -paper
  nsml tag FUNDUS_DEMO/1            shows its tags
""",
)
@session_argument()
@click.argument("changes", nargs=-1, metavar="[+TAG|-TAG]...")
def tag(session: str, changes: tuple[str, ...]) -> None:
    """Add (+TAG) and remove (-TAG) tags of sessions. '*' and '?' in the number name several; 'nsml ps --tag TAG' lists sessions by tag."""
    if wrong := [word for word in changes if word[:1] not in ("+", "-")]:
        raise NsmlError(f"{wrong[0]!r} is neither +TAG nor -TAG; 'nsml tag {session} +{wrong[0]}' adds it")
    # Of a tag that is named twice the last word counts.
    last = {check_name(word[1:], "tag"): word[0] for word in changes}
    home = open_home()
    for one in match_sessions(home, session, home.user()):
        if last:
            one.change_tags(*([name for name, sign in last.items() if sign == which] for which in "+-"))
        click.echo(f"Session {one.name}: {' '.join(one.tags()) or 'no tags'}")


@click.command(
    epilog="""\b
Example:
  nsml command FUNDUS_DEMO/1
"""
)
@session_argument()
def command(session: str) -> None:
    """Print the command that starts the same session again."""
    chosen = session_named(open_home(), session)
    words = run_words(chosen)
    if text := chosen.memo():
        words += ["-m", text]
    for name in chosen.tags():
        words += ["--tag", name]
    click.echo(shlex.join(words))
