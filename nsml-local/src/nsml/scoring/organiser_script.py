"""Run an organiser's script as on the platform's machines.

    python -m nsml.scoring.organiser_script [--trace] DATA SCRIPT ARGUMENTS...

Paths below /data are redirected to the folder DATA. With --trace, the last exception in the script, caught or not, is printed to
stderr at the end: `caught NAME: MESSAGE (line N)`.
"""

from __future__ import annotations

import atexit
import builtins
import io
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

_ROOT = "/data"


def _redirected(function: Callable[..., Any], folder: str) -> Callable[..., Any]:
    def call(path: Any = ".", *arguments: Any, **keywords: Any) -> Any:
        name = os.fspath(path) if isinstance(path, str | os.PathLike) else None
        if isinstance(name, str) and (name == _ROOT or name.startswith(f"{_ROOT}/")):
            path = f"{folder}{name.removeprefix(_ROOT)}"
        return function(path, *arguments, **keywords)

    return call


def _print_last_exception(script: str) -> None:
    last: list[str] = []
    error: BaseException | None = None

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal error
        if frame.f_code.co_filename != script:
            return None
        # Where it was raised, not the callers that it passes.
        is_new = event == "exception" and argument[1] is not error
        if is_new and not issubclass(argument[0], StopIteration | GeneratorExit | SystemExit):
            error = argument[1]
            last[:] = [
                f"caught {argument[0].__name__}: {' '.join(str(argument[1]).split())[:300]} (line {frame.f_lineno})"
            ]
        return trace

    sys.settrace(trace)
    atexit.register(lambda: print(*last, file=sys.stderr))


def main(folder: str, script: str, arguments: list[str]) -> None:
    """Run `script` as the main program, with /data redirected to `folder`."""
    builtins.open = io.open = _redirected(open, folder)
    for name in ("stat", "lstat", "access", "listdir", "scandir", "open", "walk"):
        setattr(os, name, _redirected(getattr(os, name), folder))
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).parent)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    if sys.argv[1] == "--trace":
        del sys.argv[1]
        _print_last_exception(sys.argv[2])
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
