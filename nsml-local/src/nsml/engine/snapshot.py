"""The copy of a competitor's folder that a session runs on."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import FULL, NsmlError, RunFailed, fix_for
from ..store.copies import copy_file
from ..store.files import read_text, real_path, walk
from ..store.home import default_home

IGNORE_FILE = ".nsmlignore"
LARGEST_FILE = 500 * 1024 * 1024
# What programs carry to run at home; here it would keep the real module from being imported.
STANDS_IN = "the platform's own nsml is used in its place"
_HOME = "the home of nsml"
_NEVER = frozenset({".git", ".hg", ".svn", ".aws", ".ssh", "__pycache__", "node_modules"})
_ENVIRONMENT = "a virtual environment"
# Mark an environment of venv, conda or an old virtualenv, whatever its name; the parts are left out where it is the project's own folder.
_ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta", "bin/activate_this.py")
_ENVIRONMENT_PARTS = frozenset(
    {"bin", "conda-meta", "etc", "include", "lib", "lib64", "Lib", "Scripts", "share", "ssl"}
)
_KEYS = frozenset({"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"})
# Besides `.env*`: where programs of the system keep passwords and tokens.
_SECRETS = frozenset({".netrc", "_netrc", ".pypirc", ".npmrc", ".pgpass", ".my.cnf", ".git-credentials"})


@dataclass
class Snapshot:
    """What is copied to a session: relative paths of files and folders, bytes, and left-out files with the reason."""

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)  # each behind the one it is in
    size: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def why_not(self, name: str) -> str:
        """The reason why a file is not copied."""
        for left, reason in self.left_out:
            if name == left or name.startswith(f"{left.rstrip('/')}/"):
                return reason
        return f"{IGNORE_FILE} names it" if _NEVER.isdisjoint(Path(name).parts) else "that folder is never copied"


def list_snapshot(source: Path) -> Snapshot:
    """The files of `source` that are copied: all but those in `.nsmlignore`, version control, environments and secrets.

    Raises:
        NsmlError: a line of `.nsmlignore` is not gitignore syntax.
    """
    is_ignored = _matcher(_ignore_lines(source))
    snapshot = Snapshot()
    root = real_path(source)
    home = str(real_path(default_home()))

    def leave_out(error: OSError) -> None:
        snapshot.left_out.append((os.path.relpath(error.filename, root), f"it cannot be read: {error.strerror}"))

    for folder, folders, files in os.walk(root, onerror=leave_out):
        inside = os.path.relpath(folder, root)
        prefix = "" if inside == "." else f"{inside}/"
        snapshot.folders += [inside] if prefix else []
        folders[:] = sorted(f for f in folders if f not in _NEVER and not is_ignored(f"{prefix}{f}/"))
        if inside == "." and "nsml" in folders and os.path.exists(os.path.join(folder, "nsml", "__init__.py")):
            folders.remove("nsml")
            snapshot.left_out.append(("nsml/", STANDS_IN))
        within = inside == "." and _is_environment(folder)
        for name in [*folders]:
            path = os.path.join(folder, name)
            reason = "a link to a folder" if os.path.islink(path) else _HOME if path == home else None
            if not reason and ((within and name in _ENVIRONMENT_PARTS) or _is_environment(path)):
                reason = _ENVIRONMENT
            if reason:
                folders.remove(name)
                snapshot.left_out.append((f"{prefix}{name}", reason))
        for name in sorted(files):
            if is_ignored(f"{prefix}{name}") or name.endswith(".pyc"):
                continue
            file = Path(folder, name)
            if reason := _reason_to_leave_out(file, root):
                snapshot.left_out.append((f"{prefix}{name}", reason))
                continue
            snapshot.files.append(f"{prefix}{name}")
            snapshot.size += file.stat().st_size
    return snapshot


def _is_environment(folder: str) -> bool:
    return any(os.path.exists(os.path.join(folder, mark)) for mark in _ENVIRONMENT_MARKS)


def take_snapshot(source: Path, target: Path, limit: int | None = None, snapshot: Snapshot | None = None) -> Snapshot:
    """Copy the files and folders of `source` to the new folder `target`.

    Args:
        limit: maximum bytes in all.
        snapshot: the files, if they are already listed.

    Raises:
        NsmlError: a line of `.nsmlignore` is not gitignore syntax.
        RunFailed: over `limit`, or a file cannot be read or written.
    """
    snapshot = snapshot or list_snapshot(source)
    if limit is not None and snapshot.size > limit:
        raise RunFailed(
            f"{source} contains more than {limit // 1024**2} MB; name files that the program does not need in {IGNORE_FILE}"
        )
    target.mkdir(mode=0o700, parents=True)
    try:
        for name in snapshot.folders:  # empty ones too, such as logs/, into which the program writes
            (target / name).mkdir()
        for name in snapshot.files:
            shutil.copy2(source / name, target / name)
    except OSError as error:
        fix = fix_for(error) if error.errno in FULL else f"fix it or name it in {IGNORE_FILE}"
        raise RunFailed(f"{source / name} cannot be copied to {target}: {error.strerror}; {fix}") from None
    return snapshot


def _matcher(lines: list[str]) -> Callable[[str], bool]:
    if not lines:
        return lambda name: False
    import pathspec

    return pathspec.GitIgnoreSpec.from_lines(lines).match_file


def _ignore_lines(source: Path) -> list[str]:
    path = source / IGNORE_FILE
    try:
        lines = read_text(path).splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise NsmlError(f"{path} cannot be read: {error.strerror}; correct or remove it") from None
    import pathspec

    for number, line in enumerate(lines, 1):
        try:
            pathspec.GitIgnoreSpec.from_lines([line])
        except (ValueError, re.error, RecursionError, OverflowError):
            raise NsmlError(f"{path}, line {number}: {line!r} is not gitignore syntax; correct or remove it") from None
    return lines


def _reason_to_leave_out(path: Path, root: Path) -> str | None:
    if path.is_symlink() and not real_path(path).is_relative_to(root):
        return "a link to outside the folder"
    if not path.is_file():
        return "not a regular file"
    if path == root / "nsml.py":
        return STANDS_IN
    if path.name.startswith(".env") or path.name in _SECRETS:
        return "may contain secrets"
    if path.name in _KEYS or _is_private_key(path):
        return "a private key"
    if path.stat().st_size > LARGEST_FILE:
        return f"larger than {LARGEST_FILE // 1024**2} MB"
    return None


def _is_private_key(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            start = file.read(64)
    except OSError:
        return False
    return start.startswith(b"-----BEGIN") and b"PRIVATE KEY" in start


def copy_code(code: Path, work: Path) -> None:
    """A fresh working folder with the files of a snapshot, which are regular ones. RunFailed where the disk is full."""
    try:
        for root, _, names in walk(code):
            (work / os.path.relpath(root, code)).mkdir(parents=True, exist_ok=True)
            for name in names:
                path = Path(root, name)
                copy_file(path, work / path.relative_to(code), code.parent)
    except OSError as error:
        raise RunFailed(
            f"{code} cannot be copied to {work}: {error.strerror} ({error.filename}); {fix_for(error)}"
        ) from None
