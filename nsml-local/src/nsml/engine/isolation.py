"""Programs that reach no labels, whatever they read as the user who started them: each runs in bubblewrap, see bwrap(1) (Linux only).

While a home holds a dataset that was pushed with --isolate, this holds for every program of it. A program sees the system read-only, an
empty home, and of that only what it needs; it writes into its working folder, its checkpoints and its output. It has its own processes,
/tmp, /dev and environment, and whatever it started ends with it.
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
from types import MappingProxyType
from typing import Any

from ..errors import Damaged, NsmlError, RunFailed
from ..store import metrics
from ..store.datasets import Dataset, find_dataset, isolated_datasets, list_datasets
from ..store.files import make_private, read_regular, real_path, write_bytes
from ..store.home import Home
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
_SYSTEM = ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
# Below /run are the sockets of services that do things for the user: containers, systemd, D-Bus.
_PRIVATE = ("/tmp", "/var/tmp", "/run")
_DEVICES = ("nvidia*", "dri", "kfd", "dxg")
_PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|TZ|TERM|COLUMNS|LD_LIBRARY_PATH|VIRTUAL_ENV|(HF|TORCH|KERAS)_HOME|XDG_CACHE_HOME"
    r"|PYTHON\w*|(LC|CUDA|CUDNN|NVIDIA|NCCL|HIP|ROCR|TF|XLA|KERAS|PYTORCH|JAX|OMP|OPENBLAS|MKL|NUMEXPR|OPENCV)_\w+"
    r"|NSML_(?!WEB_)\w+|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|(https?|all|no)_proxy|(HTTPS?|ALL|NO)_PROXY"
)  # fmt: skip
_PASSED_TO_INSTALLERS = re.compile(r"(PIP|UV)_\w+")
# How many sessions' checkpoints a program sees without naming them.
NEWEST = 30
_LONGEST_PROGRAM = 1 << 20  # bytes


def why_not() -> str:
    """Why no program can be isolated on this machine; "" where it can."""
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
    told = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    found = re.search(r"(\d+)\.(\d+)", told)
    if found is None or tuple(map(int, found.groups())) < _OLDEST:
        return f"{told or 'bwrap'} is too old; install bubblewrap {'.'.join(map(str, _OLDEST))} or later"
    return ""


def check_isolation(home: Home) -> None:
    """RunFailed where programs of this home are to be isolated, and cannot be here."""
    if (found := isolated_datasets(home)) and (why := _why_no_bubblewrap()):
        raise RunFailed(
            f"dataset {found[0].name} was pushed with --isolate, so every program of {home.path} is isolated, which this machine "
            f"cannot do: {why}"
        )


def isolate_program(
    home: Home, launch: Mapping[str, Any], folder: Path, work: Path, python: str, writable: Iterable[Path], command: Sequence[str]
) -> list[str]:  # fmt: skip
    """The command that runs `command`, the program of `folder/launch.json`, isolated in `work`.

    Args:
        python: its interpreter.
        writable: folders into which it writes besides its work, its output and, in a session, its checkpoints.
    """
    session = Path(launch["session"])
    # A path without a dot may be a link in /tmp to the dataset's folder, see `plain_path`.
    paths = [Path(path) for path in launch["dataset_paths"]]
    folders = [Path(os.readlink(path)) if path.is_symlink() else path for path in paths]
    links = {path: shown for path, shown in zip(paths, folders, strict=True) if path != shown}
    readable = [folder / FILE, session / "checkpoints", session / metrics.FILE, *folders]
    readable += [each.checkpoints for each in _loadable_sessions(home, launch, work)]
    if launch.get("source"):
        readable.append(home.sessions / launch["source"] / "checkpoints")
    if launch.get("loader"):
        readable.append(Path(launch["loader"]).parent)
    writes = [work, make_private(home.output / launch["user"]), *writable]
    if folder == session:
        # A file is mounted where there is one; one without a single byte counts as damaged.
        if not (session / metrics.FILE).exists():
            write_bytes(session / metrics.FILE, b"\n")
        writes += [session / "checkpoints", session / metrics.FILE, make_private(session / ANSWERS)]
    if (environments := home.path / "environments") in Path(python).parents:
        readable.append(environments / Path(python).relative_to(environments).parts[0])
    for shown in folders:
        readable += _linked(home, shown)
    return _command(home, readable, writes, work, command, links)


def _loadable_sessions(home: Home, launch: Mapping[str, Any], work: Path) -> list[Session]:
    """The sessions of its user whose checkpoints a program may load: the newest, and those whose number its arguments or files contain.

    Not all, since bubblewrap takes longer for each mount: 0.05 s for 100 in all, 14 s for 2000.
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


def isolate_build(home: Home, layer: Path, command: Sequence[str]) -> list[str]:
    """The command that runs `command`, which installs into the environment `layer`, isolated."""
    return _command(home, [], [layer], layer, command)


def pass_environment(variables: Mapping[str, str], *, installs: bool = False) -> dict[str, str]:
    """Those of the variables that an isolated program is given: what the system, the network and the numerical libraries go by.

    Others may hold secrets. An installer is given its own too.
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
    links: Mapping[Path, Path] = MappingProxyType({}),
) -> list[str]:
    """bwrap with its arguments; `links` are made, each to its value. The deepest mount decides what is seen at a path."""
    top = real_path(home.path)

    def inside(path: Path) -> Path:
        """Where a path lies, without a link above it; the home's own folders are in their place even where they are links."""
        return top / path.relative_to(home.path) if path.is_relative_to(home.path) else real_path(path)

    def strays(path: Path) -> bool:
        """Whether a path of the home leads elsewhere by a link below the home's own folders, as one that a program made may."""
        if not path.is_relative_to(home.path):
            return False
        own, *rest = path.relative_to(home.path).parts
        return real_path(path) != real_path(home.path / own).joinpath(*rest)

    hidden = [top, *(real_path(home.path / name) for name in ("datasets", "sessions", "submissions", "output"))]
    hidden += [real_path(source) for dataset in list_datasets(home) if (source := _source(dataset)) is not None]
    hidden += [real_path(Path.home() / ".ssh"), *map(Path, _PRIVATE)]
    hidden = sorted({path for path in hidden if path.is_dir() and path != Path("/")})
    mounts = [(path, ["--perms", "0700", "--tmpfs", str(path)]) for path in hidden]
    if home.path != top and any(home.path.is_relative_to(path) for path in hidden):
        mounts.append((home.path, ["--symlink", str(top), str(home.path)]))
    mounts += [(link, ["--symlink", str(target), str(link)]) for link, target in links.items()]
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


def _interpreter() -> list[Path]:
    """The folders of this interpreter, of its packages and of nsml, which may lie in a folder that is hidden."""
    packages = (sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib"))
    return list(map(Path, (sys.prefix, sys.base_prefix, *packages, str(Path(__file__).parents[2]))))


def _source(dataset: Dataset) -> Path | None:
    """The organiser's folder, where that is known and there."""
    try:
        source = Path(str(dataset.record()["source"]))
    except Damaged:
        return None
    return source if source.is_absolute() else None


def _linked(home: Home, shown: Path) -> list[Path]:
    """What a dataset that is not isolated shows at this path by links into the organiser's folder, without the labels."""
    try:
        dataset = find_dataset(home, shown.parent.name)
    except NsmlError:
        return []
    source = _source(dataset)
    if dataset.isolated() or source is None:
        return []
    names = [entry.name for entry in os.scandir(shown)]
    if shown.name == "submission":
        return [source / "test" / entry.name for entry in os.scandir(shown / "test")] if "test" in names else []
    return [source / name for name in names]
