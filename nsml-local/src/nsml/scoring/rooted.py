"""Runs an organiser's script that names its files from the root, `/data/<DATASET>/...`, as on the platform's machines.

    python -m nsml.scoring.rooted FOLDER SCRIPT ARGUMENTS...

Files named below /data are looked for below FOLDER; nothing else is changed.
"""

from __future__ import annotations

import builtins
import io
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ROOT = "/data/"


def _led(function: Callable[..., Any], folder: str) -> Callable[..., Any]:
    def call(path: Any = ".", *arguments: Any, **keywords: Any) -> Any:
        if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(_ROOT):
            path = os.path.join(folder, os.fspath(path)[len(_ROOT) :])
        return function(path, *arguments, **keywords)

    return call


def main(folder: str, script: str, arguments: list[str]) -> None:
    """Run `script` as the main program."""
    builtins.open = io.open = _led(open, folder)
    for name in ("stat", "listdir", "scandir", "open", "walk"):
        setattr(os, name, _led(getattr(os, name), folder))
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).parent)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
