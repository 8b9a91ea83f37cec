"""The browser for the tests of the page."""

from __future__ import annotations

from typing import Any

from web_server import Server

# Timeout in milliseconds, for a busy machine.
PATIENCE = 30_000
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
DESK = {"locale": "en-US", "viewport": {"width": 1280, "height": 900}}


class Tabs:
    """Opens pages of a server, and records errors, warnings and requests to other hosts in `complaints`."""

    def __init__(self, browser: Any, usual: Any, server: Server) -> None:
        self._browser, self._usual, self._server = browser, usual, server
        self.complaints: list[str] = []
        self._open: list[Any] = []

    def __call__(self, path: str, *, server: Server | None = None, status: int = 200, **options: Any) -> Any:
        """The page of `path`, which the server answers with `status`."""
        server = server or self._server
        of_status = f"status of {status} "  # which the browser reports where it is none of success
        context = self._usual
        if options:
            context = self._browser.new_context(**DESK | options)
            self._open.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        self._open.append(page)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda m: (
                self.complaints.append(m.text) if m.type in ("error", "warning") and of_status not in m.text else None
            ),
        )
        page.on("request", lambda r: None if _is_ours(r.url, server) else self.complaints.append(f"asked for {r.url}"))
        answer = page.goto(f"{server.address}{path}")
        assert answer.status == status
        # Input before the handshake could be processed out of order.
        page.wait_for_function("window.did_handshake")
        return page

    def close(self) -> None:
        for opened in reversed(self._open):
            opened.close()
        self._open.clear()


def _is_ours(url: str, server: Server) -> bool:
    return url.startswith((f"{server.address}/", f"ws{server.address[4:]}/", "data:", "blob:"))
