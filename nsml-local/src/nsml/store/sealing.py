"""A checksum in every stored JSON object, as its first member `"crc32"`, so that a changed byte is noticed.

It is the CRC-32 of the whole text with eight zeros in its own place. To edit such a file by hand, remove the member: objects
without it are read as those of versions without checksums.
"""

from __future__ import annotations

import json
import re
from binascii import crc32
from collections.abc import Collection
from typing import Any, NoReturn

MEMBER = "crc32"
BLANK = "00000000"
_BLANK = BLANK.encode()
_SEAL = re.compile(rb'\{\s*"crc32": "([0-9a-f]{8})"')


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_decode = json.JSONDecoder(parse_constant=_refuse).decode


def seal(text: str) -> bytes:
    """The bytes to store for a JSON text whose first member is MEMBER with the value BLANK."""
    # Arguments and file names may contain bytes that are not UTF-8; Python represents them as surrogates.
    content = text.encode("utf-8", "surrogatepass")
    return content.replace(_BLANK, b"%08x" % crc32(content), 1)


def unseal(content: bytes, unsealed: Collection[str]) -> dict[str, Any]:
    """The object in stored bytes, without its checksum. ValueError, with the reason, if a byte has changed.

    `unsealed` lists the first members that an object without a checksum may have.
    """
    if seal := _SEAL.match(content):
        blank = content[: seal.start(1)] + _BLANK + content[seal.end(1) :]
        if int(seal[1], 16) != crc32(blank):
            raise ValueError("its checksum differs")
    try:
        value = _decode(content.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        raise ValueError("not valid JSON") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    if seal:
        del value[MEMBER]
    elif next(iter(value), "") not in unsealed:
        raise ValueError("it has lost its checksum")
    return value
