"""Polling of files in a thread while a page is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from nicegui import ui

from ..errors import NsmlError

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread, so that other pages do not wait. Returns its result or raises its exception."""
    return await asyncio.to_thread(work)


def watch(
    seconds: float,
    look: Callable[[], T],
    show: Callable[[T], None],
    on_error: Callable[[str], None],
    *,
    now: bool = True,
) -> None:
    """Call `look` in a thread every `seconds`, and `show` whenever its result changes.

    now: also do so once immediately, in the caller's thread
    on_error: called with the message when `look` fails, once for each different message
    """
    last: list[object] = [object()]
    if now:
        last[0] = result = look()
        show(result)

    async def tick() -> None:
        try:
            result = await in_thread(look)
        except (NsmlError, OSError) as error:
            if last[0] != str(error):
                last[0] = str(error)
                on_error(str(error))
            return
        if result != last[0]:
            last[0] = result
            show(result)

    ui.timer(seconds, tick, immediate=not now)
