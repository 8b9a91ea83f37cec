"""Run an installer and show its progress: pip and uv may need minutes for one package."""

from __future__ import annotations

import queue
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..wording import duration, plain, size

EVERY = 10.0
# Of `pip install --progress-bar raw`, bytes.
_BYTES = re.compile(r"^Progress (\d+) of (\d+)$")
# What pip and uv begin, among much else that they say.
_STEP = re.compile(
    r"^\s*(Building|Collecting|Downloading|Getting|Installing|Prepar(ed|ing)|Processing|Resolved|Running) "
)
_LONGEST = 160


class Watch:
    """The output of an installer, `lines`, and a progress line. Times are seconds of any one clock."""

    def __init__(self, begun: float) -> None:
        self.lines: list[str] = []
        self._begun = begun
        self._first: tuple[float, int] | None = None
        self._last: tuple[float, int, int] | None = None

    def take(self, line: str, now: float) -> None:
        """Add a line of output, without its line break."""
        if (match := _BYTES.match(line)) is None:
            self.lines.append(line)
            self._first = self._last = None
            return
        done, total = int(match[1]), int(match[2])
        self._first = self._first or (now, done)
        self._last = now, done, total

    def progress(self, now: float) -> str:
        """The last step and its progress: "installing for 1 minute: Downloading a.whl, 412 MB of 888 MB, 8.2 MB/s, ..."."""
        said = next((line for line in reversed(self.lines) if _STEP.match(line)), "")
        text = f"installing for {duration(now - self._begun)}"
        if said:
            text += f": {' '.join(plain(said).split())[:_LONGEST]}"
        if self._first is None or self._last is None:
            return text
        moment, done, total = self._last
        text += f", {size(done)} of {size(total)}"
        passed, more = moment - self._first[0], done - self._first[1]
        if passed > 0 and more > 0:
            rate = more / passed
            text += f", {size(rate)}/s, {duration(max(total - done, 0) / rate)} left"
        return text


def follow(
    command: Sequence[str],
    environment: Mapping[str, str],
    show: Callable[[str], None],
    timeout: float,
    every: float = EVERY,
    *,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `command` in `folder` to its end; `show` gets a progress line every `every` seconds.

    Returns:
        Its status, and as `stdout` all that it printed, errors too, but for its bytes' progress.

    Raises:
        subprocess.TimeoutExpired: it took longer than `timeout` seconds, and was killed.
    """
    process = subprocess.Popen(
        command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", cwd=folder,
    )  # fmt: skip
    begun = time.monotonic()
    watch, next_time = Watch(begun), begun + every
    printed: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(process, printed), daemon=True).start()
    try:
        while True:
            if (now := time.monotonic()) >= begun + timeout:
                raise subprocess.TimeoutExpired(list(command), timeout)
            if now >= next_time:
                show(watch.progress(now))
                next_time = now + every
            try:
                line = printed.get(timeout=min(next_time, begun + timeout) - now)
            except queue.Empty:
                continue
            if line is None:
                break
            watch.take(line, time.monotonic())
        status = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    return subprocess.CompletedProcess(list(command), status, "\n".join(watch.lines), "")


def _read(process: subprocess.Popen[str], printed: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout as output:
        for line in output:
            printed.put(line.rstrip("\n"))
    printed.put(None)
