"""The size of a photograph from its first bytes, and whether its end is there, without decoding it.

JPEG (ITU-T T.81), PNG (ISO/IEC 15948), BMP and TIFF 6.0 are told apart by content, not by the name's extension.
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import BinaryIO

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})

# T.81 table B.1: start of frame 0-15 without DHT (C4), JPG (C8) and DAC (CC).
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers that stand alone: TEM and RST0-7.
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_TAIL = 1 << 16


class PhotographError(ValueError):
    """A photograph cannot be used; the message is one line that says why."""


def read_header(source: Path | bytes) -> tuple[int, int, str]:
    """Width and height in pixels as stored (before any EXIF rotation) and the format, "JPEG", "PNG", "BMP" or "TIFF".

    `source` is a file's path or its content. A few kilobytes are read: the header and the end. PhotographError where
    the file cannot be read, is empty, is no photograph, is zero pixels wide or high, or ends too early.
    """
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), len(source))
    try:
        with source.open("rb") as stream:
            return _read(stream, os.fstat(stream.fileno()).st_size)
    except OSError as error:
        raise PhotographError(error.strerror or str(error)) from error


def _read(stream: BinaryIO, length: int) -> tuple[int, int, str]:
    if length == 0:
        raise PhotographError("the file is empty")
    start = stream.read(32)
    try:
        if start.startswith(b"\xff\xd8"):
            width, height, kind = *_read_jpeg(stream, length), "JPEG"
        elif start.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height, kind = *_read_png(stream, start, length), "PNG"
        elif start.startswith(b"BM"):
            width, height, kind = *_read_bmp(start, length), "BMP"
        elif start[:4] in (b"II*\0", b"MM\0*"):
            width, height, kind = *_read_tiff(stream, start, length), "TIFF"
        else:
            raise PhotographError("not a JPEG, PNG, BMP or TIFF file")
    except (struct.error, IndexError) as error:
        raise PhotographError("truncated: it ends inside its header") from error
    if width == 0 or height == 0:
        raise PhotographError(f"{width}x{height} pixels: there is nothing in it")
    return width, height, kind


def _read_jpeg(stream: BinaryIO, length: int) -> tuple[int, int]:
    stream.seek(2)
    size: tuple[int, int] | None = None
    while True:
        marker = stream.read(1)
        while marker == b"\xff":
            marker = stream.read(1)
        code = marker[0]
        if code in _WITHOUT_LENGTH:
            stream.seek(1, os.SEEK_CUR)
            continue
        if code == 0xD9:
            raise PhotographError("damaged: it ends before its first scan")
        (segment,) = struct.unpack(">H", stream.read(2))
        if code in _START_OF_FRAME:
            height, width = struct.unpack(">xHH", stream.read(5))
            size = width, height
            segment -= 5
        if code == 0xDA:
            break
        stream.seek(segment - 2, os.SEEK_CUR)
        if stream.read(1)[0] != 0xFF:
            raise PhotographError("damaged: a marker is missing from its header")
    if size is None:
        raise PhotographError("damaged: it has no frame header")
    # Within a scan every FF is followed by 00 or a restart marker, so FF D9 after its start can only be the end; what
    # some cameras append behind the end does no harm.
    scan = stream.tell()
    stream.seek(max(scan, length - _TAIL))
    if b"\xff\xd9" not in stream.read():
        stream.seek(scan)
        if b"\xff\xd9" not in stream.read():
            raise PhotographError("truncated: it has no end-of-image marker")
    return size


def _read_png(stream: BinaryIO, start: bytes, length: int) -> tuple[int, int]:
    width, height = struct.unpack(">II", start[16:24])
    stream.seek(max(0, length - _TAIL))
    if b"IEND" not in stream.read():
        raise PhotographError("truncated: it has no IEND chunk")
    return width, height


def _read_bmp(start: bytes, length: int) -> tuple[int, int]:
    declared, _, _, header = struct.unpack("<IIII", start[2:18])
    width, height = struct.unpack("<HH", start[18:22]) if header == 12 else struct.unpack("<ii", start[18:26])
    if declared > length:
        raise PhotographError(f"truncated: {length} of {declared} bytes")
    return abs(width), abs(height)


def _read_tiff(stream: BinaryIO, start: bytes, length: int) -> tuple[int, int]:
    order = "<" if start[:2] == b"II" else ">"
    stream.seek(struct.unpack(order + "I", start[4:8])[0])
    (count,) = struct.unpack(order + "H", stream.read(2))
    entries: dict[int, tuple[int, int, bytes]] = {}
    for _ in range(count):
        tag, kind, number, value = struct.unpack(order + "HHI4s", stream.read(12))
        entries[tag] = kind, number, value
    if 256 not in entries or 257 not in entries:
        raise PhotographError("damaged: its size is missing")
    # Tags 273 and 279: where each strip of pixels starts and how long it is.
    if 273 in entries and 279 in entries:
        end = _last_value(stream, order, *entries[273]) + _last_value(stream, order, *entries[279])
        if end > length:
            raise PhotographError("truncated: pixels are missing at its end")
    return _last_value(stream, order, *entries[256]), _last_value(stream, order, *entries[257])


def _last_value(stream: BinaryIO, order: str, kind: int, number: int, value: bytes) -> int:
    """The last of an entry's numbers, 16-bit (kind 3) or 32-bit; up to four bytes of them stand in the entry itself."""
    letter, width = ("H", 2) if kind == 3 else ("I", 4)
    if number * width > 4:
        stream.seek(struct.unpack(order + "I", value)[0] + (number - 1) * width)
        value = stream.read(width)
    else:
        value = value[max(0, number - 1) * width :][:width]
    return int(struct.unpack(order + letter, value)[0])
