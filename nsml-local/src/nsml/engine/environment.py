"""The Python environment of a session: the current one, or a layer over it with the project's additional packages.

A layer is a virtual environment whose path includes the current environment's packages, so that only missing packages and other versions
are installed. It is stored in `environments/` under a hash of the requirements and of the current environment, shared by sessions, and
built only once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import NsmlError, RunFailed
from ..store.copies import copy_file
from ..store.datasets import digest
from ..store.files import (
    disk_time,
    make_private,
    read_json,
    read_regular,
    remove_tree,
    size_of,
    temporary_name,
    visible,
    write_json,
    write_text,
)
from ..store.home import Home
from ..store.processes import identity, is_alive, other_host
from ..store.sessions import ENDED, Session, list_sessions
from .installer import CACHE, TIME, brief, install, installer_name, run, work_of
from .requirements import Needs, missing_packages, read_needs
from .snapshot import copy_code

CURRENT, LAYER = "current", "layer"
_FILES = ("setup.py", "requirements.txt")
_READY = "ready.json"
_USED = "python.txt"
_LONGEST_PATH = 1 << 14
_SILENCE = 600.0  # seconds without a line of the installer after which another host's installation counts as dead
Say = Callable[[str], None]


@contextlib.contextmanager
def session_interpreter(home: Home, session: Session, say: Say) -> Iterator[str]:
    """The interpreter of a session, see `interpreter_for`; the current one if the session was started with `--env current`."""
    if session.record().get("env") == CURRENT or not any((session.code / name).exists() for name in _FILES):
        yield sys.executable
        return
    # The interpreter of its training, even if the current environment has changed since.
    used = session.folder / _USED
    python = ""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            folder = home.path / "environments" / _layer_in(used)
            if folder.name != "environments" and folder.exists() and held.enter_context(_hold(folder, say)):
                python = str(folder / "bin" / "python")
        if not python:
            python = held.enter_context(interpreter_for(home, read_needs(session.code), say))
            if python != sys.executable:
                write_text(used, f"{python}\n")
        yield python


def _layer_in(used: Path) -> str:
    """The name of the layer in a file `_USED`, which a program could write; "" if there is none."""
    named = re.search(r"/([0-9a-f]{24})/[^/]+/[^/]+\n?\Z", read_regular(used, _LONGEST_PATH).decode(errors="replace"))
    return named[1] if named else ""


@contextlib.contextmanager
def interpreter_for(home: Home, needs: Needs, say: Say) -> Iterator[str]:
    """The interpreter for a program: the current one, or that of a layer if packages are missing. Builds the layer if needed.

    The layer is not removed before the context ends.

    Args:
        say: called with lines on the progress of the installation.

    Raises:
        RunFailed: the installation failed; the message ends with the installer's last lines. No partial environment remains.
    """
    missing = missing_packages(needs)
    if not missing:
        yield sys.executable
        return
    folder = _layer(home, missing, needs)
    make_private(folder.parent)

    def build(say: Say) -> None:
        say(f"installing {brief(missing)} with {installer_name()}")
        _build(folder, missing, needs, say)
        say("installed")

    with _hold(folder, say, build):
        for line in read_json(folder / _READY).get("instead", []):
            say(f"warning: {line}")
        os.utime(folder / _READY)
        yield str(folder / "bin" / "python")


def still_missing(home: Home, needs: Needs) -> list[str]:
    """The packages that `interpreter_for` would install: those missing here, unless their layer is there already."""
    missing = missing_packages(needs)
    return [] if missing and (_layer(home, missing, needs) / _READY).exists() else missing


def _layer(home: Home, missing: list[str], needs: Needs) -> Path:
    """The folder of the layer with these packages over the current environment as it is, and with the project's files as they are."""
    from importlib.metadata import distributions

    below = sorted(f"{d.metadata['Name']}=={d.version}" for d in distributions())
    local = [[digest(needs.folder / name) for name in needs.local]] if needs.local else []
    text = json.dumps([sorted(missing), needs.options, sys.version, sys.prefix, below, *local])
    return home.path / "environments" / hashlib.sha256(text.encode()).hexdigest()[:24]


@contextlib.contextmanager
def _hold(folder: Path, say: Say, build: Callable[[Say], None] | None = None) -> Iterator[bool]:
    """Keep a layer from being removed; whether it is there. If not, one process at a time calls `build`."""
    lock = os.open(_lock_of(folder), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _try(lock, fcntl.LOCK_SH):  # being removed
            time.sleep(0.2)
        if build is not None:
            _build_once(folder, build, say)
        yield (folder / _READY).exists()
    finally:
        os.close(lock)


def _try(lock: int, how: int) -> bool:
    """Lock with `flock`, which the system releases when the owner dies. Disks without it lock nothing."""
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _build_once(folder: Path, build: Callable[[Say], None], say: Say) -> None:
    """Build the layer, or wait for the process that builds it, maybe on another host: some network disks know `flock` of one host only."""
    lock = folder.with_name(f".lock-{folder.name}")
    until = time.monotonic() + TIME
    waits = False
    while not (folder / _READY).exists():
        try:
            lock.mkdir()
        except FileExistsError:
            if time.monotonic() > until:
                raise RunFailed(f"{lock} has been locked for an hour; remove that folder") from None
            if not _is_held(lock):
                _remove_dead(lock)
            elif not waits:
                say("another session is installing the same; waiting for it")
                waits = True
            time.sleep(0.2)
            continue
        try:
            write_json(lock / "owner.json", identity())
            if not (folder / _READY).exists():
                build(_touching(lock / "owner.json", say))
        finally:
            remove_tree(lock)


def _remove_dead(lock: Path) -> None:
    """Remove a lock whose owner is dead, unless another process has it by now."""
    aside = temporary_name(lock.parent)
    with contextlib.suppress(OSError):  # another process was first
        lock.rename(aside)
        if _is_held(aside):
            aside.rename(lock)
        else:
            remove_tree(aside)


def _touching(path: Path, say: Say) -> Say:
    """`say`, which also shows other hosts that the installation goes on."""

    def touch_and_say(line: str) -> None:
        os.utime(path)
        say(line)

    return touch_and_say


def _is_held(lock: Path) -> bool:
    try:
        owner = read_json(lock / "owner.json")
        if other_host(owner):
            return abs(disk_time(lock.parent) - (lock / "owner.json").stat().st_mtime) < _SILENCE
        return is_alive(owner)
    except FileNotFoundError:
        return abs(disk_time(lock.parent) - lock.stat().st_mtime) < 10 if lock.exists() else True
    except Exception:
        return False


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def _build(folder: Path, missing: list[str], needs: Needs, say: Say) -> None:
    remove_tree(folder)
    try:
        # Built in its final place, as a virtual environment cannot be moved. The file `_READY` marks it as complete.
        run([sys.executable, "-m", "venv", "--without-pip", str(folder)], "the virtual environment", say, folder)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        packages = folder / "lib" / version / "site-packages"
        below = [p for p in dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))) if p]
        # site.addsitedir, not a plain path, so that the .pth files of editable installations are read.
        lines = [f"import site; site.addsitedir({path!r})" for path in below]
        (packages / "nsml_below.pth").write_text("\n".join(lines) + "\n")
        _copy_local(needs, work_of(folder))
        instead = install(folder, missing, needs.options, say)
        remove_tree(folder / CACHE)
        facts = {"packages": missing, "options": list(needs.options), "python": sys.executable, "instead": instead}
        write_json(folder / _READY, facts)
    except BaseException:
        remove_tree(folder)
        raise


def _copy_local(needs: Needs, work: Path) -> None:
    """Copy what the requirements name of the project: an isolated installer does not see the session's code, and builds write beside it."""
    for name in needs.local:
        source, copy = needs.folder / name, work / name
        if os.path.isabs(name) or any(Path(name).is_relative_to(other) for other in needs.local if other != name):
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            copy_code(source, copy)
        else:
            copy_file(source, copy, needs.folder)


def list_environments(home: Home) -> list[tuple[Path, list[str], int, float]]:
    """Folder, packages, bytes and time of last use of each complete environment."""
    environments = []
    for entry in visible(home.path / "environments"):
        folder = Path(entry.path)
        try:
            packages = [str(p) for p in read_json(folder / _READY).get("packages", [])]
        except (FileNotFoundError, RunFailed):
            continue
        environments.append((folder, packages, size_of(folder), (folder / _READY).stat().st_mtime))
    return environments


def prune_environments(home: Home) -> tuple[int, int, int]:
    """Remove the environments that no running session, submit or report uses or installs. Sessions build them again if needed.

    Returns:
        Number and bytes of removed environments, and number of remaining ones.
    """
    used = set()  # also by sessions that wait, and those of other hosts, whose locks may not be seen here
    for session in list_sessions(home, but_for_ended=True):
        with contextlib.suppress(OSError, NsmlError):
            if session.status() not in ENDED:
                used.add(_layer_in(session.folder / _USED))
    count = freed = remaining = 0
    for entry in visible(home.path / "environments"):
        folder = Path(entry.path)
        lock = os.open(_lock_of(folder), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if entry.name in used or not _try(lock, fcntl.LOCK_EX):
                remaining += 1
                continue
            size = size_of(folder)
            remove_tree(folder)
        finally:
            os.close(lock)
        freed += size
        count += 1
    return count, freed, remaining
