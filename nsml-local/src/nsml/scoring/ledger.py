"""The referee's ledger: one JSON object a line, only appended to. Each holds the digest of the line before it.

So a line that is changed, removed or put in between no longer fits the next one, and whoever noted the last digest, which the referee
publishes, can tell that what was written up to it is the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..errors import Damaged, NsmlError
from ..store.files import make_private

FIRST = "0" * 64


class Ledger:
    """An open ledger, of this process alone."""

    def __init__(self, path: Path) -> None:
        """Open or create the ledger. A last line without an end, of a process that was killed while it wrote, is removed.

        Raises:
            NsmlError: another process has it open.
            Damaged: the chain is broken.
        """
        make_private(path.parent)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise NsmlError(f"{path} is open in another referee; end that one first") from None
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            os.ftruncate(self._file, len(whole))
        self.entries, heads = _chain(whole, path)
        self.head = heads[-1]

    def append(self, entry: dict[str, Any]) -> None:
        """Append an entry; it is on the disk when this returns."""
        line = json.dumps({"before": self.head, **entry}, ensure_ascii=False, allow_nan=False).encode(
            "utf-8", "surrogatepass"
        )
        written = 0
        while written < len(line) + 1:
            written += os.write(self._file, (line + b"\n")[written:])
        os.fsync(self._file)
        self.entries.append(entry)
        self.head = hashlib.sha256(line).hexdigest()

    def close(self) -> None:
        """Let another process open it."""
        os.close(self._file)


def read_ledger(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The entries, and the digests of no line and of each line. NsmlError if there is no ledger, Damaged if the chain is broken."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NsmlError(f"there is no ledger {path}; 'nsml referee DATASET' begins one") from None
    return _chain(content[: content.rfind(b"\n") + 1], path)


def _chain(content: bytes, path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    entries = []
    heads = [FIRST]
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            entry = json.loads(line.decode("utf-8", "surrogatepass"))
            before = entry.pop("before")
        except (ValueError, AttributeError, KeyError, RecursionError):
            raise Damaged(f"{path}, line {number} is no entry; compare it with a backup") from None
        if before != heads[-1]:
            raise Damaged(f"{path}, line {number} does not follow line {number - 1}; compare it with a backup")
        entries.append(entry)
        heads.append(hashlib.sha256(line).hexdigest())
    return entries, heads
