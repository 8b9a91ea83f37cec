"""`nsml run --notify`: one message when a session or a sweep has ended, to a webhook or to the stdin of a command.

The supervisor sends it, outside of any isolation. `notify.json` names the receiver; no isolated program sees it, since whoever knows the
address of a webhook can write to it. What a program has reported is cut and cleaned, and cannot call people.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import NsmlError
from ..store.files import is_number, locked, read_json, write_json
from ..store.launches import NOTIFY
from ..store.log_lines import append_line
from ..store.metrics import last_summary
from ..store.sessions import ENDED, Session
from ..wording import duration, short, values
from .halving import FILE as HALVING
from .halving import goes_on
from .sweep import members_of, rank_by_reported

_SENT = "notified.json"  # what notify.json of a sweep is called once its message is sent
_DAMAGED = "Damaged"
_TIMEOUT = 10.0
_MOST_VALUES = 20
_END_OF_LOG = 4000  # bytes
# What only a shell understands, where it is not quoted: redirections, several commands, variables.
_SHELL = re.compile(r"(?:^|\s)\d?[<>|&;]\S*|[;|&](?:\s|$)|\$[\w({]+|`|(?:^|\s)~")
_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.")
# <!channel> of Slack and @everyone of Discord call everybody.
_CALLS = str.maketrans("<>@", "‹›＠")


def check_receiver(text: str) -> dict[str, Any]:
    """The content of `notify.json` for a URL, or for a command, whose program is looked up now.

    Raises:
        NsmlError: no address of the web, no such program, an open quotation, something that only a shell understands.
    """
    if "://" in text.split(" ")[0]:
        try:
            parts = urlsplit(text)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            fits = False
        if not fits or "@" in parts.netloc or not text.isascii() or not text.isprintable() or " " in text:
            raise NsmlError("--notify: this is not an address; give https://HOST/PATH in ASCII, without user@")
        return {"url": text}
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise NsmlError(f"--notify {text!r}: {str(error).lower()}; close the quotation") from None
    if unknown := _SHELL.search(_QUOTED.sub(lambda quoted: quoted[0][0] * 2, text)):
        fix = f"sh -c {shlex.quote(text)}"
        raise NsmlError(f"--notify: no shell reads the command, so {unknown[0].strip()} has no effect; give {fix}")
    if not words or (program := shutil.which(words[0])) is None:
        raise NsmlError(f"--notify: there is no program {words[0] if words else text!r}; name a command or a URL")
    return {"command": [os.path.abspath(program), *words[1:]], "folder": os.getcwd()}


def tell_session(session: Session, status: str, how: str, seconds: float, **facts: Any) -> dict[str, Any]:
    """The message about a session. `how` is what ended it, as "exit status 3"; `facts` go into the message."""
    reported = _cleaned(last_summary(session.folder))
    why = str(facts.get("reason") or (_last_line(session) if status == "Failed" else ""))
    sentences = [f"Session {session.name}: {status}, {how}, after {duration(seconds)}", short(why), values(reported)]
    return {
        **_texts([*sentences, session.memo()]),
        "session": str(session.name),
        "status": status,
        **{name: short(fact) if isinstance(fact, str) else fact for name, fact in facts.items()},
        "seconds": round(seconds, 1),
        "memo": short(session.memo()),
        "values": reported,
    }


def send(folder: Path, message: Mapping[str, Any], name: str = NOTIFY) -> str:
    """Send a message to the receiver in `folder`; "" or the reason why it did not arrive. It takes 10 seconds at most."""
    try:
        receiver = read_json(folder / name)
    except (OSError, NsmlError) as error:
        return "" if isinstance(error, FileNotFoundError) else str(error)
    failure = [f"no answer within {_TIMEOUT:.0f} seconds"]

    def deliver() -> None:
        try:
            body = json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace")
            _post(receiver["url"], body) if "url" in receiver else _pipe(receiver, body)
            failure[0] = ""
        except Exception as error:
            if not isinstance(error, TimeoutError | subprocess.TimeoutExpired):
                failure[0] = short(str(error) or type(error).__name__)

    # In a thread, since a look-up of the host's name has no time-out.
    thread = threading.Thread(target=deliver, daemon=True)
    thread.start()
    thread.join(_TIMEOUT + 0.5)  # a command is killed before
    # Without the path, which is as good as a password, in the log that everybody can read.
    shown = urlsplit(receiver["url"]).hostname if "url" in receiver else os.path.basename(receiver["command"][0])
    return f"--notify: the message did not reach {shown}: {failure[0]}" if failure[0] else ""


def notify_sweep(session: Session) -> None:
    """Send the message of the session's sweep if all its members have ended; once, whoever comes first."""
    sweep = session.sweep_folder()
    if sweep is None or not (sweep / NOTIFY).exists():
        return
    members = members_of(session)
    # A round of --halve that starts meanwhile would be taken for the end.
    with locked(sweep / "lock") if (sweep / HALVING).exists() else contextlib.nullcontext():
        if any(_status(one) not in (*ENDED, _DAMAGED) for one in members) or goes_on(session):
            return
    try:
        os.rename(sweep / NOTIFY, sweep / _SENT)
    except FileNotFoundError:
        return  # another supervisor was first
    if failure := send(sweep, _tell_sweep(members), _SENT):
        with contextlib.suppress(OSError):
            append_line(session.log, failure)


def notify_at_the_end_of_sweep(session: Session, receiver: Mapping[str, Any] | None = None) -> None:
    """Have the message of the session's sweep sent when it has ended: to `receiver`, or, after a resume, once more.

    Called when all members have started, so that the first ones to end are not taken for all.
    """
    if (sweep := session.sweep_folder()) is None:
        return
    if receiver is not None:
        write_json(sweep / NOTIFY, receiver)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.rename(sweep / _SENT, sweep / NOTIFY)
    notify_sweep(session)


def _status(session: Session) -> str:
    try:
        return session.status()
    except NsmlError:  # or it was just removed
        return _DAMAGED


def _tell_sweep(members: list[Session]) -> dict[str, Any]:
    name = f"{members[0].name.user}/{members[0].name.dataset}/{members[0].sweep()[0]}"
    statuses = Counter(map(_status, members))
    sentences = [f"Sweep {name}: {', '.join(f'{count} {status}' for status, count in statuses.items())}"]
    message: dict[str, Any] = {"sweep": name, "statuses": dict(statuses), "best": None}
    reported = [last_summary(one.folder) for one in members]
    value, order = rank_by_reported(reported)
    if value and is_number(reported[order[0]].get(value)):
        best = members[order[0]]
        point = " ".join(f"{name}={text}" for name, text in best.sweep()[1].items())
        sentences.append(f"best {short(value)}: {best.name} with {reported[order[0]][value]:.4g} ({short(point)})")
        shown = {"session": str(best.name), "arguments": best.sweep()[1], "values": _cleaned(reported[order[0]])}
        message["best"] = {"by": short(value), **shown}
    return {**_texts(sentences), **message}


def _texts(sentences: list[str]) -> dict[str, str]:
    """The text, under the names by which Slack, Mattermost and Teams (`text`) and Discord (`content`) show it."""
    text = "\n".join(sentence for sentence in sentences if sentence).translate(_CALLS)[:1900]
    return {"text": text, "content": text}


def _cleaned(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {
        short(name, 80): value if is_number(value) else short(str(value), 80)
        for name, value in islice(summary.items(), _MOST_VALUES)
    }


def _last_line(session: Session) -> str:
    """What the program printed last: of a traceback, the error."""
    try:
        with session.open_log() as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _END_OF_LOG))
            lines = log.read(_END_OF_LOG).decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _post(url: str, body: bytes) -> None:
    # Imported here, since most sessions send nothing.
    from http.client import responses
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class NoRedirect(HTTPRedirectHandler):
        """A redirected POST would arrive as a GET, without the message."""

        def redirect_request(self, *_: Any) -> None:
            return None

    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "nsml"}
    try:
        build_opener(NoRedirect).open(Request(url, body, headers), timeout=_TIMEOUT).close()
    except HTTPError as error:
        answer = error.read(200).decode(errors="replace").strip()
        reason = f"HTTP {error.code} {responses.get(error.code, '')}".strip()
        raise OSError(f"{reason}: {answer}" if answer else reason) from None


def _pipe(receiver: Mapping[str, Any], body: bytes) -> None:
    """Start the command with the message on its stdin; OSError with the end of its stderr if it fails."""
    folder = receiver["folder"] if os.path.isdir(receiver["folder"]) else "/"
    # To a file: a child that the command leaves behind would hold a pipe open.
    with tempfile.TemporaryFile() as errors:
        command = subprocess.Popen(
            receiver["command"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, cwd=folder,
            start_new_session=True,
        )  # fmt: skip
        try:
            command.communicate(body, timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(command.pid, signal.SIGKILL)
            command.wait()
            raise
        if command.returncode:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - 300))
            said = " ".join(errors.read().decode(errors="replace").split())
            raise OSError(f"exit status {command.returncode}" + (f": {said}" if said else ""))
