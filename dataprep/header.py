"""Read the size of a photograph and check that it is complete, without decoding it.

The content decides the format, not the ending of the name: JPEG (ITU-T T.81), PNG (ISO/IEC 15948), BMP, TIFF 6.0 and BigTIFF, WebP,
Netpbm (PBM, PGM, PPM, PFM), JPEG 2000, AVIF, GIF, Sun raster, Radiance HDR, and DICOM if pydicom is installed.
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

# Formats of OpenCV, and DICOM. nsml.store.photographs has the same list for submits.
_READ = ".jpg .jpeg .jpe .jfif .jif .jfi .png .bmp .dib .tif .tiff .webp .pbm .pgm .ppm .pnm .pfm .jp2 .avif .gif .ras .sr .hdr .pic"
EXTENSIONS = frozenset([*_READ.split(), *([".dcm", ".dicom"] if find_spec("pydicom") else [])])
_LONGEST = 5  # times the shorter side

# T.81 table B.1: start of frame 0-15 without DHT (C4), JPG (C8) and DAC (CC).
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a segment: TEM and RST0-7.
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_TAIL = 1 << 16
# Bytes at the start, which contain all simple headers.
_START = 1 << 12
_MOST_PAGES = 1000


class PhotographError(ValueError):
    """A photograph cannot be used. The message is one line with the reason."""


class Header(NamedTuple):
    """Header of a photograph's file.

    width, height: pixels as stored, before EXIF rotation. kind: "JPEG", "PNG", "TIFF" and so on. white: maximum pixel value of
    files with another depth than 8 bits; 0 if unknown. pages: number of images in the file; only the first is read. orientation:
    EXIF orientation of a JPEG, 1 to 8.
    """

    width: int
    height: int
    kind: str
    white: int = 0
    pages: int = 1
    orientation: int = 1


def read_header(source: Path | bytes) -> Header:
    """Read the header of a photograph.

    `source` is a file's path or its content. Only the header and the end are read, a few kilobytes.

    Raises:
        PhotographError: the file cannot be read, is not a regular file, is empty, is not a photograph, has no pixels, or is
            truncated.
    """
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), len(source))
    try:
        _check_regular(source)
        with source.open("rb") as stream:
            return _read(stream, os.fstat(stream.fileno()).st_size)
    except OSError as error:
        raise PhotographError(error.strerror or str(error)) from error


def read_content(path: Path) -> bytes:
    """The content of a photograph's file. PhotographError if it cannot be read or is not a regular file."""
    try:
        _check_regular(path)
        return path.read_bytes()
    except OSError as error:
        raise PhotographError(error.strerror or str(error)) from error


def check_no_strip(width: int, height: int) -> None:
    """PhotographError if sides in pixels are those of no eye. A square around a long strip may not fit into memory."""
    if max(width, height) > _LONGEST * min(width, height):
        raise PhotographError(f"{width}x{height} pixels: a strip shows no eye")


def _check_regular(path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):  # opening a named pipe would block
        raise PhotographError("not a regular file")


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
        raise PhotographError(f"{header.width}x{header.height} pixels: the image is empty")
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
    # Within a scan every FF is followed by 00 or a restart marker, so FF D9 can only be the end. Some cameras append data after it.
    scan = stream.tell()
    if not _ends_with(b"\xff\xd9", stream, length, scan):
        stream.seek(scan)
        if b"\xff\xd9" not in stream.read():
            raise PhotographError("truncated: it has no end-of-image marker")
    return Header(*size, "JPEG", orientation=orientation)


def _orientation(exif: bytes) -> int:
    """EXIF orientation: tag 274 of the first directory, which is a TIFF file; 1 (upright) if missing or invalid."""
    try:
        orientation = _Directory.first(io.BytesIO(exif), exif[:16]).value(274, 1)
    except (struct.error, IndexError, PhotographError):
        return 1
    return orientation if 1 <= orientation <= 8 else 1


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
    """A directory of a TIFF or BigTIFF file. `entries`: type, number of values and value field by tag. `next`: offset of the next."""

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
        # The file may end before the offset of the next directory.
        following = stream.read(struct.calcsize(order + offset))
        self.next = int.from_bytes(following, "little" if order == "<" else "big")

    @classmethod
    def first(cls, stream: BinaryIO, start: bytes) -> _Directory:
        order = "<" if start[:2] == b"II" else ">"
        big = b"+" in start[2:4]
        (position,) = struct.unpack(order + "Q", start[8:16]) if big else struct.unpack(order + "I", start[4:8])
        return cls(stream, order, big, position)

    def value(self, tag: int, default: int = 0) -> int:
        """The last integer of a tag. Values of up to 4 bytes (8 in BigTIFF) are in the entry itself."""
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
            raise PhotographError("damaged: an offset points outside the file") from error

    def _unpack(self, what: str) -> tuple[Any, ...]:
        return struct.unpack(self.order + what, self.stream.read(struct.calcsize(self.order + what)))


def _read_tiff(stream: BinaryIO, start: bytes, length: int) -> Header:
    directory = _Directory.first(stream, start)
    if 256 not in directory.entries or 257 not in directory.entries:
        raise PhotographError("damaged: its size is missing")
    # Offset and length of the last strip or tile of pixels.
    for offsets, lengths in ((273, 279), (324, 325)):
        if directory.value(offsets) + directory.value(lengths) > length:
            raise PhotographError("truncated: pixels are missing at its end")
    # OpenCV scales pixels of 9 to 15 bits up to 16. For 16 bits, the number of used bits is unknown.
    white = 65535 if 8 < directory.value(258, 1) < 16 else 0
    pages, page, offsets_read = 1, directory, {0}
    while page.next not in offsets_read and pages < _MOST_PAGES:
        offsets_read.add(page.next)
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
    fields = re.match(rb"P(.)\s+(\d{1,9})\s+(\d{1,9})\s+(?:(-?[\d.]+)\s)?", re.sub(rb"#[^\n]*", b"", start))
    if fields is None:
        raise PhotographError("truncated: it ends inside its header")
    kind, width, height = fields[1], int(fields[2]), int(fields[3])
    white = int(fields[4]) if kind in b"2356" and fields[4] and fields[4].isdigit() else 255
    # Binary kinds have only pixels after the header; text kinds have at least one digit per value.
    row = {b"4": (width + 7) // 8, b"6": 3 * width, b"F": 12 * width, b"f": 4 * width}.get(kind, width)
    if height * row * (2 if white > 255 and kind in b"56" else 1) > length:
        raise PhotographError("truncated: pixels are missing at its end")
    # Programs write 65535 for 16 bits, however many bits are used.
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
    sizes = [struct.unpack_from(">II", start, box.end() + 4) for box in re.finditer(b"ispe", start)]
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
    # A preview or an alpha channel has a size of its own.
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
    fields = re.search(rb"\n[-+]Y (\d{1,9}) [-+]X (\d{1,9})\n", start)
    if fields is None:
        raise PhotographError("damaged: its size is missing")
    return Header(int(fields[2]), int(fields[1]), "Radiance HDR")


def _read_dicom(stream: BinaryIO) -> Header:
    try:
        import pydicom
    except ImportError:
        raise PhotographError("a DICOM file; pip install pydicom to read it") from None
    stream.seek(0)
    try:
        dataset = pydicom.dcmread(stream, stop_before_pixels=True)
        if "Columns" not in dataset or "Rows" not in dataset:
            raise PhotographError("damaged: its size is missing")
        pages = int(dataset.get("NumberOfFrames") or 1)
        return Header(int(dataset.Columns), int(dataset.Rows), "DICOM", 2 ** int(dataset.BitsStored) - 1, pages)
    except PhotographError:
        raise
    except Exception as error:  # damaged files raise many kinds of errors
        raise PhotographError(f"damaged: {' '.join(str(error).split())[:200]}") from error
