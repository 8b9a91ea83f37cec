"""The audit as one HTML page with small pictures."""

from __future__ import annotations

from pathlib import Path

import cv2

from dataprep.header import PhotographError, read_content

from ..html_page import document, image, table, text, write_private
from .findings import Audit, Finding
from .measure import decode
from .table import FLOOR, torn

NAME = "audit.html"
_SHOWN = 12  # groups of each finding
_IN_A_GROUP = 6  # pictures
_SIDE = 128  # pixels of a picture's longer side

_STYLE = """
h3 { margin: 1.5rem 0 0 } h3.warning::before { content: "! "; color: #b00 }
.groups { display: flex; flex-wrap: wrap; gap: .6rem } .group { display: flex; gap: .2rem; padding: .2rem; background: #f3f3f3 }
figure { width: 128px; font-size: 11px; overflow-wrap: anywhere }
img { display: block; width: 128px; height: 128px; object-fit: contain; background: #000 }
.none { width: 128px; height: 128px; background: #ddd; display: flex; align-items: center; justify-content: center }
"""


def write_page(audit: Audit, folder: Path) -> Path:
    """Write the page to the folder and return its path. Raises OSError if that fails."""
    target = folder / NAME
    write_private(target, page(audit).encode())
    return target


def page(audit: Audit) -> str:
    """The whole page. All text from the dataset is escaped."""
    classes = [("class", "photographs", "patients", "eyes")]
    classes += [(row.name, str(row.photographs), str(row.patients), str(row.eyes)) for row in audit.classes]
    names = [row.name for row in audit.classes[:-1]]  # the last row is of all
    parts = [
        *[f"<p>Note: {text(note)}</p>" for note in audit.notes],
        "<h2>Photographs</h2>",
        table(classes),
        f"<p>{audit.test_photographs} test photographs.</p>" if audit.test_photographs else "",
    ]
    for kind, values in audit.kinds.items():
        rows = [(kind, *names)]
        rows += [(value, *(str(counts[name]) for name in names)) for value, counts in values.items()]
        parts.append(table(rows[:41]))
        parts.append(f"<p>And {len(rows) - 41} more.</p>" if len(rows) > 41 else "")
    parts += ["<h2>The shortcut probe</h2>", _probes(audit), "<h2>Findings</h2>"]
    parts += [_finding(finding) for finding in audit.findings]
    parts += ["<h2>A split of the files at random</h2>", f"<p>{text(' '.join(torn(audit)))}</p>"]
    return document(f"Audit of {audit.folder}", parts, _STYLE)


def picture(path: Path) -> bytes | None:
    """A small JPEG of a photograph, without its metadata; None if it cannot be read."""
    try:
        shown = decode(read_content(path), least=_SIDE)
    except PhotographError:
        return None
    scale = _SIDE / max(shown.shape[:2])
    size = max(1, round(shown.shape[1] * scale)), max(1, round(shown.shape[0] * scale))
    written, content = cv2.imencode(
        ".jpg", cv2.resize(shown, size, interpolation=cv2.INTER_AREA), [cv2.IMWRITE_JPEG_QUALITY, 80]
    )
    return content.tobytes() if written else None


def _probes(audit: Audit) -> str:
    if not audit.probes:
        return "<p>Not possible here.</p>"
    rows = [
        ("", "accuracy", "balanced accuracy", "AUC"),
        ("guessing the largest class", f"{audit.largest:.3f}", "", ""),
    ]
    for name, probe in audit.probes.items():
        rows.append((name, str(probe.accuracy), str(probe.balanced), str(probe.auc)))
    explanation = (
        "A logistic regression with classes weighted alike, on means and deviations of the three colours of the whole photograph, "
        "and on its size, aspect and borders; 5 folds by patient; 95 % intervals by bootstrap over patients."
    )
    return f"{table(rows)}<p>{explanation} <strong>{FLOOR}</strong></p>"


def _finding(finding: Finding) -> str:
    warning = ' class="warning"' if finding.warning and finding.count else ""
    head = f"<h3{warning}>{text(finding.name)}: {finding.count} {finding.counted}</h3><p>{text(finding.meaning)}</p>"
    groups = "".join(
        f'<div class="group">{"".join(map(_figure, group[:_IN_A_GROUP]))}</div>' for group in finding.groups[:_SHOWN]
    )
    more = f"<p>And {finding.count - _SHOWN} more.</p>" if finding.count > _SHOWN else ""
    return f'{head}<div class="groups">{groups}</div>{more}' if groups else head


def _figure(path: Path) -> str:
    content = picture(path)
    shown = '<div class="none">cannot be read</div>' if content is None else image(content, "jpeg")
    return f"<figure>{shown}{text(f'{path.parent.name}/{path.name}')}</figure>"
