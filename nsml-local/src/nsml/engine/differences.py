"""What differs between two sessions: arguments, files, environment."""

from __future__ import annotations

import contextlib
import difflib
from pathlib import Path
from typing import Any

from ..errors import Damaged, NsmlError
from ..store.files import read_json
from ..store.launches import FILE
from ..store.sessions import Session
from .requirements import read_needs

_LARGEST = 1 << 20


def pairs(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Both values by name, in the order in which they are met, None where one has none."""
    return {key: (one.get(key), other.get(key)) for key in [*one, *(k for k in other if k not in one)]}


def arguments_of(session: Session) -> dict[str, Any]:
    """`--name value` pairs by name; words that belong to no name by their position."""
    words = [str(word) for word in session.record()["arguments"]]
    found: dict[str, Any] = {"entry": session.record()["entry"]}
    position = 0
    while position < len(words):
        word = words[position]
        if word.startswith("--") and "=" in word:
            name, _, value = word.partition("=")
            found[name] = value
        elif word.startswith("-") and position + 1 < len(words) and not words[position + 1].startswith("--"):
            found[word] = words[position + 1]
            position += 1
        else:
            found[word if word.startswith("-") else f"[{position}]"] = word
        position += 1
    return found


def environment_of(session: Session) -> dict[str, Any]:
    """The interpreter, what the project's files ask for, and what the session was limited to."""
    record = session.record()
    found: dict[str, Any] = {"python": record.get("python"), "--env": record.get("env")}
    try:
        needs = read_needs(session.code)
        found |= {
            "image": needs.image,
            "packages": ", ".join(needs.packages),
            "Debian packages": ", ".join(needs.debian),
        }
    except NsmlError as error:
        found["packages"] = str(error)
    with contextlib.suppress(FileNotFoundError, Damaged):
        found |= read_json(session.folder / FILE).get("limits") or {}
    return {name: value for name, value in found.items() if value not in (None, "")}


def names_of_differing_files(one: Session, other: Session) -> list[str]:
    """The files whose content is not the same in both, or that only one has, by their paths in the code."""
    names = sorted({str(p.relative_to(s.code)) for s in (one, other) for p in s.code.rglob("*") if p.is_file()})
    return [name for name in names if content_of(one.code / name) != content_of(other.code / name)]


def differing_files(one: Session, other: Session) -> dict[str, list[str]]:
    """The lines of a unified diff by file, of the files that differ."""
    found = {}
    for name in names_of_differing_files(one, other):
        before, after = content_of(one.code / name), content_of(other.code / name)
        if isinstance(before, bytes) or isinstance(after, bytes):
            found[name] = [f"--- {one.name}/{name}", f"+++ {other.name}/{name}", "(not text, or large: they differ)"]
            continue
        found[name] = list(
            difflib.unified_diff(before or [], after or [], f"{one.name}/{name}", f"{other.name}/{name}", lineterm="")
        )
    return found


def content_of(path: Path) -> list[str] | bytes | None:
    """Lines of a text, the bytes of anything else, None where there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(content) > _LARGEST:
        return content
    try:
        return content.decode().splitlines()
    except UnicodeDecodeError:
        return content
