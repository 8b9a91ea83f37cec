"""What differs between two sessions: arguments, files, environment."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Sequence
from typing import Any

from ..errors import Damaged, NsmlError
from ..store.files import read_json, read_regular
from ..store.launches import FILE
from ..store.sessions import Session
from ..wording import size
from .requirements import read_needs
from .resources import Limits

_LARGEST = 1 << 20


class _Bytes(int):
    """A number in JSON, "1.5 GB" as text."""

    def __str__(self) -> str:
        return size(self)


def pairs(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Both values by name, in the order in which they are met, None where one has none."""
    return {key: (one.get(key), other.get(key)) for key in [*one, *(k for k in other if k not in one)]}


def arguments_of(session: Session) -> dict[str, Any]:
    """`--name value` pairs by name, several values with spaces between; words before the first name by their position."""
    record = session.record()
    return {"entry": record["entry"]} | _by_name([str(word) for word in record["arguments"]])


def _by_name(words: Sequence[str]) -> dict[str, str]:
    values_by_name: dict[str, str] = {}
    values: list[str] = []
    name = ""
    for position, word in enumerate(words):
        # The first word after a name may be a number below zero; a further one that begins with a dash is the next name.
        if word.startswith("--") or (word.startswith("-") and (values or not name)):
            name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
            values = [value] if equals else []
            values_by_name[name] = value if equals else name
        elif name:
            values.append(word)
            values_by_name[name] = " ".join(values)
        else:
            values_by_name[f"[{position}]"] = word
    return values_by_name


def environment_of(session: Session) -> dict[str, Any]:
    """The interpreter, what the project's files ask for, and what the session was limited to."""
    record = session.record()
    facts: dict[str, Any] = {"python": record.get("python"), "--env": record.get("env")}
    if commit := record.get("commit"):
        facts["commit"] = f"{commit}{'' if record.get('clean') else ', changed'}"
    for name in ("data", "settings", "versions"):
        if isinstance(values := record.get(name), dict):
            facts[name] = ", ".join(f"{key} {value}" for key, value in values.items())
    try:
        session.check_code()
        needs = read_needs(session.code)
        facts |= {
            "image": needs.image,
            "packages": ", ".join(needs.packages),
            "Debian packages": ", ".join(needs.debian),
        }
    except NsmlError as error:
        facts["packages"] = str(error)
    with contextlib.suppress(FileNotFoundError, Damaged):
        limits = Limits.of(read_json(session.folder / FILE))
        memory = None if limits.memory is None else _Bytes(limits.memory)
        # Not the numbers of its processors, which are chance.
        facts |= {"gpus": limits.gpus, "cpus": limits.cpus, "memory": memory, "log": _Bytes(limits.log)}
    return {name: value for name, value in facts.items() if value not in (None, "")}


def names_of_differing_files(one: Session, other: Session) -> list[str]:
    """The files whose content is not the same in both, or that only one has, by their paths in the code."""
    names = sorted({str(p.relative_to(s.code)) for s in (one, other) for p in s.code.rglob("*") if p.is_file()})
    return [name for name in names if content_of(one, name) != content_of(other, name)]


def differing_files(one: Session, other: Session) -> dict[str, list[str]]:
    """The lines of a unified diff by file, of the files that differ."""
    diffs = {}
    for name in names_of_differing_files(one, other):
        before, after = content_of(one, name), content_of(other, name)
        if isinstance(before, bytes) or isinstance(after, bytes):
            diffs[name] = [f"--- {one.name}/{name}", f"+++ {other.name}/{name}", "(not text, or large: they differ)"]
            continue
        diffs[name] = list(
            difflib.unified_diff(before or [], after or [], f"{one.name}/{name}", f"{other.name}/{name}", lineterm="")
        )
    return diffs


def content_of(session: Session, name: str) -> list[str] | bytes | None:
    """Of a file of its code: lines of a text, the bytes of anything else, None where it is no regular file, or has more than 64 MB."""
    try:
        content = read_regular(session.code / name, below=session.folder)
    except OSError:
        return None
    if len(content) > _LARGEST:
        return content
    try:
        return content.decode().splitlines()
    except UnicodeDecodeError:
        return content
