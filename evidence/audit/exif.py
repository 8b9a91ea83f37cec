"""The camera's make and model from a file's EXIF, without decoding it."""

from __future__ import annotations

import struct

_MAKE, _MODEL = 271, 272  # TIFF 6.0, section 8
_LONGEST = 40  # characters of each, since a file may claim anything


def read_camera(content: bytes) -> str:
    """Make and model as one text, "" where the file (JPEG or TIFF) says neither or its EXIF is damaged."""
    try:
        fields = _fields(_tiff(content))
    except (struct.error, IndexError, ValueError):
        return ""
    make, model = fields.get(_MAKE, ""), fields.get(_MODEL, "")
    # Many cameras repeat their make in the model.
    return model if model.upper().startswith(make.upper()) else f"{make} {model}".strip()


def _tiff(content: bytes) -> bytes:
    """The TIFF structure: the file itself, or the content of a JPEG's first APP1 segment that is EXIF (CIPA DC-008, 4.7.2)."""
    if content[:4] in (b"II*\0", b"MM\0*"):
        return content
    if content[:2] != b"\xff\xd8":
        return b""
    position = 2
    while content[position] == 0xFF and content[position + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", content, position + 2)
        segment = content[position + 4 : position + 2 + length]
        if content[position + 1] == 0xE1 and segment.startswith(b"Exif\0\0"):
            return segment[6:]
        position += 2 + length
    return b""


def _fields(tiff: bytes) -> dict[int, str]:
    """The texts of the first directory that are asked for."""
    if not tiff:
        return {}
    order = "<" if tiff[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, start)
    fields = {}
    for position in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, length, offset = struct.unpack_from(order + "HHII", tiff, position)
        if tag in (_MAKE, _MODEL) and kind == 2:
            # Up to four bytes stand in the entry itself.
            text = tiff[position + 8 : position + 12] if length <= 4 else tiff[offset : offset + length]
            text = text[:length].split(b"\0")[0][:_LONGEST]
            fields[tag] = "".join(c for c in text.decode("utf-8", "replace") if c.isprintable()).strip()
    return fields
