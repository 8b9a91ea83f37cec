"""Recognise photographs by their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

# Formats of OpenCV, and DICOM if pydicom is installed.
_READ = ".jpg .jpeg .jpe .jfif .jif .jfi .png .bmp .dib .tif .tiff .webp .pbm .pgm .ppm .pnm .pfm .jp2 .avif .gif .ras .sr .hdr .pic"
ENDINGS = frozenset([*_READ.split(), *([".dcm", ".dicom"] if find_spec("pydicom") else [])])
# Files that the Windows Explorer writes; macOS hides its own by a dot.
_SYSTEM = frozenset({"thumbs.db", "desktop.ini"})
_LABELS = re.compile(
    r"(hidden|private|public|test|true|val)?(data|set)?(labels?|answers?|groundtruths?|gt|solutions?|y)(hidden|test)?"
)


def is_photograph(path: Path) -> bool:
    """Whether the name has the ending of a photograph (ignoring case) and is not hidden."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def left_by_a_system(name: str) -> bool:
    """Whether a file is hidden, or written by the Windows Explorer."""
    return name.startswith(".") or name.lower() in _SYSTEM


def looks_like_labels(name: str) -> bool:
    """Whether a file or folder of a test set is called as labels are: `test_label.csv`, `y_test.npy`, `Ground Truth/`."""
    path = Path(name.lower())
    return path.suffix not in ENDINGS and bool(_LABELS.fullmatch(re.sub(r"[\W_]", "", path.stem)))


def count_endings(paths: Iterable[Path]) -> str:
    """ ".dcm 3, .gif 1, without an ending 2", most frequent first."""
    endings = Counter(path.suffix.lower() or "without an ending" for path in paths)
    counts = ", ".join(f"{ending} {count}" for ending, count in endings.most_common(8))
    return f"{counts} and {len(endings) - 8} more endings" if len(endings) > 8 else counts
