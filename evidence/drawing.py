"""A diagram in several formats: PNG for a page, PDF and SVG for a thesis. Drawn without a window and without Matplotlib's global state."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import sys
import warnings
from collections.abc import Sequence

from matplotlib.figure import Figure as Canvas
from matplotlib.font_manager import findSystemFonts, fontManager

KINDS = ("png", "pdf", "svg")
# Without a date and without random names, so that the same figures give the same file.
_UNDATED = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
_WITH_HANGUL = ("NanumGothic", "Noto Sans CJK KR", "Noto Sans CJK JP", "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo",
                "AppleGothic", "UnDotum", "Baekmuk Gulim", "Baekmuk Dotum")  # fmt: skip
_said: set[str] = set()


def _family() -> list[str]:
    """Matplotlib's usual font, and for letters that it lacks the first installed one of _WITH_HANGUL."""
    known = {font.name for font in fontManager.ttflist}
    if not known.intersection(_WITH_HANGUL):
        # Matplotlib keeps a list of fonts, which those installed since are not in.
        for path in {*findSystemFonts()} - {font.fname for font in fontManager.ttflist}:
            with contextlib.suppress(Exception):  # as Matplotlib does where a font cannot be read
                fontManager.addfont(path)
        known = {font.name for font in fontManager.ttflist}
    return ["sans-serif", *[name for name in _WITH_HANGUL if name in known][:1]]


STABLE = {
    "svg.hashsalt": "fundus",
    "pdf.fonttype": 42,  # letters stay text, which journals ask for
    "font.family": _family(),
}


def draw(canvas: Canvas, kinds: Sequence[str] = KINDS) -> dict[str, bytes]:
    """The content of a file of each of `kinds`. Within `rc_context(STABLE)`, the same canvas gives the same."""
    drawn = {}
    logging.getLogger("fontTools.subset").setLevel(logging.ERROR)  # it names the tables that a PDF's font goes without
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # Laid out once: each format would do it again, and draw twice for it.
        if layout := canvas.get_layout_engine():
            layout.execute(canvas)
            canvas.set_layout_engine("none")
        for kind in kinds:
            stream = io.BytesIO()
            canvas.savefig(stream, format=kind, metadata=_UNDATED[kind])
            drawn[kind] = stream.getvalue()
    for warning in caught:
        if missing := re.match(r"Glyph (\d+) .* missing from", str(warning.message)):
            _say_missing(chr(int(missing[1])))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return drawn


def _say_missing(letter: str) -> None:
    """Once for all diagrams."""
    if not _said:
        fix = "apt-get install fonts-nanum" if "가" <= letter <= "힣" else "install a font that has it"
        print(f"no installed font has {letter!r}, which the diagrams show as a box; {fix}", file=sys.stderr, flush=True)
    _said.add(letter)
