"""Access control: the outermost layer of the server.

A web site that the user visits could send requests to this server: with a form or script (cross-site request forgery), through a
WebSocket, or through its own host name that resolves to 127.0.0.1 (DNS rebinding). So the Host header must name this server, the
Origin of a WebSocket (all changes go through it) must equal Host, and other requests may only read. Since reading costs time too, a request
that a browser says is another site's is refused, whatever it asks for, and Socket.IO has no transport but the WebSocket.
See https://owasp.org/www-community/attacks/csrf, https://fetch.spec.whatwg.org/#origin-header and https://www.w3.org/TR/fetch-metadata/.
"""

from __future__ import annotations

import hmac
import os
import sys
import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

_MAX_QUERY = 8 * 1024  # bytes
_MAX_PATH = 1024
_MAX_NAME = 255  # of a part of the path, as of a file
_SOCKET = "/_nicegui_ws"
_CODE_LIFETIME = 60.0  # seconds
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
COOKIE = "nsml_token"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"  # a state of /proc/net/tcp

# NiceGUI needs 'unsafe-eval' for its templates and 'unsafe-inline' for its start script. No other host can be contacted.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-src 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"content-security-policy": _POLICY.encode(),
    b"x-frame-options": b"DENY",
}


class Guard:
    """ASGI middleware: refuses forbidden requests and adds security headers to responses.

    Args:
        hosts: the allowed names in the Host header; None allows any (the token then protects the page).
        token: the secret that a browser sends once as `?token=`; it then gets a cookie. None: no token.
        code: is taken for the token once, in the first minute, and on Linux from a process of this user only: other users of the
            machine can read the command line of the browser that is opened, in which it stands.
        port: part of the cookie's name, since browsers keep the cookies of a host, whatever the port.
    """

    def __init__(
        self, app: Any, *, hosts: frozenset[str] | None, token: str | None, code: str | None = None, port: int = 0
    ) -> None:
        self.app = app
        self._hosts = hosts
        self._token = token
        self._code = code
        self._code_ends = time.monotonic() + _CODE_LIFETIME
        self._cookie = f"{COOKIE}_{port}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = _Headers(scope)
        status, text = self._refusal(scope, headers)
        if not status and self._token is not None and not self._has_cookie(headers):
            status, text = self._let_in(scope)
        if status:
            await self._answer(scope, send, status, text)
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                missing = [pair for pair in _HEADERS.items() if pair[0] not in present]
                message = {**message, "headers": [*message["headers"], *missing]}
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def _refusal(self, scope: Any, headers: _Headers) -> tuple[int, str]:
        """HTTP status and reason; 0 if the request is allowed."""
        host = headers.one("host")
        if host is None or (self._hosts is not None and _name_of(host) not in self._hosts):
            return 400, "unknown host name; open the address that 'nsml web' printed"
        if scope["type"] == "websocket":
            if _site_of(headers.one("origin") or "") != host.lower():
                return 403, "cross-site WebSocket refused; open the address that 'nsml web' printed"
        elif scope["method"] not in ("GET", "HEAD"):
            return 405, "method not allowed; use GET or HEAD"
        elif scope["path"].startswith(_SOCKET):
            return 403, "only a WebSocket is answered here"
        if _is_of_another_site(headers):
            return (
                403,
                "this request comes from another site; copy the address that 'nsml web' printed into the browser",
            )
        parts = [part.encode("utf-8", "replace") for part in scope["path"].split("/")]
        if (
            len(scope.get("query_string", b"")) > _MAX_QUERY
            or max(map(len, parts)) > _MAX_NAME
            or sum(map(len, parts)) > _MAX_PATH
        ):
            return 414, "the address is too long; shorten it"
        if any(ord(c) < 32 or ord(c) == 127 for c in scope["path"]):
            return 400, "control characters in the address; remove them"
        return 0, ""

    def _has_cookie(self, headers: _Headers) -> bool:
        # Other programs on this host set cookies too, of any form, and perhaps of this name for another path.
        pairs = (part.partition("=") for value in headers.all("cookie") for part in value.split(";"))
        return any(name.strip() == self._cookie and self._is_token(value.strip()) for name, _, value in pairs)

    def _is_token(self, text: str) -> bool:
        return self._token is not None and hmac.compare_digest(text.encode(), self._token.encode())

    def _take_code(self, text: str, client: tuple[str, int] | None) -> bool:
        """Whether it is the code, which is void from then on."""
        if self._code is None or not hmac.compare_digest(text.encode(), self._code.encode()):
            return False
        if not _is_of_this_user(client):
            return False
        self._code = None
        return time.monotonic() < self._code_ends

    def _let_in(self, scope: Any) -> tuple[int, str]:
        """With the right token: 303 to the same address without it, to keep it out of the browser history. Otherwise 401."""
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in query if name == "token"]
        if (
            scope["type"] == "http"
            and given
            and (self._is_token(given[0]) or self._take_code(given[0], scope.get("client")))
        ):
            rest = urlencode([pair for pair in query if pair[0] != "token"])
            path = "/" + scope.get("raw_path", b"/").decode("latin-1").partition("?")[0].lstrip("/\\")
            return 303, f"{path}{f'?{rest}' if rest else ''}"
        return 401, "the token is missing or wrong; open the address that 'nsml web' printed"

    async def _answer(self, scope: Any, send: Any, status: int, text: str) -> None:
        """Send the refusal `text`; for 303 set the cookie and redirect to the address `text`."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": text})
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), *_HEADERS.items()]
        body = f"nsml: {text}\n".encode()
        if status == 303:
            cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
            headers += [(b"location", text.encode("latin-1")), (b"set-cookie", cookie.encode("latin-1"))]
            body = b""
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Headers:
    def __init__(self, scope: Any) -> None:
        self._pairs = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]

    def one(self, name: str) -> str | None:
        """The value of a header; None if it is missing or repeated."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None

    def all(self, name: str) -> list[str]:
        """The values of all headers of that name."""
        return [value for key, value in self._pairs if key == name.encode()]


def _is_of_this_user(client: tuple[str, int] | None) -> bool:
    """Whether this end of an open connection belongs to a process of this user, see proc_net_tcp(5). True where there is no /proc/net."""
    if not _TABLES[0].exists():
        return True
    if client is None:
        return False
    address = _without_version(ip_address(client[0]))
    rows = (line.split() for table in _TABLES if table.exists() for line in table.read_text().splitlines()[1:])
    return any(
        int(port, 16) == client[1]
        and row[3] == _ESTABLISHED
        and row[7] == str(os.getuid())
        and _decoded(host) == address
        for row in rows
        for host, port in [row[1].split(":")]
    )


def _decoded(words: str) -> IPv4Address | IPv6Address:
    """An address of /proc/net: 32-bit words in hexadecimal, each in the byte order of the machine."""
    places = range(0, len(words), 8)
    return _without_version(
        ip_address(b"".join(int(words[place : place + 8], 16).to_bytes(4, sys.byteorder) for place in places))
    )


def _without_version(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address within an IPv6 address, if it has one."""
    return getattr(address, "ipv4_mapped", None) or address


def _is_of_another_site(headers: _Headers) -> bool:
    """Whether the browser says so. Servers on other ports of this host are the same site to it: they may link to pages, nothing else."""
    site = headers.one("sec-fetch-site")
    links = headers.one("sec-fetch-mode") == "navigate" and headers.one("sec-fetch-dest") == "document"
    return site == "cross-site" or (site == "same-site" and not links)


def _site_of(origin: str) -> str | None:
    """Host name and port in an Origin header; None if it is no address."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _name_of(host: str) -> str:
    """The host name in a Host header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()
