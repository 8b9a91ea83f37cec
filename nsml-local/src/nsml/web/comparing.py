"""Runs `nsml compare` for the page."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

from nicegui import Client

from .site import Site

_COMPARING = 120.0  # seconds
_comparing = asyncio.Semaphore(1)


async def compare(site: Site, client: Client, *words: str) -> tuple[str, str]:
    """Output and error of `nsml compare WORDS`, after that of others who asked before; both empty where the client has gone.

    It runs as a process, since its statistics take seconds and much memory to import.
    """
    async with _comparing:
        if client.is_deleted:
            return "", ""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "nsml",
            "compare",
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "NSML_HOME": str(site.home.path)},
        )

        def end() -> None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

        client.on_delete(end)
        try:
            out, err = await asyncio.wait_for(process.communicate(), _COMPARING)
        except TimeoutError:
            return "", f"no answer in {_COMPARING:.0f} seconds; try 'nsml compare {' '.join(words)}'"
        finally:
            end()
    error = "" if process.returncode == 0 else err.decode(errors="replace")
    return "" if error else out.decode(errors="replace"), error
