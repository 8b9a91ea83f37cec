"""Terminal output as HTML: colours become classes, and a progress line keeps its last state."""

from __future__ import annotations

import re

from ansi2html import Ansi2HTMLConverter

# Escape sequences other than colours: cursor moves, titles, links. `ansi2html` handles only some.
_OTHER = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?]*[A-LN-Za-ln-z]|\x1b[()][A-Z0-9]|\x1b[=>78cDEHM]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def to_html(output: bytes) -> str:
    """HTML of whole lines of a log: `span` elements with classes for colours, everything else escaped."""
    text = output.decode(errors="replace").replace("\r\n", "\n")
    lines = [_last_state(line) for line in text.split("\n")]
    text = _CONTROL.sub("", _OTHER.sub("", "\n".join(lines)))
    converter = Ansi2HTMLConverter(inline=False, dark_bg=True, escaped=True, linkify=False, line_wrap=True)
    return str(converter.convert(text, full=False, ensure_trailing_newline=False))


def _last_state(line: str) -> str:
    """The visible text of a line with carriage returns."""
    parts = [part for part in line.split("\r") if part]
    return parts[-1] if parts else ""
