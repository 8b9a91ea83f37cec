"""How far the audit is: one line that is written over on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import sys
import time


class Progress:
    """Called as progress(done, total). It writes to stderr, so that the table alone can be sent elsewhere."""

    def __init__(self, what: str, every: float = 5.0) -> None:
        self.what, self.every = what, every
        self.started = self.shown = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        terminal, over = sys.stderr.isatty(), done == total
        if not over and now - self.shown < (0.1 if terminal else self.every):
            return
        self.shown = now
        line = describe(self.what, done, total, now - self.started)
        print(
            f"\r{line:<79}" if terminal else line, end="\n" if over or not terminal else "", file=sys.stderr, flush=True
        )


def describe(what: str, done: int, total: int, seconds: float) -> str:
    """Done, rate, and the seconds that are left at that rate."""
    rate = done / max(seconds, 1e-9)
    rest = f"{seconds:.0f} s" if done == total else f"{(total - done) / max(rate, 1e-9):.0f} s left"
    return f"{what}: {done} of {total}, {rate:.0f} a second, {rest}"
