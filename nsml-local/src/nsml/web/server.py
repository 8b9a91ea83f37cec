"""The web server: socket, start and address."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from ..errors import NsmlError, RunFailed
from . import dataset_page, datasets_page, diff_page, graph_page, machine_page, report_files, session_page, sweep_page
from .connections import BACKLOG, Connection, limit_of_connections
from .guard import LOOPBACK, Guard
from .icon import ICON
from .live import end_long_work
from .operator_log import log_to_operator
from .site import Site

_MAX_MESSAGE = 1 << 20  # bytes that a browser may send at once


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address. Raises NsmlError for an invalid host, RunFailed if the address cannot be bound."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise NsmlError(f"--host {host}: {error.strerror}; give an address of this machine") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise RunFailed(f"cannot listen on {host}:{port}: {error.strerror}; choose another port with --port") from None
    return listener


def serve(
    site: Site,
    listener: socket.socket,
    token: str | None,
    on_ready: Callable[[], None],
    *,
    host: str = "",
    code: str | None = None,
) -> None:
    """Serve the page on `listener` until Ctrl-C. Calls `on_ready` when the server accepts requests.

    host: the name under which the listener was opened
    code: see `Guard`
    """
    log_to_operator()
    Connection.most = limit_of_connections()
    for module in (datasets_page, dataset_page, session_page, graph_page, diff_page, sweep_page, machine_page):
        module.register(site)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=_lifespan)
    report_files.register(app, site)
    ui.run_with(
        app,
        title="NSML",
        favicon=ICON,
        dark=None,
        language="en-US",
        show_welcome_message=False,
        markdown=False,
        reconnect_timeout=10,
        # The pages use no bindings that need polling.
        binding_refresh_interval=None,
    )
    address, port = listener.getsockname()[:2]
    hosts = LOOPBACK | {str(address), host.lower()} if is_loopback(listener) else None
    server = uvicorn.Server(
        uvicorn.Config(
            Guard(app, hosts=hosts, token=token, code=code, port=port),
            http=Connection,
            backlog=min(BACKLOG, Connection.most),
            ws_max_size=_MAX_MESSAGE,
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )

    async def run() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started:
            on_ready()
        await serving

    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(run())


@contextlib.asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await end_long_work()


def is_loopback(listener: socket.socket) -> bool:
    """Whether the socket is reachable only from this machine."""
    address = str(listener.getsockname()[0])
    return address == "::1" or address.startswith("127.")


def address_of(listener: socket.socket, host: str) -> str:
    """The address to open in a browser."""
    name = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{listener.getsockname()[1]}/"
