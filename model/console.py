"""Arguments, progress lines, times, one-line errors and the exit status."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn, TextIO


class Parser(argparse.ArgumentParser):
    """An argument parser with one-line errors and with defaults in its help."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help explains the arguments\n")

    def add(self, name: str, kind: Callable[[str], Any], default: Any, text: str) -> None:
        """Add an option with one value, converted by `kind`."""
        self.add_argument(name, type=kind, default=default, metavar="N", help=f"{text} (default: {default})")


def counted(count: int, noun: str) -> str:
    """ "1 seed", "2,000 seeds"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def between(kind: type, low: float, high: float) -> Callable[[str], Any]:
    """A type for argparse: an int or a float from `low` to `high`."""

    def convert(text: str) -> Any:
        try:
            if low <= (value := number(kind, text)) <= high:
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{text!r} is not {in_words(kind, low, high)}")

    return convert


def number(kind: Callable[[str], Any], text: str) -> Any:
    """An int or a float in ASCII digits. ValueError for other spellings, such as 1_000."""
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    return kind(text)


def in_words(kind: type, low: float, high: float) -> str:
    """The valid values of an int or a float: "a whole number from 1 to 1000000"."""
    return f"a whole number from {low} to {high}" if kind is int else f"a number from {low:.7g} to {high:.7g}"


class Progress:
    """A progress line. `progress(done, total)` shows it, at most ten times a second on a terminal and every five seconds in a log.

    Args:
        what: name of the task, such as "reading photographs".
        stream: default: stdout.
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
    """Amount done, elapsed time, and the estimated remaining time."""
    left = seconds / max(done, 1) * (total - done)
    return f"{what}: {done} of {total} in {clock(seconds)}" + (f", {clock(left)} left" if done < total else "")


def clock(seconds: float) -> str:
    """Minutes and seconds, such as 2:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def silence_stdout() -> None:
    """Discard further output to stdout, after a BrokenPipeError, so that Python reports no second error when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def exit_status(
    name: str, run: Callable[[argparse.Namespace], object], args: argparse.Namespace, advice: str = ""
) -> int:
    """Run a program. 0: done, 1: failed, 2: wrong use, 130: interrupted. Errors are one line on stderr, or a traceback with `--debug`.

    advice: what to do after an interruption, as the end of its line.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be UTF-8
    try:
        run(args)
    except KeyboardInterrupt:
        print(f"{name}: stopped{advice}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        silence_stdout()
        print(f"{name}: stopped, as the program that read its output has ended{advice}", file=sys.stderr)
        return 1
    except Exception as error:
        if args.debug or os.environ.get("NSML_DEBUG") == "1":
            raise
        print(f"{name}: {one_line(error)}", file=sys.stderr)
        return int(getattr(error, "exit_status", 1))
    return 0


def one_line(error: BaseException) -> str:
    """An exception as one line. Errors of Python and of libraries start with their type, as many are unclear without it."""
    if of_batches := _of_batches(str(error)):
        return f"{of_batches} (--debug shows more)"
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())[:500]  # Keras writes in bold
    ours = type(error).__module__.partition(".")[0] in {"__main__", "main", "model", "dataprep", "evidence", "nsml"}
    return text if ours and text else f"{type(error).__name__}: {text} (--debug shows where)".replace(":  (", " (")


def _of_batches(text: str) -> str:
    """The Python error in TensorFlow's message on a function that makes batches, with its file and line; "" in any other text."""
    text = text.partition("Traceback (most recent call last):")[2]
    found = re.search(r"\n([A-Z]\w+: [^\n]+)\n", text)
    places = re.findall(r'File "([^"\n]+)", line (\d+)', text[: found.start()]) if found else []
    return f"{found[1]} ({places[-1][0]}, line {places[-1][1]})" if found and places else ""
