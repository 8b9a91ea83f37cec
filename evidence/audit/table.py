"""The audit as a short table for a terminal, at most 100 columns wide."""

from __future__ import annotations

import unicodedata
from collections import Counter

from dataprep.split import columns, padded

from .findings import Audit, Finding

WIDTH = 100
FLOOR = "A network below the best AUC above has learned nothing about lesions."
_VALUES = 4  # sizes and cameras that are listed


def table(audit: Audit) -> str:
    """The table as text, without a final line break."""
    lines = [clean(str(audit.folder)), f"{'class':<20}{'photographs':>12}{'patients':>10}{'eyes':>8}"]
    lines += [f"{padded(row.name, 20)}{row.photographs:>12}{row.patients:>10}{row.eyes:>8}" for row in audit.classes]
    if audit.test_photographs:
        lines.append(f"{'test':<20}{audit.test_photographs:>12}")
    lines.append("")
    for kind, values in audit.kinds.items():
        for value, counts in list(values.items())[:_VALUES]:
            lines.append(f"{kind:<10}{clean(value)}: {by_class(counts)}")
        if len(values) > _VALUES:
            lines.append(f"{kind:<10}and {len(values) - _VALUES} more")
    lines.append("")
    lines += [_finding(finding) for finding in audit.findings]
    lines += ["", *torn(audit), "", *_probes(audit)]
    notes = [line for note in audit.notes for line in _wrapped(f"note: {clean(note)}")]
    return "\n".join([*map(fit, lines), *notes])


def torn(audit: Audit) -> list[str]:
    """How many patients a random split of the files would put on both sides, in three lines."""
    patients = audit.patients
    return [
        "Splitting files at random, a fifth for validation, would put on both sides, on average:",
        f"{patients.torn_patients:.1f} patients, and {patients.torn_eyes:.1f} eyes with several photographs. "
        f"Of its validation photographs, {patients.seen_before:.0%}",
        "would be of patients who are in training too. The recipe's split puts no patient on both sides.",
    ]


def by_class(counts: Counter[str]) -> str:
    """Counts by class in words."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def clean(text: str) -> str:
    """The text with composed letters, and "?" for control and unprintable characters, which file names may contain."""
    return "".join(letter if letter.isprintable() else "?" for letter in unicodedata.normalize("NFC", text))


def fit(line: str) -> str:
    """The line, cut to WIDTH columns."""
    if columns(line) <= WIDTH:
        return line
    while columns(line) > WIDTH - 3:
        line = line[:-1]
    return f"{line}..."


def _wrapped(note: str) -> list[str]:
    """A note in lines of WIDTH columns: it is not cut, as it ends with the fix."""
    lines = []
    while columns(note) > WIDTH:
        end = next(end for end in range(WIDTH, 0, -1) if columns(note[:end]) <= WIDTH)
        blank = note.rfind(" ", 10, end + 1)
        end = blank if blank > 0 else end
        lines.append(note[:end])
        note = f"      {note[end:].strip()}"
    return [*lines, note]


def _finding(finding: Finding) -> str:
    mark = "!" if finding.warning and finding.count else " "
    # Pairs are copies; other groups are not.
    between = " = " if finding.unit == "pairs" else " + "
    names = [between.join(clean(path.name) for path in group) for group in finding.groups[:3]]
    more = [", ..."] if finding.count > 3 else []
    return (
        f"{mark} {finding.name:<23}{finding.count:>6} {finding.counted:<13}{', '.join(names)}{''.join(more)}".rstrip()
    )


def _probes(audit: Audit) -> list[str]:
    if not audit.probes:
        return ["shortcut probe: not possible here"]
    heads = ("accuracy", "balanced accuracy", "AUC")
    lines = [f"{'shortcut probe':<28}" + "".join(f"{head:<24}" for head in heads).rstrip()]
    lines.append(f"{'guessing the largest class':<28}{audit.largest:<24.3f}")
    for name, probe in audit.probes.items():
        lines.append(
            f"{name:<28}"
            + "".join(f"{figure!s:<24}" for figure in (probe.accuracy, probe.balanced, probe.auc)).rstrip()
        )
    return [line.rstrip() for line in lines] + ["Folds: 5, by patient. Intervals: 95 %, over patients.", FLOOR]
