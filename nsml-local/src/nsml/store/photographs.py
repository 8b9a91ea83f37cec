"""Recognise photographs by their names."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from .files import walk

# Formats of OpenCV, and DICOM if pydicom is installed.
_READ = ".jpg .jpeg .jpe .jfif .jif .jfi .png .bmp .dib .tif .tiff .webp .pbm .pgm .ppm .pnm .pfm .jp2 .avif .gif .ras .sr .hdr .pic"
ENDINGS = frozenset([*_READ.split(), *([".dcm", ".dicom"] if find_spec("pydicom") else [])])
# Files that the Windows Explorer writes; macOS hides its own by a dot.
_SYSTEM = frozenset({"thumbs.db", "desktop.ini"})
# First bytes: JPEG, PNG, BMP, TIFF and BigTIFF, WebP, Netpbm, JPEG 2000 and AVIF, GIF, Sun raster, Radiance HDR, DICOM.
_STARTS = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|BM|II[*+]\0|MM\0[*+]|RIFF....WEBP|P[1-6Ff]\s|....(?:jP  |ftyp)|GIF8|\x59\xa6\x6a\x95|#\?|.{128}DICM",
    re.DOTALL,
)
# Marks at the end, by the first two bytes.
_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND", b"GI": b";"}
_END_OF_FRAMES = b"\xfe\xff\xdd\xe0"  # of compressed pixels in a DICOM file
_TAIL = 1 << 16
_LABELS = re.compile(
    r"(hidden|private|public|test|true|val)?(data|set)?(labels?|answers?|groundtruths?|gt|solutions?|y)(hidden|test)?"
)


def is_photograph(path: Path) -> bool:
    """Whether the name has the ending of a photograph (ignoring case) and is not hidden."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def photographs_below(folder: Path) -> list[Path]:
    """Photographs below `folder`, sorted by path; hidden files and folders are skipped. OSError if a folder cannot be read."""
    photographs = []
    for parent, folders, names in walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        photographs += [Path(parent, name) for name in names if is_photograph(Path(name))]
    return sorted(photographs)


def why_unreadable(path: Path) -> str:
    """Why a photograph cannot be decoded, from its beginning and its end; "" if these are in order. Nothing is decoded."""
    try:
        if not path.is_file():  # opening a named pipe would block
            return "missing, or not a regular file"
        with open(path, "rb") as file:
            start = file.read(132)
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            end = file.read()
    except OSError as error:
        return error.strerror or type(error).__name__
    if not start:
        return "empty"
    if not _STARTS.match(start):
        return "not a photograph"
    if start.endswith(b"DICM"):
        return _why_unreadable_dicom(path, end)
    mark = _ENDS.get(start[:2], b"")
    # Some cameras append data to a JPEG file.
    return "" if mark in end or mark in path.read_bytes() else "truncated"


def _why_unreadable_dicom(path: Path, end: bytes) -> str:
    """As `why_unreadable`: whether as many pixels follow as the header says. Programs read the first frame."""
    try:
        import pydicom

        with open(path, "rb") as file, warnings.catch_warnings(action="ignore"):
            header = pydicom.dcmread(file, stop_before_pixels=True)
            follow = os.fstat(file.fileno()).st_size - file.tell()
            is_compressed = header.file_meta.TransferSyntaxUID.is_compressed
            bits = header.Rows * header.Columns * header.SamplesPerPixel * header.BitsAllocated
    except Exception:  # whatever pydicom raises for a damaged file, or it is not installed
        return "a DICOM file that cannot be read"
    return "" if (_END_OF_FRAMES in end if is_compressed else 8 * follow >= bits > 0) else "truncated"


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
