"""A private local socket of a running session, for the expressions of `nsml exec` and the inputs of `nsml infer`.

It lies in `answers/` of the session's folder. Requests and answers are JSON lines: `{"ask": TEXT}`, and `{"answer": TEXT}` or
`{"error": TEXT}`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import queue
import selectors
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

from ..errors import RunFailed
from ..store.files import make_private
from ..store.sessions import ANSWERS, Session

_SOCKET = "socket"
# All systems allow socket paths of up to 103 bytes.
_LONGEST = 100
_LARGEST_ANSWER = 1 << 20  # letters
_LARGEST_ERROR = 2000  # letters
_LARGEST_REQUEST = 1 << 24
_LARGEST_REPLY = 12 * _LARGEST_ANSWER + 100  # bytes: JSON needs up to 12 per letter
LONGEST = 30.0  # seconds for an expression
_SLOWEST = 10.0  # seconds for a client to receive an answer

Answer = Callable[[str], str]


@contextlib.contextmanager
def _address(session: Session) -> Iterator[str]:
    """A path to the session's socket that is short enough for all systems."""
    folder = session.folder / ANSWERS
    if len(os.fsencode(folder / _SOCKET)) <= _LONGEST:
        yield str(folder / _SOCKET)
        return
    with tempfile.TemporaryDirectory(prefix="nsml-") as short:
        os.symlink(folder, f"{short}/s")
        yield f"{short}/s/{_SOCKET}"


@contextlib.contextmanager
def _found(session: Session) -> Iterator[str]:
    """A path to the session's socket, which on Linux leads to it even if the program puts a link in its place meanwhile.

    OSError if it is not a socket, or behind a link.
    """
    path = session.folder / ANSWERS / _SOCKET
    if not hasattr(os, "O_PATH"):
        _check_socket(path.lstat())
        with _address(session) as short:
            yield short
        return
    descriptor = os.open(session.folder.parent, os.O_PATH)
    try:
        for name in path.relative_to(session.folder.parent).parts:
            inner = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        _check_socket(os.fstat(descriptor))
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _check_socket(status: os.stat_result) -> None:
    if not stat.S_ISSOCK(status.st_mode):
        raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))


def _connect(session: Session, timeout: float) -> socket.socket:
    """Connect to the session's socket. OSError if nothing listens, or it is not a socket."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        with _found(session) as path:
            connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def listen(session: Session) -> socket.socket:
    """Open the socket of this session, for `serve`."""
    (make_private(session.folder / ANSWERS) / _SOCKET).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _address(session) as path:
        previous = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(previous)
    listener.listen()
    return listener


def serve(listener: socket.socket, answer: Answer) -> None:
    """Answer requests of all clients, one at a time, forever. An exception of `answer` is sent as the error."""
    with selectors.DefaultSelector() as clients:
        clients.register(listener, selectors.EVENT_READ)
        while True:
            for ready, _ in clients.select():
                if ready.fileobj is listener:
                    with contextlib.suppress(OSError):  # too many open files: try again
                        connection, _ = listener.accept()
                        connection.settimeout(_SLOWEST)
                        clients.register(connection, selectors.EVENT_READ, bytearray())
                elif not _serve_client(ready.fileobj, ready.data, answer):  # type: ignore[arg-type]
                    clients.unregister(ready.fileobj)
                    ready.fileobj.close()  # type: ignore[union-attr]


def _serve_client(connection: socket.socket, begun: bytearray, answer: Answer) -> bool:
    """Read from a client and answer complete lines; `begun` stores an incomplete one. Return whether the client stays connected."""
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
    """`serve` in a thread that ends with the process. What takes longer than LONGEST is given up, so that the next request is answered."""
    within = partial(_answer_in_time, answer=answer)
    threading.Thread(target=serve, args=(listener, within), name="nsml-exec", daemon=True).start()


class _GivenUp(BaseException):
    """Raised in the middle of an evaluation that takes too long."""


def _answer_in_time(request: str, answer: Answer) -> str:
    """The answer, evaluated in a thread of its own, so that one that does not return keeps no other waiting. RunFailed if it fails."""
    # Not in the thread: an import that is given up would keep its lock.
    from ..scoring.feed import describe

    done: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    def evaluate() -> None:
        try:
            done.put((answer(request), ""))
        except BaseException as error:  # sys.exit, too, ends the expression alone
            done.put(("", describe(error)))

    thread = threading.Thread(target=evaluate, name="nsml-exec-expression", daemon=True)
    thread.start()
    try:
        text, failure = done.get(timeout=LONGEST)
    except queue.Empty:
        import ctypes

        # Ends Python code. Code in C goes on until it returns.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_GivenUp))
        raise RunFailed(f"it takes more than {LONGEST:.0f} seconds and is given up; evaluate less at once") from None
    if failure:
        raise RunFailed(failure)
    return text


def _answer(line: bytes, answer: Answer) -> dict[str, str]:
    from ..scoring.feed import describe

    try:
        return {"answer": _shortened(answer(str(json.loads(line)["ask"])), _LARGEST_ANSWER)}
    except Exception as error:
        return {"error": _shortened(describe(error), _LARGEST_ERROR)}


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more letters)"


def is_listening(session: Session) -> bool:
    """Whether a process of the session listens on the socket."""
    try:
        _connect(session, _SLOWEST).close()
    except OSError:
        return False
    return True


def ask(session: Session, request: str, timeout: float = 60) -> str:
    """The answer of a session. RunFailed if it is an error, or takes more than `timeout` seconds."""
    try:
        until = time.monotonic() + timeout
        with _connect(session, timeout) as connection:
            connection.sendall(json.dumps({"ask": request}).encode() + b"\n")
            reply = json.loads(_receive_line(connection, until) or b"{}")
    except TimeoutError:
        raise RunFailed(
            f"session {session.name} does not answer within {timeout:.0f} seconds; it may be busy, try again"
        ) from None
    except (OSError, ValueError, RecursionError):
        raise RunFailed(f"session {session.name} does not answer; 'nsml logs {session.name}' may show why") from None
    if not isinstance(reply, dict):
        reply = {}
    if "error" in reply or "answer" not in reply:
        raise RunFailed(f"session {session.name}: {_shortened(str(reply.get('error', 'no answer')), _LARGEST_ERROR)}")
    return _shortened(str(reply["answer"]), _LARGEST_ANSWER)


def _receive_line(connection: socket.socket, until: float) -> bytes:
    """Receive a line. TimeoutError if it is incomplete at the time `until`; ValueError if it is too long."""
    line = bytearray()
    while not line.endswith(b"\n"):
        connection.settimeout(max(until - time.monotonic(), 1e-3))
        if not (piece := connection.recv(1 << 16)):
            break
        line += piece
        if len(line) > _LARGEST_REPLY:
            raise ValueError("the answer is too long")
    return bytes(line)
