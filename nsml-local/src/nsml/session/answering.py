"""A private local socket on which a running session answers: `nsml exec` with expressions, `nsml infer` with inputs.

`socket.json` in the session's folder says where it is and whose process listens. A request and an answer are one JSON line each:
`{"ask": TEXT}`, and `{"answer": TEXT}` or `{"error": TEXT}`.
"""

from __future__ import annotations

import contextlib
import json
import os
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
    """Answer one request after another, for ever. What `answer` raises is the answer's error."""
    while True:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError, ValueError), connection.makefile("rwb") as stream:
            for line in stream:
                stream.write(json.dumps(_answer(line, answer)).encode() + b"\n")
                stream.flush()


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
                reply = json.loads(stream.readline() or b"{}")
    except TimeoutError:
        raise RunFailed(
            f"session {session.name} does not answer within {timeout:.0f} seconds; it may be busy, try again"
        ) from None
    except (OSError, KeyError, ValueError, NsmlError):
        raise RunFailed(f"session {session.name} does not answer; 'nsml logs {session.name}' says more") from None
    if "error" in reply or "answer" not in reply:
        raise RunFailed(f"session {session.name}: {reply.get('error', 'no answer')}")
    return str(reply["answer"])
