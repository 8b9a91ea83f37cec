"""Polling of files in a thread while a page is open."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from nicegui import ui

from ..errors import NsmlError, RunFailed

T = TypeVar("T")


_reading = asyncio.Semaphore(32)
_long_work: set[threading.Thread] = set()
_ending = threading.Event()


async def in_thread(work: Callable[[], T]) -> T:
    """Run `work`, a short read, in a thread, so that other pages do not wait. Returns its result or raises its exception."""
    async with _reading:
        return await _in_thread(work)


async def in_own_thread(work: Callable[[], T]) -> T:
    """`in_thread` for work that may take minutes: it takes no reader's place. It must call `stop_if_ending` now and then."""
    return await _in_thread(work, _long_work)


async def _in_thread(work: Callable[[], T], register: set[threading.Thread] | None = None) -> T:
    # Not asyncio.to_thread, since Python waits for its threads at the exit, however long they work.
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(error: BaseException | None, value: T | None = None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        try:
            done = partial(settle, None, work())
        except BaseException as error:
            done = partial(settle, error)
        if register is not None:
            register.discard(thread)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(done)

    thread = threading.Thread(target=run, name="nsml-web", daemon=True)
    if register is not None:
        register.add(thread)
    thread.start()
    return await result


def stop_if_ending(*_: object) -> None:
    """RunFailed when the server ends."""
    if _ending.is_set():
        raise RunFailed("nsml web has ended; run it again")


async def end_long_work(patience: float = 3.0) -> None:
    """Have all long work stop, and wait so long at most, in seconds. What is not done by then is killed with the process."""
    _ending.set()
    until = time.monotonic() + patience
    while _long_work and time.monotonic() < until:
        await asyncio.sleep(0.05)


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
    on_error: called with the message when `look` or `show` fails, once for each different message
    """
    last: list[object] = [object()]

    def take(result: T) -> None:
        if result != last[0]:
            show(result)
            last[0] = result

    def fail(error: Exception) -> None:
        message = str(error) if isinstance(error, NsmlError | OSError) else f"{type(error).__name__}: {error}"
        if last[0] != message:
            last[0] = message
            on_error(message)

    if now:
        # Whatever a program has left to be read, the rest of the page is shown.
        try:
            take(look())
        except Exception as error:
            fail(error)

    async def tick() -> None:
        try:
            take(await in_thread(look))
        except Exception as error:
            fail(error)

    ui.timer(seconds, tick, immediate=not now)


def when_opened(work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` once, when a browser has opened the page: whoever only fetches it, another site for instance, starts nothing."""
    begun: list[bool] = []

    async def connected() -> None:
        if not begun:
            begun.append(True)
            await work()

    ui.context.client.on_connect(connected)
