"""Bytes that change on the disk: what is damaged is named, and everything else works."""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from nsml.errors import NsmlError
from nsml.store.checkpoints import store
from nsml.store.home import Home
from nsml.store.log_cut import write_cut
from nsml.store.metrics import MetricsWriter
from nsml.store.sessions import create_session
from nsml.store.submissions import open_submission, record_score
from stress.counts import Counts, Plan
from stress.homes import DATASET, Ended, new_home, nsml, using

USERS = ("ann", "ben")
# Where a change of each file is told, besides `nsml doctor`: the words of a command, with the session's name for {}.
TOLD_BY = {
    "session.json": ("ps", "-a", "-j"),
    "state.json": ("ps", "-a", "-j"),
    "checkpoint.json": ("model", "ls", "{}"),
    "metrics.jsonl": ("plot", "{}"),
    "log-cut.json": ("logs", "{}"),
    "submission.json": ("dataset", "board", "-j", DATASET),
    "dataset.json": ("dataset", "ls"),
    "weights": ("model", "pull", "{}", "best", os.devnull),
}


def fill(home: Home) -> list[Path]:
    """Two ended sessions with a checkpoint, metrics and a submission each; the files that a change must be noticed in."""
    for number, user in enumerate(USERS):
        session = create_session(home, user, DATASET, {"kind": "run", "entry": "main.py", "arguments": ["--x", user]})
        store(session.checkpoints, "best", _write, elapsed=1.5, summary={"step": 1, "val/score": 70.25})
        writer = MetricsWriter(session.folder)
        for step in range(4):
            writer.append({"step": step, "time": 1.0, "values": {"loss": 1 / (step + 1)}, "summary": True})
        writer.close()
        session.log.write_bytes(b"first\n" + bytes(100) + b"last\n")
        write_cut(session.log, 6, 106)
        session.write_state("Exited", started_at=1.0, ended_at=2.0, exit_status=0)
        folder = open_submission(home, DATASET)
        record_score(folder, user=user, session=str(session.name), checkpoint="best", score=50.0 + number)
    return sorted(path for path in home.path.rglob("*") if path.name in TOLD_BY)


def _write(path: Path) -> None:
    path.mkdir()
    (path / "weights").write_bytes(random.Random(0).randbytes(3000))


@dataclass(frozen=True)
class Change:
    """What happens to a file's bytes. `at` and `count` are shares of its length."""

    kind: str
    at: float
    count: float
    byte: int

    def apply(self, content: bytes) -> bytes:
        """The changed bytes."""
        at = int(self.at * len(content))
        if self.kind == "flip":
            return content[:at] + bytes([content[at] ^ (self.byte or 1)]) + content[at + 1 :]
        if self.kind == "insert":
            return content[:at] + bytes([self.byte]) * (1 + int(self.count * 20)) + content[at:]
        if self.kind == "cut":
            return content[:at]
        if self.kind == "lose":
            return content[:at] + content[at + 1 + int(self.count * 600) :]
        if self.kind == "zero":
            return content[:at] + bytes(len(content[at : at + 512])) + content[at + 512 :]
        return b""


changes = st.builds(
    Change,
    st.sampled_from(["flip", "insert", "cut", "lose", "zero", "empty"]),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1),
    st.integers(0, 255),
)


def losses(home: Home, path: Path, change: Change) -> Iterator[str]:
    """Change a file, look at the home with every command that lists, and put the file back: a line for each promise not kept."""
    content = path.read_bytes()
    changed = change.apply(content)
    if changed == content or _is_whole_lines(path, content, changed) or _is_as_before_checksums(content, changed):
        return
    path.write_bytes(changed)
    try:
        doctor = nsml("doctor")
        if str(path) not in doctor.out:
            yield f"doctor does not name {path} after {change}"
        for words in sorted(set(TOLD_BY.values()) - {TOLD_BY["weights"]}):
            yield from _losses_of(home, path, change, words)
        if path.name == "weights":
            yield from _losses_of(home, path, change, TOLD_BY["weights"])
    finally:
        path.write_bytes(content)


def _is_whole_lines(path: Path, content: bytes, changed: bytes) -> bool:
    """Whether only whole lines of metrics are gone or twice, which no checksum of a line can tell."""
    return path.name == "metrics.jsonl" and changed != b"" and set(changed.split(b"\n")) <= {b"", *content.split(b"\n")}


def _is_as_before_checksums(content: bytes, changed: bytes) -> bool:
    """Whether nothing is lost but the checksum, so that the file is one of an older version, with the same values."""
    with contextlib.suppress(ValueError):
        whole, rest = json.loads(content), json.loads(changed)
        return isinstance(whole, dict) and whole.pop("crc32", None) is not None and whole == rest
    return False


def _losses_of(home: Home, path: Path, change: Change, words: tuple[str, ...]) -> Iterator[str]:
    """Whether a command names the file where it is the one to do so, and shows all that is whole."""
    for user in USERS if "{}" in words else ("",):
        name = f"{user}/{DATASET}/1"
        ended = nsml(*(word.format(name) for word in words))
        where = f"'nsml {' '.join(words)}' of {user or 'all'} after {change} of {path}"
        owner = home.sessions / user if user else home.path
        if words == TOLD_BY["weights"] and not path.is_relative_to(owner):
            continue
        if "Traceback" in ended.err or "bug in nsml" in ended.err:
            yield f"{where}: {ended.err}"
        if TOLD_BY[path.name] == words and path.is_relative_to(owner):
            if str(path) not in ended.err:
                yield f"{where} does not name it: {ended.err or ended.out}"
        elif ended.status and not (path.name == "dataset.json" and str(path) in ended.err):
            # How a board ranks is known from its dataset only.
            yield f"{where} fails: {ended.err}"
        if not user and not ended.status:
            yield from (f"{where} does not show {other}" for other in _hidden(path, words, ended))


def _hidden(path: Path, words: tuple[str, ...], ended: Ended) -> Iterator[str]:
    """The users whose session, or submission, is whole and is not shown."""
    if words == ("dataset", "ls"):
        return
    for number, user in enumerate(USERS, 1):
        damaged = (
            path.name in ("session.json", "state.json") and f"/{user}/" in str(path)
            if words == TOLD_BY["session.json"]
            else path.name == "submission.json" and path.parent.name == str(number)
        )
        if not damaged and f"{user}/{DATASET}/1" not in ended.out:
            yield user


def prove(plan: Plan) -> Counts:
    """Change files `times` times, each time one of them, as Hypothesis likes."""
    counts = Counts()
    until = time.monotonic() + plan.seconds
    home = new_home(plan.folder / "home")
    with using(home.path):
        files = fill(home)

        @seed(plan.seed)
        @settings(
            max_examples=plan.times,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        @given(st.sampled_from(files), changes)
        def corrupt(path: Path, change: Change) -> None:
            if time.monotonic() < until:
                counts.done["corruptions"] += 1
                counts.losses.extend(losses(home, path, change))

        corrupt()
        try:
            rows = json.loads(nsml("ps", "-a", "-j").out)
            counts.check(len(rows) == len(USERS), "a session is gone at the end")
        except (ValueError, NsmlError) as error:
            counts.losses.append(str(error))
    return counts
