"""A diagram in several formats: PNG for a page, PDF and SVG for a thesis. Drawn without a window and without Matplotlib's global state."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

from matplotlib.figure import Figure as Canvas

KINDS = ("png", "pdf", "svg")
# Without a date and without random names, so that the same figures give the same file.
_UNDATED = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
STABLE = {"svg.hashsalt": "fundus", "pdf.fonttype": 42}  # 42: letters stay text, which journals ask for


def draw(canvas: Canvas, kinds: Sequence[str] = KINDS) -> dict[str, bytes]:
    """The content of a file of each of `kinds`. Within `rc_context(STABLE)`, the same canvas gives the same."""
    drawn = {}
    with warnings.catch_warnings():
        # Matplotlib draws letters that its font does not have as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # Laid out once: each format would do it again, and draw twice for it.
        if layout := canvas.get_layout_engine():
            layout.execute(canvas)
            canvas.set_layout_engine("none")
        for kind in kinds:
            stream = io.BytesIO()
            canvas.savefig(stream, format=kind, metadata=_UNDATED[kind])
            drawn[kind] = stream.getvalue()
    return drawn
