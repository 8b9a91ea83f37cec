"""What clients can do to the server of `nsml web`, and what it writes on the operator's terminal; in this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nicegui", reason="the page needs nsml-local[web]")

import uvicorn

from nsml.errors import RunFailed
from nsml.web import connections, frame, live
from nsml.web.connections import Connection, limit_of_connections
from nsml.web.guard import Guard
from nsml.web.operator_log import OperatorLog

TOKEN = "a-token-of-this-test"


async def _app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"page"})


def ask(
    guard: Guard, path: str = "/", query: str = "", client: tuple[str, int] | None = None, **headers: str
) -> tuple[int, dict[str, str]]:
    """Status and headers of a GET."""
    given = {"host": "localhost"} | headers
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "client": client,
        "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in given.items()],
    }
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(guard(scope, None, send))
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def open_guard(**options: Any) -> Guard:
    return Guard(_app, **{"hosts": frozenset({"localhost"}), "token": None} | options)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}, 403),
        ({"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"}, 403),
        ({"sec_fetch_site": "same-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}, 403),
        ({"sec_fetch_site": "same-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}, 200),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
    ],
)
def test_what_a_browser_says_is_another_sites_request_is_refused(headers: dict[str, str], status: int) -> None:
    assert ask(open_guard(), **headers)[0] == status


@pytest.mark.parametrize(
    ("origin", "kind"),
    [
        ("http://localhost", "websocket.accept"),
        ("http://elsewhere", "websocket.close"),
        ("http://[", "websocket.close"),
        ("null", "websocket.close"),
    ],
)
def test_a_websocket_of_another_site_or_of_none_is_refused(origin: str, kind: str) -> None:
    headers = [(b"host", b"localhost"), (b"origin", origin.encode())]
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def accept(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    guard = Guard(accept, hosts=frozenset({"localhost"}), token=None)
    asyncio.run(guard({"type": "websocket", "path": "/_nicegui_ws/socket.io/", "headers": headers}, None, send))
    assert [message["type"] for message in sent] == [kind]


def test_socket_io_has_no_polling_transport() -> None:
    assert ask(open_guard(), "/_nicegui_ws/socket.io/", "EIO=4&transport=polling")[0] == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dataset/\0", 400),
        ("/\x1b]0;x\x07", 400),
        ("/dataset/" + "a" * 256, 414),
        ("/" + "가/" * 400, 414),
        ("/데이터", 200),
    ],
)
def test_a_path_that_no_file_can_have_is_refused(path: str, status: int) -> None:
    assert ask(open_guard(), path)[0] == status


@pytest.mark.parametrize(
    "cookie",
    [
        "nsml_token_7={token}",
        'other={{"a": b}}; nsml_token_7={token}',
        "nsml_token_7=of-another-path; nsml_token_7={token}; x",
        "=;;\xff=\xfe; nsml_token_7={token}",
    ],
)
def test_cookies_of_others_keep_nobody_out(cookie: str) -> None:
    guard = open_guard(token=TOKEN, port=7)
    assert ask(guard, cookie=cookie.format(token=TOKEN))[0] == 200
    assert ask(guard, cookie=cookie.format(token="wrong"))[0] == 401


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_code_for_the_browser_is_taken_once_and_for_a_minute(
    monkeypatch: pytest.MonkeyPatch, family: socket.AddressFamily, host: str
) -> None:
    if family == socket.AF_INET6 and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with socket.create_server((host, 0), family=family) as listener, socket.socket(family) as client:
        client.connect(listener.getsockname())
        own = client.getsockname()[:2]
        guard = open_guard(token=TOKEN, code="once", port=7)
        status, headers = ask(guard, query="token=once", client=own)
        assert (status, headers["location"]) == (303, "/")
        assert headers["set-cookie"].startswith(f"nsml_token_7={TOKEN};")
        assert ask(guard, query="token=once", client=own)[0] == 401
        late = open_guard(token=TOKEN, code="once")
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 61)
        assert ask(late, query="token=once", client=own)[0] == 401


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux says whose a connection is")
def test_the_code_is_taken_from_no_other_user_who_read_it_first(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = open_guard(token=TOKEN, code="once")
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        own, elsewhere = client.getsockname(), ("192.0.2.1", client.getsockname()[1])
        assert ask(guard, query="token=once", client=elsewhere)[0] == 401
        another = os.getuid() + 1
        with monkeypatch.context() as patched:
            patched.setattr("os.getuid", lambda: another)
            assert ask(guard, query="token=once", client=own)[0] == 401
        assert ask(guard, query="token=once", client=own)[0] == 303


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The port of a server with at most four connections, each for half a second without a request."""
    monkeypatch.setattr(connections, "_PATIENCE", 0.5)
    monkeypatch.setattr(Connection, "most", 4)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(open_guard(hosts=None), http=Connection, log_config=None, lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server._serve([listener])))
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(20)
    assert not Connection._open


def test_silent_and_half_connections_are_closed_and_keep_nobody_out(served: int) -> None:
    with contextlib.ExitStack() as stack:
        silent = []
        for sent in (
            b"",
            b"GET / HTT",
            b"GET / HTTP/1.1\r\nHost: x\r\n",
            b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET /",
        ) * 3:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", served), timeout=60))
            client.sendall(sent)
            silent.append(client)
        with socket.create_connection(("127.0.0.1", served), timeout=60) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
        for client in silent:
            with contextlib.suppress(ConnectionResetError):
                while client.recv(1000):
                    pass  # up to the end, within the time of a test


def test_connections_leave_room_among_the_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    for limits, most in (((64, 64), 16), ((256, 1024), 496), ((1024, 1 << 20), 1000), ((8, 8), 4)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limits=limits: limits)
        assert limit_of_connections() == most


def test_the_log_is_short_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.Logger("of clients")
    log.addHandler(OperatorLog())
    for number in range(1000):
        log.error("the same\x1b]0;owned\x07\n\x9b31m")
        log.error("number %d", number)
        try:
            raise ValueError("x" * 10_000)
        except ValueError:
            log.exception("a fault")
    err = capsys.readouterr().err
    assert err.count("\n") <= 10 and len(err) < 2500
    assert "nsml web: the same]0;owned 31m\n" in err


class Opened:
    """Of a NiceGUI client what counts here."""

    def __init__(self, number: int) -> None:
        self.id = str(number)
        self.connected: list[Any] = []
        self.deleted: list[Any] = []
        self.on_connect, self.on_delete = self.connected.append, self.deleted.append

    def delete(self) -> None:
        for handler in self.deleted:
            handler()
        self.deleted.clear()


def test_pages_that_no_browser_opens_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "_unopened", {})
    clients = [Opened(number) for number in range(1000)]
    for client in clients:
        frame._keep_few_unopened(client)  # type: ignore[arg-type]
        if client.id == "0":
            client.connected[0]()
    assert [client.id for client in clients if client.deleted] == ["0", *map(str, range(744, 1000))]


def test_long_work_takes_no_place_of_the_views_and_keeps_nobody_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_reading", asyncio.Semaphore(8))
    monkeypatch.setattr(live, "_ending", threading.Event())

    def submit() -> None:
        while True:
            live.stop_if_ending()
            time.sleep(0.01)

    async def use() -> None:
        submits = [asyncio.create_task(live.in_own_thread(submit)) for _ in range(20)]
        await asyncio.sleep(0)
        assert [await asyncio.wait_for(live.in_thread(lambda: number), 60) for number in range(20)]  # noqa: B023
        await live.end_long_work()
        for task in submits:
            with pytest.raises(RunFailed, match="nsml web has ended"):
                await task

    asyncio.run(use())


def test_work_that_does_not_stop_is_left_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_ending", threading.Event())
    release = threading.Event()

    async def use() -> None:
        task = asyncio.create_task(live.in_own_thread(release.wait))
        await asyncio.sleep(0.05)
        await live.end_long_work(0.1)
        task.cancel()

    asyncio.run(use())
    release.set()
