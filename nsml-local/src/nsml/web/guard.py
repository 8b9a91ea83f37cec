"""Who may ask the page for what: the outermost layer of the server, in front of everything that it answers.

Another web site that the user visits could send requests to this machine: by a form or script (cross-site request forgery), by opening
the page's WebSocket, or by a name of its own that it lets point to 127.0.0.1 (DNS rebinding). So the Host must be one of ours, the
Origin of a WebSocket, over which all changes go, must be that Host, and every other request may only read.
See https://owasp.org/www-community/attacks/csrf and https://fetch.spec.whatwg.org/#origin-header.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

_LONGEST_QUERY = 8 * 1024
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
COOKIE = "nsml_token"

# The library compiles its templates in the browser, which takes 'unsafe-eval', and starts from a script in the page itself. No other host
# is asked for anything, or told anything.
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
    """An ASGI application around another: refuses what should not reach it, and adds the headers that keep a browser strict.

    Args:
        hosts: the names under which the page may be asked for; None for any, where the token is the lock.
        token: what a browser must show once, as `?token=`, and is given as a cookie then; None for none.
    """

    def __init__(self, app: Any, *, hosts: frozenset[str] | None, token: str | None) -> None:
        self.app = app
        self._hosts = hosts
        self._token = token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = _Headers(scope)
        status, text = self._refusal(scope, headers)
        if not status and self._token is not None and not self._is_known(headers):
            status, text = self._let_in(scope)
        if status:
            await self._answer(scope, send, status, text)
            return

        async def send_strictly(message: Any) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                kept = [pair for pair in _HEADERS.items() if pair[0] not in there]
                message = {**message, "headers": [*message["headers"], *kept]}
            await send(message)

        await self.app(scope, receive, send_strictly)

    def _refusal(self, scope: Any, headers: _Headers) -> tuple[int, str]:
        """A status and why, 0 where nothing is wrong."""
        host = headers.one("host")
        if host is None or (self._hosts is not None and _name_of(host) not in self._hosts):
            return 400, "this page is not served under that name; use the address that 'nsml web' printed"
        if scope["type"] == "websocket":
            origin = headers.one("origin")
            if origin is None or urlsplit(origin).netloc.lower() != host.lower():
                return 403, "only the page itself may do that"
        elif scope["method"] not in ("GET", "HEAD"):
            return 405, "only GET and HEAD are answered"
        if len(scope.get("query_string", b"")) > _LONGEST_QUERY:
            return 414, "the address is too long"
        return 0, ""

    def _is_known(self, headers: _Headers) -> bool:
        try:
            shown = SimpleCookie(headers.one("cookie") or "").get(COOKIE)
        except CookieError:
            return False
        return shown is not None and self._fits(shown.value)

    def _fits(self, shown: str) -> bool:
        return self._token is not None and hmac.compare_digest(shown.encode(), self._token.encode())

    def _let_in(self, scope: Any) -> tuple[int, str]:
        """303 and the same address without the token, where it holds the right one, so that it is not left in the history."""
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in query if name == "token"]
        if scope["type"] == "http" and given and self._fits(given[0]):
            rest = urlencode([pair for pair in query if pair[0] != "token"])
            path = "/" + scope.get("raw_path", b"/").decode("latin-1").partition("?")[0].lstrip("/\\")
            return 303, f"{path}{f'?{rest}' if rest else ''}"
        return 401, "this page asks for a token; open the address that 'nsml web' printed"

    async def _answer(self, scope: Any, send: Any, status: int, text: str) -> None:
        """Refuse, and say why; with 303 hand out the cookie, and send on to the address `text`."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": text})
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), *_HEADERS.items()]
        body = f"nsml: {text}\n".encode()
        if status == 303:
            cookie = f"{COOKIE}={self._token}; Path=/; HttpOnly; SameSite=Strict"
            headers += [(b"location", text.encode("latin-1")), (b"set-cookie", cookie.encode("latin-1"))]
            body = b""
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Headers:
    def __init__(self, scope: Any) -> None:
        self._pairs = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]

    def one(self, name: str) -> str | None:
        """The header, None where it is missing or there are several."""
        found = [value for key, value in self._pairs if key == name.encode()]
        return found[0] if len(found) == 1 else None


def _name_of(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()
