"""Bounds on the connections of the server: their number, and the time that one stays open without a request.

uvicorn closes idle connections only after a first request, and asyncio logs each connection that it cannot accept. Without these bounds a
few dozen silent clients use up the file descriptors.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any, ClassVar

from uvicorn.protocols.http.auto import AutoHTTPProtocol

_PATIENCE = 10.0  # seconds for a request
_MOST = 1000
_OTHER_FILES = 32  # descriptors for all but connections, at least
BACKLOG = 128


def limit_of_connections() -> int:
    """How many connections the limit of open files leaves room for, after it was raised as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * _MOST
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(_MOST, max(4, (soft - _OTHER_FILES) // 2)) if soft != resource.RLIM_INFINITY else _MOST


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """An HTTP connection. One that sends no whole request in time is closed; above `most` connections, the oldest of these is."""

    most: ClassVar[int] = _MOST
    _open: ClassVar[dict[Connection, None]] = {}  # in the order of their beginning, without WebSockets

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._open[self] = None
        self._watch()
        if len(self.connections) > self.most:
            waiting = (connection for connection in self._open if connection._waits())
            next(waiting, next(iter(self._open))).transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_protocol() is self:
            self._watch()
        else:  # it is a WebSocket now
            self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._forget()

    def _waits(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def _watch(self) -> None:
        if self._timer is None and self._waits():
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._close_if_waiting)

    def _close_if_waiting(self) -> None:
        self._timer = None
        if self._waits():
            self.transport.close()

    def _forget(self) -> None:
        self._open.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
