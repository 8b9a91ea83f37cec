"""`nsml web`: the web page."""

from __future__ import annotations

import secrets
import string

import click

from ..errors import NsmlError, install
from ..store.home import open_home

PORT = 18553
_TOKEN_LETTERS = frozenset(string.ascii_letters + string.digits + "-_")


@click.command(
    epilog="""\b
Examples:
  nsml web
  nsml web --read-only --host 0.0.0.0      for a shared screen
  ssh -L 18553:127.0.0.1:18553 SERVER      then open http://127.0.0.1:18553/ here
"""
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="Port to listen on; 0 for any free port.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--token", metavar="TEXT", envvar="NSML_WEB_TOKEN",
              help="Token that browsers must send (or NSML_WEB_TOKEN). Generated if --host is not this machine only.")  # fmt: skip
@click.option("--read-only", is_flag=True, help="Hide all actions that change something.")
@click.option("--no-open", is_flag=True, help="Do not open the browser.")
def web(port: int, host: str, token: str | None, read_only: bool, no_open: bool) -> None:
    """Serve datasets, boards, sessions and graphs as a web page. Ctrl-C ends it.

    The page can do the same as these commands, and so can anyone who reaches it. By default it listens on this machine only.
    With another --host, browsers need the token, which is part of the printed address. Traffic is not encrypted.
    """
    home = open_home()
    if token is not None and (len(token) < 16 or not set(token) <= _TOKEN_LETTERS):
        raise NsmlError("--token: give at least 16 letters, digits, '-' or '_', or leave it out to generate one")
    try:
        from ..web.server import address_of, is_loopback, listen, serve
        from ..web.site import Site
    except ImportError as error:
        missing = (error.name or str(error)).partition(".")[0]
        raise NsmlError(f"{missing} is needed for the page; {install('web')}") from None
    listener = listen(host, port)
    if token is None and not is_loopback(listener):
        token = secrets.token_urlsafe(24)
    address = address_of(listener, host)
    code = secrets.token_urlsafe(24) if token and not no_open else None

    def print_address() -> None:
        click.echo(f"nsml web is at {address}{f'?token={token}' if token else ''} (Ctrl-C ends it)")
        if not no_open:
            import webbrowser

            webbrowser.open(f"{address}?token={code}" if code else address)

    serve(Site(home, read_only), listener, token, print_address, host=host, code=code)
