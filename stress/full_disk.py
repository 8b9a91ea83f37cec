"""A disk that fills up during a save: the checkpoint before is still there, whole."""

from __future__ import annotations

import random
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nsml.errors import NsmlError
from nsml.store.checkpoints import find_checkpoint, store
from nsml.store.home import open_home
from nsml.store.metrics import MetricsWriter, read_metrics
from nsml.store.sessions import Session, create_session
from stress.counts import Counts, Plan
from stress.homes import using

_TMPFS = 1 << 20


def prove(plan: Plan) -> Counts:
    """Save `times` checkpoints of random sizes by a limit of a file's size, and on a tmpfs of a megabyte where one may be mounted."""
    counts = Counts()
    with using(plan.folder / "home"):
        _save(plan, plan.folder / "home", _limited_files, counts)
    with _small_disk(plan.folder / "disk") as mounted:
        if mounted:
            with using(plan.folder / "disk" / "home"):
                _save(plan, plan.folder / "disk" / "home", _as_it_is, counts)
        else:
            print("full_disk: no tmpfs may be mounted here, so only a limit of a file's size was tried", flush=True)
    return counts


def _save(plan: Plan, home: Path, limit: Callable[[random.Random], Iterator[None]], counts: Counts) -> None:
    chance = random.Random(plan.seed)
    until = time.monotonic() + plan.seconds
    session = create_session(open_home(home), "me", "D", {"entry": "main.py", "arguments": []})
    saved = lines = 0
    for value in range(1, plan.times + 1):
        if time.monotonic() > until:
            break
        size = chance.randrange(1, 300_000)
        try:
            with contextmanager(limit)(chance):
                writer = MetricsWriter(session.folder)
                try:
                    writer.append({"step": value, "time": 0.0, "values": {"text": "x" * chance.randrange(2000)}})
                    lines += 1
                except OSError:
                    counts.done["lines refused"] += 1
                finally:
                    writer.close()
                store(session.checkpoints, "last", _writer(value, size), elapsed=0.0, summary={})
            saved = value
            counts.done["saves"] += 1
        except OSError:
            counts.done["full disks"] += 1
        _check(session, saved, counts)
    counts.check(len(read_metrics(session.folder)[0]) >= lines, "a metric line that was written is gone")


def _writer(value: int, size: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.mkdir()
        for name in ("a", "b"):
            (path / name).write_text(f"{value}\n" + "x" * size)

    return write


def _check(session: Session, saved: int, counts: Counts) -> None:
    if not saved:
        return
    try:
        checkpoint = find_checkpoint(session.checkpoints, "last", str(session.name))
        checkpoint.verify()
        value = int((checkpoint.model / "b").read_text().split("\n", 1)[0])
        counts.check(value == saved, f"save {value} is there, {saved} was the last")
    except (NsmlError, OSError, ValueError) as error:
        counts.losses.append(f"after save {saved}: {error}")
    left = [path.name for path in session.checkpoints.iterdir() if path.name.startswith(".")]
    counts.check(not left, f"left behind: {left}")


def _limited_files(chance: random.Random) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (chance.randrange(100, 400_000), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _as_it_is(chance: random.Random) -> Iterator[None]:
    yield


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """Whether a disk of a megabyte could be mounted at `folder`."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_TMPFS}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], capture_output=True, check=False)
