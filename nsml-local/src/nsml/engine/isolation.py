"""Isolation of programs by bubblewrap, see bwrap(1), so that they cannot read labels (Linux only).

While a home has a dataset pushed with --isolate, all its programs are isolated. A program sees the system read-only, and only those files
of the home that it needs; it can write to its working folder, its checkpoints and its output. It has its own processes, /tmp, /dev and
environment, and all its processes end with it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import NsmlError, RunFailed
from ..store import metrics
from ..store.datasets import find_dataset
from ..store.files import make_private, read_regular, real_path, write_bytes
from ..store.home import Home
from ..store.isolated import isolated_folders, organisers_folders
from ..store.launches import FILE
from ..store.sessions import ANSWERS, Session, list_sessions

_OLDEST = (0, 8)
_INSTALL = "'sudo apt install bubblewrap' or 'sudo dnf install bubblewrap' installs it"
_NAMESPACES = (
    "--unshare-user",
    "--unshare-pid",
    "--unshare-ipc",
    "--disable-userns",
    "--new-session",
    "--die-with-parent",
    "--cap-drop",
    "ALL",
)
# Settings of the kernel, which root can write even without capabilities: core_pattern names a program that is run outside.
_KERNEL = ("bus", "fs", "irq", "sys", "sysrq-trigger")
_SYSTEM = (
    *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
    *(word for name in _KERNEL for word in ("--ro-bind-try", f"/proc/{name}", f"/proc/{name}")),
)
# /run has the sockets of services that act for the user: containers, systemd, D-Bus.
_PRIVATE = ("/tmp", "/var/tmp", "/run")
_DEVICES = ("nvidia*", "dri", "kfd", "dxg")
_PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|TZ|TERM|COLUMNS|LD_LIBRARY_PATH|VIRTUAL_ENV|(HF|TORCH|KERAS)_HOME|XDG_CACHE_HOME"
    r"|PYTHON\w*|(LC|CUDA|CUDNN|NVIDIA|NCCL|HIP|ROCR|TF|XLA|KERAS|PYTORCH|JAX|OMP|OPENBLAS|MKL|NUMEXPR|OPENCV)_\w+"
    r"|NSML_(?!WEB_|NOTIFY)\w+|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|(https?|all|no)_proxy|(HTTPS?|ALL|NO)_PROXY"
)  # fmt: skip
_PASSED_TO_INSTALLERS = re.compile(r"(PIP|UV)_\w+")
# Number of sessions whose checkpoints a program sees without naming them.
NEWEST = 30
_LONGEST_PROGRAM = 1 << 20  # bytes


def why_not() -> str:
    """The reason why programs cannot be isolated on this machine, or ""."""
    if why := _why_no_bubblewrap():
        return why
    tried = subprocess.run(
        ["bwrap", *_NAMESPACES, *_SYSTEM, "true"], capture_output=True, text=True, errors="replace", check=False
    )
    return "" if tried.returncode == 0 else tried.stderr.strip() or f"bwrap ended with {tried.returncode}"


def _why_no_bubblewrap() -> str:
    if sys.platform != "linux":
        return "bubblewrap exists for Linux only"
    if shutil.which("bwrap") is None:
        return f"bubblewrap is not installed; {_INSTALL}"
    output = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    version = re.search(r"(\d+)\.(\d+)", output)
    if version is None or tuple(map(int, version.groups())) < _OLDEST:
        return f"{output or 'bwrap'} is too old; install bubblewrap {'.'.join(map(str, _OLDEST))} or later"
    return ""


def check_isolation(home: Home) -> None:
    """Raise RunFailed if programs of this home must be isolated, but this machine cannot do so."""
    if (folders := isolated_folders(home)) and (why := _why_no_bubblewrap()):
        raise RunFailed(
            f"{folders[0]} was pushed with --isolate, so every program of {home.path} is isolated, which this machine "
            f"cannot do: {why}"
        )


def isolate_program(
    home: Home, launch: Mapping[str, Any], folder: Path, work: Path, python: str, writable: Iterable[Path], command: Sequence[str]
) -> list[str]:  # fmt: skip
    """The command that runs `command`, the program of `folder/launch.json`, isolated in `work`.

    Args:
        python: its interpreter.
        writable: further folders that it can write to, besides its work, its output and, in a session, its checkpoints.
    """
    session = Path(launch["session"])
    # A path without a dot may be a link in /tmp to the dataset's folder, see `plain_path`.
    paths = [Path(path) for path in launch["dataset_paths"]]
    folders = [Path(os.readlink(path)) if path.is_symlink() else path for path in paths]
    more = [(path, ["--symlink", str(to), str(path)]) for path, to in zip(paths, folders, strict=True) if path != to]
    readable = [folder / FILE, session / "checkpoints", session / metrics.FILE, *folders]
    readable += [each.checkpoints for each in _loadable_sessions(home, launch, work)]
    if launch.get("source"):
        readable.append(home.sessions / launch["source"] / "checkpoints")
    if launch.get("loader"):
        readable.append(Path(launch["loader"]).parent)
    writes = [work, make_private(home.output / launch["user"]), *writable]
    if folder == session:
        # Only an existing file can be mounted; an empty one counts as damaged.
        if not (session / metrics.FILE).exists():
            write_bytes(session / metrics.FILE, b"\n")
        writes += [session / "checkpoints", session / metrics.FILE, make_private(session / ANSWERS)]
    if (environments := home.path / "environments") in Path(python).parents:
        readable.append(environments / Path(python).relative_to(environments).parts[0])
    for shown in folders:
        linked, kept_back = _linked(home, shown)
        readable += linked
        more += [(path, _cover(path)) for path in map(real_path, kept_back) if path.exists()]
    return _command(home, readable, writes, work, command, more)


def _loadable_sessions(home: Home, launch: Mapping[str, Any], work: Path) -> list[Session]:
    """The user's sessions whose checkpoints a program can load: the newest, and those whose number is in its arguments or files.

    Not all, as each mount takes bubblewrap longer than the one before: 0.05 s for 100 mounts, 14 s for 2000.
    """

    def age(session: Session) -> float:
        try:
            return -session.checkpoints.stat().st_mtime
        except OSError:
            return 0

    sessions = sorted(list_sessions(home, launch["user"]), key=age)
    text = " ".join(map(str, launch["arguments"]))
    for path in work.glob("*.py"):
        with contextlib.suppress(OSError):
            text += read_regular(path, _LONGEST_PROGRAM).decode(errors="replace")
    named = set(re.findall(r"\d+", text))
    return [*sessions[:NEWEST], *(session for session in sessions[NEWEST:] if str(session.name.number) in named)]


def isolate_build(home: Home, layer: Path, command: Sequence[str], work: Path | None = None) -> list[str]:
    """The command that runs `command`, which installs into the environment `layer`, isolated, in its folder `work`."""
    return _command(home, [], [layer], work or layer, command)


def can_be_read(path: Path) -> bool:
    """Whether isolated programs see what lies at a path outside of the home."""
    return not any(real_path(path).is_relative_to(each) for each in _PRIVATE)


def pass_environment(variables: Mapping[str, str], *, installs: bool = False) -> dict[str, str]:
    """The environment variables for an isolated program: those of the system, the network and numerical libraries.

    Other variables may contain secrets. installs: include those of pip and uv.
    """
    return {
        name: value
        for name, value in variables.items()
        if _PASSED.fullmatch(name) or (installs and _PASSED_TO_INSTALLERS.fullmatch(name))
    }


def _command(
    home: Home,
    readable: Iterable[Path],
    writable: Iterable[Path],
    work: Path,
    command: Sequence[str],
    more: Sequence[tuple[Path, list[str]]] = (),
) -> list[str]:
    """bwrap and its arguments. `more`: further mounts, by path. The deepest mount of a path applies."""
    top = real_path(home.path)

    def inside(path: Path) -> Path:
        """The path without links above it. Folders of the home stay in the home even if they are links."""
        return top / path.relative_to(home.path) if path.is_relative_to(home.path) else real_path(path)

    def strays(path: Path) -> bool:
        """Whether a path of the home leads elsewhere by a link inside a folder of the home, perhaps created by a program."""
        if not path.is_relative_to(home.path):
            return False
        own, *rest = path.relative_to(home.path).parts
        return real_path(path) != real_path(home.path / own).joinpath(*rest)

    hidden = [
        top,
        *(real_path(home.path / name) for name in ("datasets", "sessions", "submissions", "output", "damaged")),
    ]
    hidden += map(real_path, organisers_folders(home))
    hidden += [real_path(Path.home() / ".ssh"), *map(Path, _PRIVATE)]
    hidden = sorted({path for path in hidden if path.is_dir() and path != Path("/")})
    mounts = [(path, ["--perms", "0700", "--tmpfs", str(path)]) for path in hidden]
    if home.path != top and any(home.path.is_relative_to(path) for path in hidden):
        mounts.append((home.path, ["--symlink", str(top), str(home.path)]))
    mounts += more
    always = [*_interpreter(), Path("/etc/resolv.conf"), home.marker, home.path / "user.json"]
    for path in dict.fromkeys([*always, *readable]):
        if path.exists() and not strays(path) and any(inside(path).is_relative_to(each) for each in hidden):
            mounts.append((inside(path), ["--ro-bind", str(path), str(inside(path))]))
    for path in dict.fromkeys(writable):
        if strays(path):
            raise RunFailed(f"{path} is a link, or behind one, so a program has put it there; remove it")
        mounts.append((inside(path), ["--bind", str(path), str(inside(path))]))
    words = [*_SYSTEM]
    for pattern in _DEVICES:
        words += [word for device in Path("/dev").glob(pattern) for word in ("--dev-bind", str(device), str(device))]
    for _, mount in sorted(mounts, key=lambda mount: len(mount[0].parts)):
        words += mount
    for path in hidden:
        if str(path) not in _PRIVATE:
            words += ["--remount-ro", str(path)]
    return ["bwrap", *_NAMESPACES, *words, "--chdir", str(inside(work)), "--", *command]


def _cover(path: Path) -> list[str]:
    """The mount that hides a file, or what is in a folder, of a mounted folder."""
    if path.is_dir():
        return ["--tmpfs", str(path), "--remount-ro", str(path)]
    return ["--ro-bind", "/dev/null", str(path)]


def _interpreter() -> list[Path]:
    """The folders of this interpreter, its packages and nsml, which may be inside a hidden folder."""
    packages = (sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib"))
    return list(map(Path, (sys.prefix, sys.base_prefix, *packages, str(Path(__file__).parents[2]))))


def _linked(home: Home, shown: Path) -> tuple[list[Path], list[Path]]:
    """The organiser's folders into which symbolic links of a dataset at this path lead, and what push kept back in them, named like labels.

    Whole folders, as a mount for each file would take hours. None where there are hard links and copies, which need nothing of them.
    """
    try:
        dataset = find_dataset(home, shown.parent.name)
    except NsmlError:
        return [], []
    if not _has_links(shown):
        return [], []
    record = dataset.record()
    source = Path(str(record["source"]))
    side = "test" if shown.name == "submission" else ""
    folders = [source / side / entry.name for entry in os.scandir(shown / side)]
    kept_back = [source / str(name) for name in record.get("like_labels", [])]
    return folders, [path for path in kept_back if any(path.is_relative_to(folder) for folder in folders)]


def _has_links(folder: Path | str) -> bool:
    with os.scandir(folder) as entries:
        return any(e.is_symlink() or (e.is_dir() and _has_links(e.path)) for e in entries)
