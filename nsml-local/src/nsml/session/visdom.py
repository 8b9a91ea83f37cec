"""`nsml.Visdom`: the visdom library, if it is installed and its server runs."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlsplit


class Visdom:
    """Like `visdom.Visdom(**kwargs)`. Without visdom or its server, all methods do nothing.

    Args:
        visdom: the module `visdom`; None to import it.
        kwargs: passed to `visdom.Visdom`.
    """

    def __init__(self, visdom: Any = None, **kwargs: Any) -> None:
        self._real = None
        try:
            if visdom is None:
                import visdom  # type: ignore[no-redef,import-not-found]
            if not kwargs.get("offline"):
                _look_for_server(str(kwargs.get("server", "localhost")), kwargs.get("port"))
            self._real = visdom.Visdom(**kwargs)
        except Exception as error:
            print(
                f"nsml.Visdom: nothing is drawn ({type(error).__name__}: {error}); nsml.report still stores values",
                file=sys.stderr,
            )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._real is not None:
            return getattr(self._real, name)
        return lambda *args, **kwargs: None


def _look_for_server(server: str, port: Any) -> None:
    """ConnectionError if no server answers; visdom itself would print a traceback for each graph."""
    import socket

    address = urlsplit(server if "//" in server else f"//{server}")
    place = (address.hostname or "localhost", int(port or address.port or 8097))
    try:
        socket.create_connection(place, timeout=2).close()
    except OSError:
        raise ConnectionError(f"no server answers at {place[0]}:{place[1]}; start it with 'visdom'") from None
