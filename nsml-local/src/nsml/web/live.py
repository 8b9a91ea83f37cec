"""Looking again and again at what changes on disk, off the event loop, while a page is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from nicegui import ui

from ..errors import NsmlError

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """What the work gives, without holding up the other pages; what it raises is raised."""
    return await asyncio.to_thread(work)


def watch(
    seconds: float,
    look: Callable[[], T],
    show: Callable[[T], None],
    on_error: Callable[[str], None],
    *,
    now: bool = True,
) -> None:
    """Call `show` with what `look` finds now, if that is wanted; then look again in a thread every so many seconds, and show what is
    another than before.

    A later look that fails is told to `on_error` as a line, once for each different line.
    """
    last: list[object] = [object()]
    if now:
        last[0] = found = look()
        show(found)

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

    ui.timer(seconds, tick, immediate=not now)
