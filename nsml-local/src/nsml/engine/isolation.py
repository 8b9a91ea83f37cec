"""Programs that cannot reach the labels of a dataset that was pushed with --isolate, whatever they read as the user who started them.

A program gets a user and a mount namespace of its own (user_namespaces(7), mount_namespaces(7); Linux only), in which an empty folder lies
over the home and over the organiser's folder, and only what the program needs is put back: the sessions, what is shown of its datasets,
the output. It is then moved into a second pair of namespaces, since what was mounted before that can be taken away by nobody in it. The
processes outside are in another user namespace, so that their files, memory and environment below /proc cannot be opened either.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Damaged, RunFailed
from ..store.datasets import Dataset, list_datasets
from ..store.files import real_path
from ..store.home import Home

_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x00020000  # linux/sched.h: CLONE_NEWUSER, CLONE_NEWNS
_BIND, _RECURSIVE, _PRIVATE, _DETACH = 0x1000, 0x4000, 1 << 18, 2  # sys/mount.h
# Of a home, besides what is shown of the datasets: any session's checkpoints may be loaded.
_ALWAYS = ("sessions", "output", "environments", "home.json", "user.json")


@dataclass(frozen=True)
class View:
    """What a program is to see. `hidden` folders are empty to it, but for `shown` files and folders, which lie below them."""

    hidden: tuple[Path, ...]
    shown: tuple[Path, ...]


def isolated_among(home: Home, paths: Sequence[str | os.PathLike[str]]) -> list[Dataset]:
    """The datasets with --isolate that any of these paths lies in."""
    real = [real_path(Path(path)) for path in paths]
    found = []
    for dataset in list_datasets(home):
        if any(path.is_relative_to(real_path(dataset.folder)) for path in real):
            with contextlib.suppress(Damaged):
                if dataset.isolated():
                    found.append(dataset)
    return found


def view_of(home: Home, datasets: Sequence[Dataset], paths: Sequence[str | os.PathLike[str]], folder: Path) -> View:
    """What a program in `folder` may see whose datasets are shown at `paths`, where these `datasets` are isolated."""
    top = real_path(home.path)
    shown = [real_path(Path(path)) for path in [*paths, folder, *(top / name for name in _ALWAYS)]]
    if folder.is_relative_to(home.submissions):
        # The organiser's loader runs in the program.
        shown += [real_path(dataset.folder / "feed") for dataset in datasets]
    sources = [real_path(Path(str(dataset.record()["source"]))) for dataset in datasets]
    hidden = [top, *(source for source in sources if source.is_dir() and not top.is_relative_to(source))]
    return View(tuple(hidden), tuple(path for path in dict.fromkeys(shown) if path.exists()))


class Entrance:
    """Called by a new process before it becomes a program, which then sees no more than the view, and is in `work`.

    The call raises OSError where the system does not allow it. Whoever made it closes it once the process has started.
    """

    def __init__(self, view: View, work: Path) -> None:
        import ctypes
        import tempfile

        self._view, self._work = view, work
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._user, self._group = os.getuid(), os.getgid()
        self._stage = Path(tempfile.mkdtemp(prefix="nsml-view-"))

    def __call__(self) -> None:
        self._unshare()
        _call(self._libc.mount, None, b"/", None, _PRIVATE | _RECURSIVE, None)
        self._empty(self._stage)
        for number, path in enumerate(self._view.shown):
            self._show(path, self._stage / str(number))
        for folder in self._view.hidden:
            self._empty(folder)
        for number, path in enumerate(self._view.shown):
            self._show(self._stage / str(number), path)
        _call(self._libc.umount2, os.fsencode(self._stage), _DETACH)
        # Else `..` of the folder that it was in leads to what lies below the mounts.
        os.chdir(self._work)
        self._unshare()

    def close(self) -> None:
        """Remove the folder that was needed on the way, which is empty to everybody but the new process."""
        with contextlib.suppress(OSError):
            self._stage.rmdir()

    def _unshare(self) -> None:
        _call(self._libc.unshare, _NEW_USER | _NEW_MOUNTS)
        user, group = (f"{number} {number} 1" for number in (self._user, self._group))
        for name, text in (("setgroups", "deny"), ("uid_map", user), ("gid_map", group)):
            descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
            os.write(descriptor, text.encode())
            os.close(descriptor)

    def _empty(self, folder: Path) -> None:
        _call(self._libc.mount, b"none", os.fsencode(folder), b"tmpfs", 0, b"mode=0700")

    def _show(self, path: Path, at: Path) -> None:
        if os.path.isdir(path):
            at.mkdir(parents=True, exist_ok=True)
        else:
            at.parent.mkdir(parents=True, exist_ok=True)
            at.touch()
        _call(self._libc.mount, os.fsencode(path), os.fsencode(at), None, _BIND | _RECURSIVE, None)


def why_not() -> str:
    """Why no program can be isolated on this machine; "" where it can."""
    if sys.platform != "linux":
        return "only Linux has what it needs"
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        enter = Entrance(View((Path(folder),), ()), Path("/"))
        child = os.fork()
        if child == 0:
            try:
                enter()
                os._exit(0)
            except OSError as error:
                os._exit(error.errno or 1)
            finally:
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        enter.close()
    return os.strerror(status) if status else ""


def check_isolation(datasets: Sequence[Dataset]) -> None:
    """RunFailed where one of these is to be isolated, and cannot be here."""
    if (names := [dataset.name for dataset in datasets if dataset.isolated()]) and (why := why_not()):
        raise RunFailed(
            f"dataset {names[0]} was pushed with --isolate, and this machine allows no program a view of its own ({why}); "
            "allow unprivileged user namespaces, or push the dataset again without --isolate"
        )


def _call(function: Any, *arguments: Any) -> None:
    import ctypes

    if function(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
