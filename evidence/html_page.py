"""HTML pages, one file each. They work offline, load no files and run no scripts."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from pathlib import Path

from dataprep.files import replacing

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
table { border-collapse: collapse; margin: .5rem 0 } td, th { padding: .15rem .8rem; text-align: right; border-bottom: 1px solid #ddd }
td:first-child, th:first-child { text-align: left; padding-left: 0 } p { margin: .2rem 0 } figure { margin: 0 }
.wide { overflow-x: auto; background:
  linear-gradient(to right, #fff 1rem, transparent) left / 3rem 100% no-repeat local,
  linear-gradient(to left, #fff 1rem, transparent) right / 3rem 100% no-repeat local,
  linear-gradient(to right, #0004, transparent) left / .8rem 100% no-repeat,
  linear-gradient(to left, #0004, transparent) right / .8rem 100% no-repeat }
td { word-break: keep-all } td + td { white-space: nowrap }
.words td, .words th { text-align: left; vertical-align: top } .words td + td { white-space: normal; overflow-wrap: anywhere }
"""


def document(title: str, parts: Iterable[str], style: str) -> str:
    """A whole page. `title` is text; `parts` are HTML in which text is already escaped."""
    head = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        # If text were ever not escaped, the browser would still load and run nothing.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">",
        f"<title>{text(title)}</title><style>{_STYLE}{style}</style></head><body>",
        f"<h1>{text(title)}</h1>",
        "<p>This page shows photographs of patients: protect it as you protect them.</p>",
    ]
    return "\n".join(part for part in (*head, *parts, "</body></html>") if part) + "\n"


def table(rows: Iterable[Iterable[str]], kind: str = "") -> str:
    """A table of texts, which scrolls sideways where it is too wide. The first row is the header. kind: "words" if it holds no numbers."""
    first, *rest = rows
    head = "".join(f"<th>{text(cell)}</th>" for cell in first)
    body = "".join("<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in rest)
    return f'<div class="wide" tabindex="0"><table class="{kind}"><tr>{head}</tr>{body}</table></div>'


def image(content: bytes, kind: str, description: str = "") -> str:
    """A picture; kind: "png" or "jpeg"."""
    return f'<img alt="{text(description)}" src="data:image/{kind};base64,{base64.b64encode(content).decode()}">'


def text(value: str) -> str:
    """Escape a text for HTML, with "?" for unprintable characters, which file names may contain."""
    return escape("".join(letter if letter.isprintable() else "?" for letter in value))


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, as it shows patients. Creates its folder. OSError if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, private=True) as temporary:
        temporary.write_bytes(content)
