"""What a person types and reads: arguments, progress, times, and errors in one line."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn, TextIO


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and whose help names every default."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help explains the arguments\n")

    def add(self, name: str, kind: Callable[[str], Any], default: Any, text: str) -> None:
        """Add an option with one value, which `kind` reads."""
        self.add_argument(name, type=kind, default=default, metavar="N", help=f"{text} (default: {default})")

    def one_of(self, name: str, choices: tuple[str, ...], text: str) -> None:
        """Add an option whose value is one of `choices`; the first is the default."""
        self.add_argument(name, choices=choices, default=choices[0], help=f"{text} (default: {choices[0]})")


def between(kind: type, low: float, high: float) -> Callable[[str], Any]:
    """A `type` for argparse: an int or a float from `low` to `high`."""

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
    """A line of progress: `progress(done, total)` shows it, at most ten times a second on a terminal and every five seconds in a log.

    Args:
        what: what is being done, as "reading photographs".
        stream: stdout unless given.
    """

    def __init__(self, what: str, stream: TextIO | None = None) -> None:
        self.what, self.stream = what, stream or sys.stdout
        self.started = self.shown = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        terminal, over = self.stream.isatty(), done == total
        if not over and now - self.shown < (0.1 if terminal else 5):
            return
        self.shown = now
        line = progress_line(self.what, done, total, now - self.started)
        end = "\n" if over or not terminal else ""
        print(f"\r{line:<79}" if terminal else line, end=end, file=self.stream, flush=True)


def progress_line(what: str, done: int, total: int, seconds: float) -> str:
    """How much is done, and the time that is left at this rate, or that it took."""
    left = seconds / max(done, 1) * (total - done)
    return f"{what}: {done} of {total} in {clock(seconds)}" + (f", {clock(left)} left" if done < total else "")


def clock(seconds: float) -> str:
    """Minutes and seconds, as 2:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def silence_stdout() -> None:
    """Send the rest of stdout nowhere, after a BrokenPipeError: Python would complain about what it cannot write when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def one_line(error: BaseException) -> str:
    """An exception as one line. Errors of Python and of libraries begin with their type, without which many are unclear."""
    text = " ".join(str(error).split())[:500]
    ours = type(error).__module__.partition(".")[0] in {"__main__", "main", "model", "dataprep", "evidence", "nsml"}
    return text if ours and text else f"{type(error).__name__}: {text} (--debug shows where)".replace(":  (", " (")
