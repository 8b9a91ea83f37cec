"""A photograph's file -> uint8 BGR pixels, for all formats and depths; NumPy and OpenCV are imported at the first call."""

from __future__ import annotations

import io
import re
import struct
from typing import Any


def read_pixels(content: bytes) -> Any:
    """Decode a photograph: uint8 BGR (height, width, 3), with EXIF orientation applied; None if it cannot be decoded.

    Pixels of more than 8 bits are scaled: the highest value that the file says they may have becomes 255. Where it says none, or a
    lower one than they have, that value is 1 for fractions, 65535 for 8 bits that were scaled to 16, else the first of 255, 511,
    1023 ... that no pixel exceeds, as cameras of 10 to 14 bits save their pixels as they are in files of 16.
    """
    import cv2
    import numpy

    if content[128:132] == b"DICM":
        image, white = _read_dicom(content)
    else:
        encoded, white = numpy.frombuffer(content, numpy.uint8), _white(content)
        by_itself = content.startswith(
            (b"\xff\xd8", b"#?")
        )  # JPEG has 8 bits, and OpenCV knows what Radiance HDR means
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the caller says what is unreadable
        try:
            image = cv2.imdecode(encoded, cv2.IMREAD_COLOR | (0 if by_itself else cv2.IMREAD_ANYDEPTH))
            if image is None:  # grey TIFF files of 32 bits are read in no other way
                image = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
        except cv2.error:
            return None
        finally:
            cv2.utils.logging.setLogLevel(level)
    if image is None:
        return None
    if image.dtype != numpy.uint8 or white:
        fractions = image.dtype.kind == "f"
        if image.dtype != numpy.uint8 and image.dtype != numpy.uint16:
            image = numpy.maximum(numpy.nan_to_num(image.astype(numpy.float32), posinf=0), 0)
        elif image.dtype == numpy.uint16 and not white and _are_scaled_bytes(image):
            white = 65535
        highest = float(image.max())
        if fractions and highest < 2:  # they may overshoot a little
            white = 1
        elif not white or highest > white:
            white = 2 ** max(8, int(highest).bit_length()) - 1
        image = cv2.convertScaleAbs(image, alpha=255 / white)
    if image.ndim == 2 or image.shape[2] == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return numpy.ascontiguousarray(image[..., :3])


def _are_scaled_bytes(image: Any) -> bool:
    """Whether all values are those of 8 bits times 256 or 257."""
    return not (image % 256).any() or not (image % 257).any()


def _white(content: bytes) -> int:
    """The highest value that a pixel may have, of files of more than 8 bits or fewer values; 0 where the file does not say."""
    start = content[:4096]
    try:
        if start.startswith(b"\x89PNG") and start[24] == 16:
            position = 8
            while start[position + 4 : position + 8] not in (b"PLTE", b"IDAT", b""):
                (size,) = struct.unpack_from(">I", start, position)
                if start[position + 4 : position + 8] == b"sBIT":
                    return (1 << min(16, max(start[position + 8 : position + 8 + min(size, 3)]))) - 1
                position += size + 12
        elif start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            # OpenCV scales pixels of 9 to 15 bits up to 16. Of those of 16 nobody knows how many bits are used.
            return 65535 if 8 < _tiff_bits(content) < 16 else 0
        elif fields := re.match(rb"P[2356]\s+\d+\s+\d+\s+(\d{1,5})\s", re.sub(rb"#[^\n]*", b"", start)):
            # Programs that save 16 bits write 65535, however many of them are used.
            return int(fields[1]) if int(fields[1]) not in (255, 65535) else 0
        elif start[4:8] == b"jP  " and b"ihdr" in start:
            bits = (start[start.index(b"ihdr") + 14] & 0x7F) + 1
            return 2**bits - 1 if 8 < bits < 16 else 0
    except (struct.error, IndexError, ValueError, OverflowError):  # the last of an offset that no file has
        pass
    return 0


def _tiff_bits(content: bytes) -> int:
    """Tag 258 of the first directory of a TIFF or BigTIFF file: the bits of a colour."""
    order = "<" if content[:2] == b"II" else ">"
    big = b"+" in content[2:4]
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), content, start)
    for number in range(count):
        entry = start + (8 + 20 * number if big else 2 + 12 * number)
        tag, _, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), content, entry)
        if tag == 258:
            field = entry + (12 if big else 8)
            if values * 2 > (8 if big else 4):
                (field,) = struct.unpack_from(order + ("Q" if big else "I"), content, field)
            return int(struct.unpack_from(order + "H", content, field)[0])
    return 1


def _read_dicom(content: bytes) -> tuple[Any, int]:
    """The first frame's pixels, grey or BGR, and the highest value that they may have; None and 0 where it cannot be decoded."""
    try:
        import pydicom.pixels

        dataset = pydicom.dcmread(io.BytesIO(content))
        pixels: Any = pydicom.pixels.pixel_array(dataset, index=0)
        white = 2 ** int(dataset.BitsStored) - 1
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            pixels = pydicom.pixels.apply_color_lut(pixels, dataset)
        if dataset.PhotometricInterpretation == "MONOCHROME1":  # the highest value is black
            pixels = white - pixels
    except Exception:  # pydicom or a decoder that is not installed, or whatever a damaged file raises
        return None, 0
    return (pixels[..., ::-1] if pixels.ndim == 3 else pixels), white
