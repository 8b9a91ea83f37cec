"""The size of a photograph from its first bytes, and whether its end is there, without decoding it.

The format is told by content, not by the name's ending: JPEG (ITU-T T.81), PNG (ISO/IEC 15948), BMP, TIFF 6.0 and BigTIFF, WebP,
Netpbm (PBM, PGM, PPM, PFM), JPEG 2000, AVIF, GIF, Sun raster, Radiance HDR, and DICOM where pydicom is installed.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

# What OpenCV reads, and DICOM. nsml.store.photographs has the same list for what a session is fed.
_READ = ".jpg .jpeg .jpe .jfif .jif .jfi .png .bmp .dib .tif .tiff .webp .pbm .pgm .ppm .pnm .pfm .jp2 .avif .gif .ras .sr .hdr .pic"
EXTENSIONS = frozenset([*_READ.split(), *([".dcm", ".dicom"] if find_spec("pydicom") else [])])

# T.81 table B.1: start of frame 0-15 without DHT (C4), JPG (C8) and DAC (CC).
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers that stand alone: TEM and RST0-7.
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_TAIL = 1 << 16
# The first bytes, in which the formats with a simple header say all that is asked of them.
_START = 1 << 12
_MOST_PAGES = 1000


class PhotographError(ValueError):
    """A photograph cannot be used; the message is one line that says why."""


class Header(NamedTuple):
    """What a photograph's file says of it.

    width, height: pixels as stored, before any EXIF rotation. kind: the format, "JPEG", "PNG", "TIFF" and so on. white: the highest
    value that a pixel may have, of files whose pixels have more than 8 bits or fewer values; 0 where the file does not say.
    pages: how many photographs it holds, of which the first is read. orientation: of a JPEG, as EXIF counts it, 1 to 8.
    """

    width: int
    height: int
    kind: str
    white: int = 0
    pages: int = 1
    orientation: int = 1


def read_header(source: Path | bytes) -> Header:
    """The header of a photograph.

    `source` is a file's path or its content. A few kilobytes are read: the header and the end. PhotographError where
    the file cannot be read, is no regular file, is empty, is no photograph, is zero pixels wide or high, or ends too early.
    """
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), len(source))
    try:
        # A named pipe would block whoever opens it.
        if not stat.S_ISREG(source.stat().st_mode):
            raise PhotographError("not a regular file")
        with source.open("rb") as stream:
            return _read(stream, os.fstat(stream.fileno()).st_size)
    except OSError as error:
        raise PhotographError(error.strerror or str(error)) from error


def _read(stream: BinaryIO, length: int) -> Header:
    if length == 0:
        raise PhotographError("the file is empty")
    start = stream.read(_START)
    try:
        if start.startswith(b"\xff\xd8"):
            header = _read_jpeg(stream, length)
        elif start.startswith(b"\x89PNG\r\n\x1a\n"):
            header = _read_png(stream, start, length)
        elif start.startswith(b"BM"):
            header = _read_bmp(start, length)
        elif start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            header = _read_tiff(stream, start, length)
        elif start[:4] == b"RIFF" and start[8:12] == b"WEBP":
            header = _read_webp(start, length)
        elif re.match(rb"P[1-6Ff]\s", start):
            header = _read_netpbm(start, length)
        elif start[4:8] == b"jP  ":
            header = _read_jp2(stream, start, length)
        elif start[4:8] == b"ftyp" and b"avif" in start[8 : struct.unpack(">I", start[:4])[0]]:
            header = _read_avif(stream, start, length)
        elif start[:6] in (b"GIF87a", b"GIF89a"):
            header = _read_gif(stream, start, length)
        elif start.startswith(b"\x59\xa6\x6a\x95"):
            header = _read_sun_raster(start, length)
        elif start.startswith((b"#?RADIANCE", b"#?RGBE")):
            header = _read_radiance(start)
        elif start[128:132] == b"DICM":
            header = _read_dicom(stream)
        else:
            raise PhotographError("not a JPEG, PNG, TIFF or other photograph that can be read")
    except (struct.error, IndexError) as error:
        raise PhotographError("truncated: it ends inside its header") from error
    if header.width <= 0 or header.height <= 0:
        raise PhotographError(f"{header.width}x{header.height} pixels: there is nothing in it")
    return header


def _read_jpeg(stream: BinaryIO, length: int) -> Header:
    stream.seek(2)
    size: tuple[int, int] | None = None
    orientation = 1
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
        if code == 0xE1 and segment > 8:
            content = stream.read(segment - 2)
            orientation = _orientation(content[6:]) if content.startswith(b"Exif\0\0") else orientation
        else:
            stream.seek(segment - 2, os.SEEK_CUR)
        if stream.read(1)[0] != 0xFF:
            raise PhotographError("damaged: a marker is missing from its header")
    if size is None:
        raise PhotographError("damaged: it has no frame header")
    # Within a scan every FF is followed by 00 or a restart marker, so FF D9 after its start can only be the end; what
    # some cameras append behind the end does no harm.
    scan = stream.tell()
    if not _ends_with(b"\xff\xd9", stream, length, scan):
        stream.seek(scan)
        if b"\xff\xd9" not in stream.read():
            raise PhotographError("truncated: it has no end-of-image marker")
    return Header(*size, "JPEG", orientation=orientation)


def _orientation(exif: bytes) -> int:
    """Tag 274 of EXIF's first directory, which is built as a TIFF file; 1, upright, where it says nothing that makes sense."""
    try:
        found = _Directory.first(io.BytesIO(exif), exif[:16]).value(274, 1)
    except (struct.error, IndexError, PhotographError):
        return 1
    return found if 1 <= found <= 8 else 1


def _ends_with(mark: bytes, stream: BinaryIO, length: int, least: int = 0) -> bool:
    stream.seek(max(least, length - _TAIL))
    return mark in stream.read()


def _read_png(stream: BinaryIO, start: bytes, length: int) -> Header:
    width, height, depth = struct.unpack(">IIB", start[16:25])
    if not _ends_with(b"IEND", stream, length):
        raise PhotographError("truncated: it has no IEND chunk")
    white, position = 0, 8
    while depth == 16 and len(start) >= position + 12 and start[position + 4 : position + 8] not in (b"PLTE", b"IDAT"):
        (size,) = struct.unpack_from(">I", start, position)
        if start[position + 4 : position + 8] == b"sBIT":
            white = 2 ** min(16, max(start[position + 8 : position + 8 + min(size, 3)], default=0)) - 1
        position += size + 12
    return Header(width, height, "PNG", white)


def _read_bmp(start: bytes, length: int) -> Header:
    declared, _, _, header = struct.unpack("<IIII", start[2:18])
    width, height = struct.unpack("<HH", start[18:22]) if header == 12 else struct.unpack("<ii", start[18:26])
    if declared > length:
        raise PhotographError(f"truncated: {length} of {declared} bytes")
    return Header(abs(width), abs(height), "BMP")


class _Directory:
    """A directory of a TIFF or BigTIFF file: `entries` by tag, each its kind, its number of values and its field, and where the next is."""

    def __init__(self, stream: BinaryIO, order: str, big: bool, position: int) -> None:
        self.stream, self.order, self.big = stream, order, big
        count, entry, offset = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
        self._seek(position)
        (number,) = self._unpack(count)
        if number > 0xFFFF:
            raise PhotographError("damaged: its directory is too long")
        self.entries: dict[int, tuple[int, int, bytes]] = {}
        for _ in range(number):
            tag, kind, values, field = self._unpack(entry)
            self.entries[tag] = kind, values, field
        # The last one may end with the file.
        following = stream.read(struct.calcsize(order + offset))
        self.next = int.from_bytes(following, "little" if order == "<" else "big")

    @classmethod
    def first(cls, stream: BinaryIO, start: bytes) -> _Directory:
        order = "<" if start[:2] == b"II" else ">"
        big = b"+" in start[2:4]
        (position,) = struct.unpack(order + "Q", start[8:16]) if big else struct.unpack(order + "I", start[4:8])
        return cls(stream, order, big, position)

    def value(self, tag: int, default: int = 0) -> int:
        """The last of a tag's whole numbers; up to four bytes of them, in BigTIFF eight, stand in the entry itself."""
        if tag not in self.entries:
            return default
        kind, number, field = self.entries[tag]
        letter = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind, "I")
        width = struct.calcsize("=" + letter)
        if number * width > len(field):
            self._seek(struct.unpack(self.order + ("Q" if self.big else "I"), field)[0] + (number - 1) * width)
            return int(self._unpack(letter)[0])
        return int(struct.unpack(self.order + letter, field[max(0, number - 1) * width :][:width])[0])

    def _seek(self, position: int) -> None:
        try:
            self.stream.seek(position)
        except (OverflowError, ValueError, OSError) as error:
            raise PhotographError("damaged: it points outside of itself") from error

    def _unpack(self, what: str) -> tuple[Any, ...]:
        return struct.unpack(self.order + what, self.stream.read(struct.calcsize(self.order + what)))


def _read_tiff(stream: BinaryIO, start: bytes, length: int) -> Header:
    directory = _Directory.first(stream, start)
    if 256 not in directory.entries or 257 not in directory.entries:
        raise PhotographError("damaged: its size is missing")
    # Where the last strip or tile of pixels starts, and how long it is.
    for offsets, lengths in ((273, 279), (324, 325)):
        if directory.value(offsets) + directory.value(lengths) > length:
            raise PhotographError("truncated: pixels are missing at its end")
    # OpenCV scales pixels of 9 to 15 bits up to 16. Of those of 16 nobody knows how many bits are used.
    white = 65535 if 8 < directory.value(258, 1) < 16 else 0
    pages, page, seen = 1, directory, {0}
    while page.next not in seen and pages < _MOST_PAGES:
        seen.add(page.next)
        try:
            page = _Directory(stream, page.order, page.big, page.next)
        except (struct.error, PhotographError):
            break
        # Bit 0 of tag 254: a smaller copy of another page.
        pages += not page.value(254) & 1
    return Header(directory.value(256), directory.value(257), "TIFF", white, pages)


def _read_webp(start: bytes, length: int) -> Header:
    (size,) = struct.unpack("<I", start[4:8])
    if size + 8 > length:
        raise PhotographError(f"truncated: {length} of {size + 8} bytes")
    if start[12:16] == b"VP8X":
        width, height = (int.from_bytes(start[at : at + 3], "little") + 1 for at in (24, 27))
    elif start[12:16] == b"VP8L":
        (bits,) = struct.unpack("<I", start[21:25])
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", start[26:30]))
    return Header(width, height, "WebP")


def _read_netpbm(start: bytes, length: int) -> Header:
    found = re.match(rb"P(.)\s+(\d{1,9})\s+(\d{1,9})\s+(?:(-?[\d.]+)\s)?", re.sub(rb"#[^\n]*", b"", start))
    if found is None:
        raise PhotographError("truncated: it ends inside its header")
    kind, width, height = found[1], int(found[2]), int(found[3])
    white = int(found[4]) if kind in b"2356" and found[4] and found[4].isdigit() else 255
    # What follows the header of the binary kinds is nothing but pixels; of the kinds in text, at least a digit each.
    row = {b"4": (width + 7) // 8, b"6": 3 * width, b"F": 12 * width, b"f": 4 * width}.get(kind, width)
    if height * row * (2 if white > 255 and kind in b"56" else 1) > length:
        raise PhotographError("truncated: pixels are missing at its end")
    # Programs that save 16 bits write 65535, however many of them are used.
    return Header(width, height, "Netpbm", 0 if white in (255, 65535) else white)


def _read_jp2(stream: BinaryIO, start: bytes, length: int) -> Header:
    height, width, _, depth = struct.unpack_from(
        ">IIHB", start, start.index(b"ihdr") + 4 if b"ihdr" in start else length
    )
    if not _ends_with(b"\xff\xd9", stream, length):
        raise PhotographError("truncated: it has no end-of-codestream marker")
    bits = (depth & 0x7F) + 1
    return Header(width, height, "JPEG 2000", 2**bits - 1 if 8 < bits < 16 else 0)


def _read_avif(stream: BinaryIO, start: bytes, length: int) -> Header:
    sizes = [struct.unpack_from(">II", start, found.end() + 4) for found in re.finditer(b"ispe", start)]
    if not sizes:
        raise PhotographError("damaged: its size is missing")
    position = 0
    while position < length:
        stream.seek(position)
        (size,) = struct.unpack(">I", stream.read(8)[:4])
        if size == 1:
            (size,) = struct.unpack(">Q", stream.read(8))
        position = position + size if size >= 8 else length
    if position > length:
        raise PhotographError(f"truncated: {length} of {position} bytes")
    # A preview, or what is transparent, has a size of its own.
    width, height = max(sizes)
    return Header(width, height, "AVIF")


def _read_gif(stream: BinaryIO, start: bytes, length: int) -> Header:
    stream.seek(max(0, length - _TAIL))
    if not stream.read().rstrip(b"\0").endswith(b";"):
        raise PhotographError("truncated: it has no trailer")
    width, height = struct.unpack("<HH", start[6:10])
    return Header(width, height, "GIF")


def _read_sun_raster(start: bytes, length: int) -> Header:
    width, height, _, pixels = struct.unpack(">IIII", start[4:20])
    if pixels > length:
        raise PhotographError("truncated: pixels are missing at its end")
    return Header(width, height, "Sun raster")


def _read_radiance(start: bytes) -> Header:
    found = re.search(rb"\n[-+]Y (\d{1,9}) [-+]X (\d{1,9})\n", start)
    if found is None:
        raise PhotographError("damaged: its size is missing")
    return Header(int(found[2]), int(found[1]), "Radiance HDR")


def _read_dicom(stream: BinaryIO) -> Header:
    try:
        import pydicom
    except ImportError:
        raise PhotographError("a DICOM file; pip install pydicom to read it") from None
    stream.seek(0)
    try:
        found = pydicom.dcmread(stream, stop_before_pixels=True)
        pages = int(found.get("NumberOfFrames") or 1)
        return Header(int(found.Columns), int(found.Rows), "DICOM", 2 ** int(found.BitsStored) - 1, pages)
    except Exception as error:  # there is no telling what a damaged one raises
        raise PhotographError(f"damaged: {' '.join(str(error).split())[:200]}") from error
