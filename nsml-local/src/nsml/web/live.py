"""Looking again and again at what changes on disk, off the event loop, while a page is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, cast

from nicegui import run, ui

from ..errors import NsmlError

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """What the work gives, without holding up the other pages; what it raises is raised."""
    done = False

    def noting() -> T:
        nonlocal done
        result = work()
        done = True
        return result

    found = await run.io_bound(noting)
    if not done:
        raise asyncio.CancelledError  # the server is ending
    return cast("T", found)


def watch(
    seconds: float, look: Callable[[], T], show: Callable[[T], None], on_error: Callable[[str], None]
) -> ui.timer:
    """Call `look` in a thread every so many seconds, and `show` with what it finds where that is another than before.

    A look that fails is told to `on_error` as a line, once for each different line.
    """
    last: list[object] = [object()]

    async def tick() -> None:
        try:
            found = await in_thread(look)
        except (NsmlError, OSError) as error:
            if last[0] != str(error):
                last[0] = str(error)
                on_error(str(error))
            return
        if found != last[0]:
            last[0] = found
            show(found)

    return ui.timer(seconds, tick)
