"""The log of a session: its end, live, with colours; earlier lines and a search on demand."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass

from nicegui import ui

from ..errors import NsmlError
from ..store.files import regular
from ..store.log_cut import read_cut
from ..store.log_lines import Found, find_lines, read_between, start_of_last_lines
from ..store.sessions import Session
from ..wording import plain, size
from .frame import quiet_button, tell
from .live import in_thread
from .log_text import to_html
from .texts import Texts

_LINES = 500
# What is added at one look; of a program that prints faster, the end is shown.
_MOST = 256 * 1024
# Lines that the browser holds while it follows.
_HELD = 4000
_MATCHES = 200


@dataclass(frozen=True)
class _Piece:
    """A stretch of the log in the window, and where in the file it ends."""

    element: ui.html
    end: int
    lines: int


class LogView:
    """A window on a log that keeps to its end, or stays where the reader has scrolled to."""

    def __init__(self, session: Session, t: Texts) -> None:
        self._session = session
        self._t = t
        self._start = self._end = 0
        self._pieces: deque[_Piece] = deque()
        with ui.row().classes("w-full items-center gap-2"):
            self._wanted = ui.input(t("Find in the log")).props("dense outlined clearable").classes("w-64")
            self._wanted.on("keydown.enter", self._find)
            quiet_button(t("Find"), on_click=self._find)
            self._count = ui.label().props("role=status").classes("quiet")
        self._matches = ui.column().classes("w-full gap-0 max-h-64 overflow-auto")
        self._matches.set_visibility(False)
        with ui.row().classes("w-full items-center gap-2"):
            self._earlier = quiet_button(t("Earlier lines"), on_click=self._show_earlier)
            quiet_button(t("To the end"), on_click=self._show_end)
            self._note = ui.label().classes("quiet")
        # Laid out from the bottom, so that the browser keeps to the end, and to where one reads when one has scrolled up.
        with ui.element("div").classes("log").props(f'tabindex=0 role=log aria-label="{t("Log")}"') as self._box:
            self._lines = ui.element("div")
        self._follows = True
        self._timer = ui.timer(0.5, self._look)

    async def _look(self) -> None:
        if not self._follows:
            return
        try:
            found = await in_thread(self._read_new)
        except OSError as error:
            tell(str(error))
            self._timer.cancel()
            return
        if found is None:
            self._note.set_text(self._why_empty())
            return
        content, passed = found
        self._note.set_text(
            self._t("{size} more were printed and are passed over; 'Earlier lines' shows them", size=size(passed))
            if passed
            else ""
        )
        if passed:
            self._clear()
        if content:
            self._append(content, self._end)
        self._earlier.set_visibility(self._start > 0)

    def _why_empty(self) -> str:
        with contextlib.suppress(NsmlError):
            if self._session.record().get("kind") == "foreground":
                return self._t("It ran in the foreground; its output went to the terminal")
        return self._t("Nothing was printed yet")

    def _read_new(self) -> tuple[bytes, int] | None:
        """What is new, in whole lines, and how many bytes before it are passed over; None where there is no log."""
        try:
            length = self._session.log.lstat().st_size
        except FileNotFoundError:
            return None
        after = read_cut(self._session.log)[1]
        passed = 0
        with regular(self._session.log) as log:
            if self._end == 0 or length < self._end:
                least = max(after, length - 4 * _MOST)
                self._start = self._end = start_of_last_lines(log, _LINES, least=least)
            elif length - self._end > 4 * _MOST or self._end < after:
                begin = start_of_last_lines(log, _LINES, least=max(after, length - _MOST))
                passed, self._start, self._end = begin - self._end, begin, begin
        content = read_between(self._session.log, self._end, min(length, self._end + _MOST))
        whole = content.rfind(b"\n") + 1
        if not whole and len(content) >= _MOST:
            whole = len(content)
        self._end += whole
        return content[:whole], passed

    def _append(self, content: bytes, end: int) -> None:
        self._pieces.append(self._piece(content, end))
        while sum(piece.lines for piece in self._pieces) > _HELD and len(self._pieces) > 1:
            # 'Earlier lines' goes on from what is left.
            gone = self._pieces.popleft()
            gone.element.delete()
            self._start = gone.end

    def _piece(self, content: bytes, end: int) -> _Piece:
        with self._lines:
            element = ui.html(f"<pre>{to_html(content)}</pre>", sanitize=False)
        return _Piece(element, end, content.count(b"\n") + 1)

    def _clear(self) -> None:
        self._lines.clear()
        self._pieces.clear()

    async def _show_earlier(self) -> None:
        start, content = await in_thread(lambda: self._read_earlier(self._start))
        if not content:
            return
        piece = self._piece(content, self._start)
        self._start = start
        self._pieces.appendleft(piece)
        piece.element.move(target_index=0)
        self._earlier.set_visibility(self._start > 0)

    def _read_earlier(self, end: int) -> tuple[int, bytes]:
        first, after = read_cut(self._session.log)
        with regular(self._session.log) as log:
            if first < end <= after:
                # Over what was cut out, in one step.
                start = start_of_last_lines(log, _LINES, least=max(0, first - _MOST), end=first)
            else:
                least = after if end > after else 0
                start = start_of_last_lines(log, _LINES, least=max(least, end - _MOST), end=end)
        return start, read_between(self._session.log, start, end)

    async def _show_end(self) -> None:
        self._clear()
        self._start = self._end = 0
        self._follows = True
        await self._look()
        ui.run_javascript(f"getElement({self._box.id}).scrollTop = 0")

    async def _find(self) -> None:
        text = str(self._wanted.value or "")
        self._matches.clear()
        if not text or not self._session.log.exists():
            self._matches.set_visibility(False)
            self._count.set_text("")
            return
        found = await in_thread(lambda: list(find_lines(self._session.log, text, _MATCHES)))
        t = self._t
        told = "the first {count} lines found" if len(found) == _MATCHES else "{count} lines found"
        self._count.set_text(t(told, count=len(found)) if found else t("No line holds that"))
        self._matches.set_visibility(bool(found))
        with self._matches:
            for match in found:
                self._match(match)

    def _match(self, match: Found) -> None:
        async def show() -> None:
            await self._show_around(match.start)

        button = quiet_button("", on_click=show).props("align=left").classes("w-full")
        with button:
            ui.label(plain(match.text)).classes("mono text-left")

    async def _show_around(self, place: int) -> None:
        """Stop following, and show the lines around a place."""
        self._follows = False

        def read() -> tuple[int, bytes]:
            with regular(self._session.log) as log:
                start = start_of_last_lines(log, 20, least=max(0, place - _MOST), end=place) if place else 0
            content = read_between(self._session.log, start, place + _MOST // 4)
            return start, b"\n".join(content.split(b"\n")[:_LINES])

        start, content = await in_thread(read)
        self._clear()
        self._start = start
        self._append(content, start + len(content))
        self._earlier.set_visibility(start > 0)
        # From the bottom: as far up as it goes.
        ui.run_javascript(f"const box = getElement({self._box.id}); box.scrollTop = -box.scrollHeight")
