"""What the server logs on the terminal of the one who started it.

Clients decide what is in it, and how often: so it is printable, one line each, and of a minute only the first few different ones.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback

from ..wording import short

_MINUTE = 60.0
_MOST = 10  # lines a minute
_LONGEST = 500  # letters of a line


class OperatorLog(logging.Handler):
    """Writes log records to stderr."""

    def __init__(self) -> None:
        super().__init__()
        self._since = -_MINUTE
        self._written: set[object] = set()
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as one line, with NSML_DEBUG=1 also its traceback."""
        now = time.monotonic()
        if now - self._since > _MINUTE:
            if self._left_out:
                self._write(f"{self._left_out} more messages were left out")
            self._since, self._left_out = now, 0
            self._written.clear()
        error = record.exc_info[1] if record.exc_info else None
        message = record.getMessage()
        key = (record.name, message if error is None else (type(error), str(error)))
        if key in self._written or len(self._written) >= _MOST:
            self._left_out += 1
            return
        self._written.add(key)
        self._write(message if error is None else f"{message}: {type(error).__name__}: {error}")
        if error is not None and os.environ.get("NSML_DEBUG", "0") not in ("", "0"):
            for line in "".join(traceback.format_exception(error)).splitlines():
                self._write(line)

    def _write(self, line: str) -> None:
        print(f"nsml web: {short(line, _LONGEST)}", file=sys.stderr, flush=True)


def log_to_operator() -> None:
    """Send all logs here. NiceGUI's warnings are left out: they are about pages that clients asked for in vain."""
    logging.getLogger().addHandler(OperatorLog())
    logging.getLogger("nicegui").setLevel(logging.ERROR)
    for name in ("engineio.server", "socketio.server"):
        logging.getLogger(name).handlers.clear()  # handlers of their own, besides
