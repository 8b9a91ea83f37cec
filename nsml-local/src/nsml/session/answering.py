"""A private local socket on which a running session answers: `nsml exec` with expressions, `nsml infer` with inputs.

`socket.json` in the session's folder says where it is and whose process listens. A request and an answer are one JSON line each:
`{"ask": TEXT}`, and `{"answer": TEXT}` or `{"error": TEXT}`.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import NsmlError, RunFailed
from ..store.files import read_json, write_json
from ..store.processes import identity, is_alive
from ..store.sessions import Session

FILE = "socket.json"
# The longest path that every system takes for a socket is 103 bytes.
_LONGEST = 100
_LARGEST_ANSWER = 1 << 20
_LARGEST_REQUEST = 1 << 24
_LARGEST_REPLY = 12 * _LARGEST_ANSWER + 100  # bytes: JSON writes a letter as 12 at most
_SLOWEST = 10.0  # seconds that a client may take to receive an answer

Answer = Callable[[str], str]


def listen(session: Session) -> socket.socket:
    """Open the socket of this session and say where it is. `serve` answers on it."""
    path = session.folder / "socket"
    if len(os.fsencode(path)) > _LONGEST:
        path = Path(tempfile.mkdtemp(prefix="nsml-")) / "socket"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(previous)
    listener.listen()
    write_json(session.folder / FILE, {"path": str(path), "process": identity()})
    return listener


def serve(listener: socket.socket, answer: Answer) -> None:
    """Answer one request after another, for ever, from whichever client has sent one. What `answer` raises is the answer's error."""
    with selectors.DefaultSelector() as clients:
        clients.register(listener, selectors.EVENT_READ)
        while True:
            for ready, _ in clients.select():
                if ready.fileobj is listener:
                    with contextlib.suppress(OSError):  # too many files are open: try again
                        connection, _ = listener.accept()
                        connection.settimeout(_SLOWEST)
                        clients.register(connection, selectors.EVENT_READ, bytearray())
                elif not _serve_client(ready.fileobj, ready.data, answer):  # type: ignore[arg-type]
                    clients.unregister(ready.fileobj)
                    ready.fileobj.close()  # type: ignore[union-attr]


def _serve_client(connection: socket.socket, begun: bytearray, answer: Answer) -> bool:
    """Read what a client has sent, and answer its whole lines; `begun` keeps the rest. Whether it stays."""
    try:
        received = connection.recv(1 << 16)
        begun += received
        while (end := begun.find(b"\n")) >= 0:
            line = bytes(begun[: end + 1])
            del begun[: end + 1]
            connection.sendall(json.dumps(_answer(line, answer)).encode() + b"\n")
    except OSError:
        return False
    return bool(received) and len(begun) < _LARGEST_REQUEST


def serve_in_background(listener: socket.socket, answer: Answer) -> None:
    """`serve` in a thread that ends with the process."""
    threading.Thread(target=serve, args=(listener, answer), name="nsml-exec", daemon=True).start()


def _answer(line: bytes, answer: Answer) -> dict[str, str]:
    from ..scoring.feed import describe

    try:
        return {"answer": answer(str(json.loads(line)["ask"]))[:_LARGEST_ANSWER]}
    except Exception as error:
        return {"error": describe(error)}


def is_listening(session: Session) -> bool:
    """Whether a living process of the session answers."""
    try:
        return is_alive(read_json(session.folder / FILE).get("process"))
    except (OSError, NsmlError):
        return False


def ask(session: Session, request: str, timeout: float = 60) -> str:
    """The answer of a session. RunFailed where it answers with an error, or not within `timeout` seconds."""
    try:
        path = read_json(session.folder / FILE)["path"]
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(path)
            with connection.makefile("rwb") as stream:
                stream.write(json.dumps({"ask": request}).encode() + b"\n")
                stream.flush()
                reply = json.loads(stream.readline(_LARGEST_REPLY) or b"{}")
    except TimeoutError:
        raise RunFailed(
            f"session {session.name} does not answer within {timeout:.0f} seconds; it may be busy, try again"
        ) from None
    except (OSError, KeyError, ValueError, NsmlError):
        raise RunFailed(f"session {session.name} does not answer; 'nsml logs {session.name}' says more") from None
    if not isinstance(reply, dict):
        reply = {}
    if "error" in reply or "answer" not in reply:
        raise RunFailed(f"session {session.name}: {reply.get('error', 'no answer')}")
    return str(reply["answer"])
