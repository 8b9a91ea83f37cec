"""Times, sizes and values for people, and text that is safe to print."""

from __future__ import annotations

import contextlib
import math
import os
import re
import sys
import time
import unicodedata
from typing import Any

from .errors import NsmlError

LONGEST = 1000 * 365 * 86400.0  # seconds of a duration that a user gives
_LONGEST = 80  # letters of a value in a table: a program may report a whole image


def say(text: str, descriptor: int = 1) -> None:
    """Print to stdout, or with 2 to stderr, also where the program has closed that or put something in its place that fails."""
    stream = sys.stderr if descriptor == 2 else sys.stdout
    try:
        print(text, file=stream)
    except Exception:
        with contextlib.suppress(OSError):
            os.write(descriptor, f"{text}\n".encode(errors="backslashreplace"))
    with contextlib.suppress(Exception):
        stream.flush()


def ago(moment: float) -> str:
    """ "3 minutes ago", for seconds since the epoch."""
    return "just now" if (passed := time.time() - moment) < 1 else f"{duration(passed)} ago"


def duration(seconds: float) -> str:
    """ "45 seconds", "3 minutes", "2 hours", "5 days": in the largest unit that gives at least 1."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' * (count != 1)}"
    return f"{seconds:.0f} second{'s' * (f'{seconds:.0f}' != '1')}"


def period(seconds: float) -> str:
    """ "8 hours", "1 hour 30 minutes", "90.5 seconds": nothing is rounded."""
    parts = []
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count = seconds if size == 1 else seconds // size
        seconds -= count * size
        if count:
            parts.append(f"{count:.10g} {unit}{'s' * (count != 1)}")
    return " ".join(parts) or "0 seconds"


def counted(count: int, noun: str) -> str:
    """ "1 session", "2,000 sessions"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def parse_duration(text: str, option: str) -> float:
    """Seconds of "90s", "30m", "1h", "2d" or "90". Anything else, and what is no less than LONGEST, is an NsmlError that names `option`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", text.lower())
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]] if match else math.inf
    if seconds >= LONGEST:
        raise NsmlError(f"{option} {text[:40]!r} is not a duration; give 90s, 30m, 1h or 2d, less than 1,000 years")
    return seconds


def size(count: float) -> str:
    """ "1.3 MB", for bytes, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def values(summary: dict[str, Any]) -> str:
    """ "step=3, val/score=71.3" """
    return ", ".join(f"{name}={_brief(value)}" for name, value in summary.items())


def number(value: Any, digits: int = 4) -> str:
    """ "0.3333", "[0.3333, 2]": a value whose floats have so many digits."""
    if isinstance(value, list):
        return f"[{', '.join(number(each, digits) for each in value)}]"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def _brief(value: Any) -> str:
    text = number(value)
    count = f" ({len(value)} items)" if isinstance(value, list | dict) else ""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 20]}…{count}"


def score(value: float) -> str:
    """ "95.0092": at most 10 decimals, without trailing zeros."""
    return f"{value:.10f}".rstrip("0").rstrip(".")


def no_formula(text: str) -> str:
    """`text`, with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def plain(text: str) -> str:
    """One line of `text`, `printable`."""
    return printable(text.replace("\n", " ").replace("\t", " "))


def printable(text: str) -> str:
    """`text` without control characters, which could steer the terminal, except newlines and tabs; backslash escapes stand for what UTF-8
    cannot encode."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c for c in text if c.isprintable() or c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf"))


def short(text: str, most: int = 300) -> str:
    """`plain`, at most so many letters of it."""
    return plain(text if len(text) <= most else f"{text[: most - 1]}…")
