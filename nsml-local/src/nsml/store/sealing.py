"""A checksum in front of every stored JSON object, so that a changed byte is noticed: its first member is `"crc32"`.

It is the CRC-32 of the whole text, with eight zeros in its own place. Whoever edits such a file by hand removes that member: what begins
as the records of versions without checksums did is taken as it is.
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
    """The bytes to store of a JSON object whose text begins with the member MEMBER, of the value BLANK."""
    # Arguments and names of files may hold bytes that are no UTF-8, which Python keeps as surrogates.
    content = text.encode("utf-8", "surrogatepass")
    return content.replace(_BLANK, b"%08x" % crc32(content), 1)


def unseal(content: bytes, unsealed: Collection[str]) -> dict[str, Any]:
    """The object, without its checksum, of stored bytes. ValueError, with the reason, where a byte is not what was stored.

    `unsealed` are the members with which an object may begin that has no checksum.
    """
    if found := _SEAL.match(content):
        blank = content[: found.start(1)] + _BLANK + content[found.end(1) :]
        if int(found[1], 16) != crc32(blank):
            raise ValueError("its checksum differs")
    try:
        value = _decode(content.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        raise ValueError("not valid JSON") from None
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    if found:
        del value[MEMBER]
    elif next(iter(value), "") not in unsealed:
        raise ValueError("it has lost its checksum")
    return value
