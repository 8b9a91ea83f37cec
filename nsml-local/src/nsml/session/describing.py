"""`nsml.describe`: what a session's results depend on, stored with it."""

from __future__ import annotations

import platform
import sys
from typing import Any

from ..errors import NsmlError
from ..store.files import write_json
from .context import current
from .reporting import plain_value

_MOST = 100
_noted = False


def describe(**facts: Any) -> dict[str, Any]:
    """Store facts on the training, as `nsml.describe(learning_rate=0.001, batch_size=16, optimizer="adam")`, in the session's session.json.

    Values are numbers, text, lists or dicts; a later call adds to them. The versions of the imported packages are stored too; `nsml.save`
    does that by itself.

    Returns:
        What is stored on the session's origin: `versions`; `settings`, these facts; `data`, the digest of each dataset; and in a git
        repository `commit` and `clean`. Empty in a submit or a report, which do not change the session.

    Raises:
        TypeError: a value has no JSON form.
    """
    context = current()
    try:
        plain = {name: plain_value(name, value) for name, value in facts.items()}
    except TypeError as error:
        raise TypeError(str(error).replace("nsml.report", "nsml.describe", 1)) from None
    if context.only_looks:
        return {}
    session = context.open_session()
    place = session.folder / "session.json"
    # An isolated program sees no session.json.
    record = session.record() if place.exists() else {}
    added = {"versions": _versions(), "settings": {**record.get("settings", {}), **plain}}
    if record:
        try:
            write_json(place, record | added)
        except OSError as error:
            print(f"nsml.describe: not stored ({error.strerror}); training continues without it", file=sys.stderr)
    elif facts:
        print("nsml.describe: not stored, since this program is isolated", file=sys.stderr)
    record |= added
    return {name: record[name] for name in ("commit", "clean", "data", "versions", "settings") if name in record}


def note_versions() -> None:
    """Store the versions of the imported packages, once in a process."""
    global _noted
    if not _noted:
        _noted = True
        try:
            describe()
        except NsmlError as error:  # a damaged session.json must not end a training
            print(f"nsml: versions of packages are not stored: {error}", file=sys.stderr)


def _versions() -> dict[str, str]:
    """Python's version and those of the packages that are imported and installed, by module."""
    found = {"python": platform.python_version()}
    for name, module in sorted(sys.modules.items()):
        if "." in name or name.startswith("_") or name in sys.stdlib_module_names or len(found) > _MOST:
            continue
        version = getattr(module, "__version__", None)
        installed = any(place in str(getattr(module, "__file__", None)) for place in ("site-packages", "dist-packages"))
        if isinstance(version, str) and (installed or name == "nsml"):
            found[name] = version[:80]
    return found
