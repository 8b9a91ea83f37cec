"""What a person reads: arguments checked in one line, progress, and times."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose help names every default."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help explains the arguments\n")

    def add(self, name: str, kind: Callable[[str], Any], default: Any, text: str) -> None:
        """Add an argument of one value."""
        self.add_argument(name, type=kind, default=default, metavar="N", help=f"{text} (default: {default})")

    def one_of(self, name: str, choices: tuple[str, ...], text: str) -> None:
        """Add an argument that is one of a few words, of which the first is the default."""
        self.add_argument(name, choices=choices, default=choices[0], help=f"{text} (default: {choices[0]})")


def between(kind: type, low: float, high: float) -> Callable[[str], Any]:
    """A converter for argparse: a number of that kind in low..high."""

    def convert(text: str) -> Any:
        try:
            if low <= kind(text) <= high:
                return kind(text)
        except ValueError:
            pass
        what = "a whole number" if kind is int else "a number"
        raise argparse.ArgumentTypeError(f"{text!r} is not {what} from {low:g} to {high:g}")

    return convert


class Progress:
    """Called as progress(done, total). On a terminal one line that is written over, in a log a line every few seconds and at the end."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.started = self.shown = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        terminal, over = sys.stdout.isatty(), done == total
        if not over and now - self.shown < (0.1 if terminal else 5):
            return
        self.shown = now
        line = f"{self.what}: {done} of {total}, {now - self.started:.1f} s"
        print(f"\r{line}" if terminal else line, end="\n" if over or not terminal else "", flush=True)


def clock(seconds: float) -> str:
    """Minutes and seconds, 2:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def one_line(error: BaseException) -> str:
    """An exception in one line. Errors of Python and of libraries get their type in front, since many a message is only half without it."""
    text = " ".join(str(error).split())[:500]
    ours = type(error).__module__.partition(".")[0] in {"__main__", "main", "model", "dataprep", "evidence", "nsml"}
    return text if ours and text else f"{type(error).__name__}: {text} (--debug shows where)".replace(":  (", " (")
