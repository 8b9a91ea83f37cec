"""`nsml stop`: end a session."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import click

from ..errors import RunFailed
from ..store.home import open_home
from ..store.sessions import ENDED
from .arguments import session_argument, session_named


@click.command(
    epilog="""\b
Example:
  nsml stop FUNDUS_DEMO/1
"""
)
@session_argument()
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def stop(session: str, force: bool) -> None:
    """End a session and all processes that it started; its checkpoints stay."""
    found = session_named(open_home(), session)
    state = found.state()
    if state["status"] in ENDED:
        click.echo(f"Session {found.name} has ended already ({state['status']})")
        return
    if not force:
        click.confirm(f"Stop session {found.name}?", abort=True)
    process = state.get("process") or {}
    with contextlib.suppress(ProcessLookupError, KeyError):
        os.kill(process["pid"], signal.SIGTERM)
    until = time.monotonic() + 15
    while found.status() not in ENDED and time.monotonic() < until:
        time.sleep(0.05)
    if found.status() not in ENDED:
        raise RunFailed(f"session {found.name} does not end; look at process {process.get('pid')}")
    click.echo(f"Session {found.name} is stopped")
