"""What a team hands to the referee of another Unix user: one file for a submission, in a folder that both reach.

    SPOOL/incoming/NAME       a submission; whoever owns the file hands it in. The folder can be written and not be listed
    SPOOL/answers/NAME.json   what became of it, with the whole score: the folder cannot be listed, so that only who handed it in knows NAME
    SPOOL/board.json          the ranking;  rules.toml  the rules
    SPOOL/released-ACCOUNT    made by the organiser: nothing of the account that was not scored before counts any more

The first line of a submission is a JSON object, the predictions follow, then the log. A choice for the final ranking has `final` in
that line, true or false, and nothing after it.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import secrets
import time
from pathlib import Path
from typing import Any

from ..errors import Damaged, NsmlError, RunFailed
from ..store.files import read_json, temporary_name
from ..store.names import is_name

INCOMING, ANSWERS, BOARD, RELEASED = "incoming", "answers", "board.json", "released-"
LARGEST = 1 << 28  # bytes of a submission
LONGEST_LOG = 1 << 20  # bytes, from its end
NAME = "[0-9a-f]{32}"
# Of an account that has handed in so many that were not scored, in so many seconds, the referee reads no more.
MOST_UNSCORED, UNSCORED_WITHIN = 60, 3600.0
_SILENCE = 60.0  # seconds, in which a referee that was killed begins again
_LONGEST_LINE = 1 << 14  # bytes, as JSON takes many times its size in memory


class OtherName(NsmlError):
    """A submission was handed in as another name: another account has linked to it, to use up its turns."""


def make_spool(spool: Path) -> None:
    """Create the folders, for the referee. NsmlError if they are another user's, who could change what is published."""
    for path, mode in ((spool, 0o755), (spool / INCOMING, 0o1733), (spool / ANSWERS, 0o711)):
        path.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or path.stat().st_uid != os.getuid():
            raise NsmlError(f"--spool: {path} belongs to another user; name a folder of your own")
        path.chmod(mode)


def account(uid: int) -> str:
    """The name of an account as the referee ranks it; `uid1001` if it has none that can be a user's."""
    with contextlib.suppress(KeyError):
        if is_name(name := pwd.getpwuid(uid).pw_name):
            return name
    return f"uid{uid}"


def hand_in(spool: Path, facts: dict[str, Any], predictions: bytes, log: bytes) -> str:
    """Put a submission into the spool; return its name, which nobody else can guess.

    Args:
        facts: `session` and `checkpoint`, the digests `code` and `model`, and for a choice `final`.
    """
    name = secrets.token_hex(16)
    header = json.dumps({"name": name, **facts, "predictions": len(predictions), "log": len(log)}).encode() + b"\n"
    incoming = spool / INCOMING
    beside = temporary_name(incoming)
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
            os.fchmod(file.fileno(), 0o644)  # whatever the umask: the referee is another user
            file.write(header + predictions + log)
            file.flush()
            os.fsync(file.fileno())
        os.rename(beside, incoming / name)
    except OSError as error:
        with contextlib.suppress(OSError):  # on a full disk it would take room, and count as one that waits
            os.unlink(beside)
        raise RunFailed(f"{incoming} cannot be written: {error.strerror}; ask the organiser") from None
    return name


def read_packet(content: bytes, name: str) -> tuple[dict[str, Any], bytes, bytes]:
    """Facts, predictions and log of a submission.

    NsmlError if it has another form, OtherName if it was handed in as another name.
    """
    line, _, rest = content.partition(b"\n")
    try:
        header = json.loads(line if len(line) <= _LONGEST_LINE else b"")
        facts = {key: header[key] for key in ("session", "checkpoint", "code", "model")}
        own_name = header["name"]
        sizes = [header["predictions"], header["log"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NsmlError("it does not begin with a line of JSON; hand it in with 'nsml submit'") from None
    # Printable, as they reach terminals and files of text.
    texts = all(isinstance(value, str) and len(value) <= 300 and value.isprintable() for value in facts.values())
    if not texts or not all(type(size) is int and size >= 0 for size in sizes) or sum(sizes) != len(rest):
        raise NsmlError("its first line does not fit what follows; hand it in with 'nsml submit'")
    if sizes[1] > LONGEST_LOG:
        raise NsmlError(f"its log has more than {LONGEST_LOG:,} bytes; hand it in with 'nsml submit'")
    if "final" in header:
        facts["final"] = header["final"] is True
    if own_name != name:
        raise OtherName("it was handed in as another name; hand it in with 'nsml submit'")
    return facts, rest[: sizes[0]], rest[sizes[0] :]


def wait_for_answer(spool: Path, name: str, seconds: float) -> dict[str, Any]:
    """What the referee answers.

    RunFailed if it says nothing in that time, in which case the submission stays in the spool and is scored later, or removed it unread.
    """
    path = spool / ANSWERS / f"{name}.json"
    until, waiting = time.monotonic() + seconds, time.monotonic()
    while True:
        with contextlib.suppress(FileNotFoundError):
            return read_published(spool, f"{ANSWERS}/{name}.json")
        now = time.monotonic()
        if os.path.lexists(spool / INCOMING / name):
            waiting = now
        if now > waiting + _SILENCE:
            raise RunFailed(
                f"the referee removed the submission unread: of this account, {MOST_UNSCORED} within an hour were refused or failed; "
                "wait up to an hour, or ask the organiser, and submit again"
            )
        if now > until:
            raise RunFailed(f"the referee has not answered in {seconds:.0f} seconds; it will, in {path}")
        time.sleep(0.2)


def read_published(spool: Path, name: str) -> dict[str, Any]:
    """A file that the referee published: of the spool's owner only. FileNotFoundError if it is missing."""
    path = spool / name
    value = read_json(path, spool, 1 << 26)
    if path.stat().st_uid != spool.stat().st_uid:
        raise Damaged(f"{path} is not the organiser's; tell him")
    return value
