"""Names of users, datasets, sessions and checkpoints, and folder names of checkpoints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..errors import NsmlError

_UNESCAPED = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


def is_name(name: str) -> bool:
    """Whether a name is valid for a user or dataset: at most 64 letters, digits, `_`, `-` and `.`, the first one no `-` or `.`."""
    return re.fullmatch(r"\w[\w.-]{0,63}", name) is not None


def check_name(name: str, what: str) -> str:
    """`name`, if valid (see `is_name`). NsmlError otherwise."""
    if not is_name(name):
        raise NsmlError(
            f"{what}: {name!r} is not a name; use up to 64 letters, digits, '_', '-' and '.', no slash or space"
        )
    return name


class SessionName(NamedTuple):
    """USER/DATASET/NUMBER."""

    user: str
    dataset: str
    number: int

    def __str__(self) -> str:
        return f"{self.user}/{self.dataset}/{self.number}"


def parse_session_name(text: str, user: str) -> SessionName:
    """`USER/DATASET/NUMBER`, or `DATASET/NUMBER` for a session of `user`. Anything else is an NsmlError."""
    parts = text.strip().strip("/").split("/")
    if len(parts) == 1 and parts[0].isdecimal():
        raise NsmlError(f"SESSION: {text!r} lacks the dataset; type DATASET/{parts[0]}, as 'nsml ps -a' shows it")
    if len(parts) == 2:
        parts = [user, *parts]
    if len(parts) != 3 or not re.fullmatch(r"[1-9][0-9]{0,8}", parts[2]):
        raise NsmlError(f"SESSION: {text!r} is not USER/DATASET/NUMBER; 'nsml ps -a' lists the sessions")
    return SessionName(check_name(parts[0], "SESSION, user"), check_name(parts[1], "SESSION, dataset"), int(parts[2]))


def encode_checkpoint(name: str) -> str:
    """A folder name for a checkpoint: unique even on a disk that ignores case, and without a slash.

    Lower-case ASCII letters, digits, `_` and `-` stay; every other byte of the UTF-8 form becomes `%xx`. A result of more than 200
    characters is cut to 120, followed by `%%` and the SHA-256 of the name.
    """
    encoded = "".join(
        chr(byte) if chr(byte) in _UNESCAPED else f"%{byte:02x}" for byte in name.encode("utf-8", "surrogatepass")
    )
    if not encoded:
        return "%"
    if len(encoded) > 200:
        import hashlib

        return f"{encoded[:120]}%%{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return encoded


def closest(name: str, known: Iterable[str]) -> str:
    """The known name that is similar, or begins so; "" if there is none."""
    import difflib

    spelled = {each.lower(): each for each in sorted(known)}
    begins = [each for each in spelled if each.startswith(name.lower())]
    return next((spelled[each] for each in begins or difflib.get_close_matches(name.lower(), spelled, n=1)), "")


def nearest(name: str, newest: Sequence[str], lists_all: str) -> str:
    """`; did you mean X?` if one of the known names, the newest first, is similar, else some of them; "" if there are none."""
    if close := closest(name, newest):
        return f"; did you mean {close}?"
    if len(newest) > 8:
        return f"; the newest are {', '.join(newest[:8])}; {lists_all} lists all"
    return f"; there are {', '.join(newest)}" if newest else ""
