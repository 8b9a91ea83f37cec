"""The log of a session, live and in colour, with a search."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass

from nicegui import ui

from ..errors import NsmlError
from ..store.log_cut import read_cut
from ..store.log_lines import Match, find_lines, read_between, start_of_last_lines
from ..store.sessions import Session
from ..wording import plain, size
from .frame import quiet_button, show_error
from .live import in_thread
from .log_text import to_html
from .texts import Texts

_LINES = 500
_MAX_BYTES = 256 * 1024  # added per update; of faster output only the end is shown
_MAX_LINES = 4000  # in the browser
_MAX_MATCHES = 200


@dataclass(frozen=True)
class _Piece:
    """A part of the log on the page, and its end in the file."""

    element: ui.html
    end: int
    lines: int


class LogView:
    """Shows the end of a log and follows it, unless the user has scrolled up."""

    def __init__(self, session: Session, t: Texts) -> None:
        self._session = session
        self._t = t
        self._start = self._end = 0
        self._pieces: deque[_Piece] = deque()
        with ui.row().classes("w-full items-center gap-2"):
            self._pattern = ui.input(t("Find in the log")).props("dense outlined clearable").classes("w-64")
            self._pattern.on("keydown.enter", self._find)
            quiet_button(t("Find"), on_click=self._find)
            self._count = ui.label().props("role=status").classes("quiet")
        self._matches = ui.column().classes("w-full gap-0 max-h-64 overflow-auto")
        self._matches.set_visibility(False)
        with ui.row().classes("w-full items-center gap-2"):
            self._earlier = quiet_button(t("Earlier lines"), on_click=self._show_earlier)
            quiet_button(t("To the end"), on_click=self._show_end)
            self._note = ui.label().classes("quiet")
        # A reversed column: the browser then stays at the end, or at the position that the user has scrolled to.
        with ui.element("div").classes("log").props(f'tabindex=0 role=log aria-label="{t("Log")}"') as self._box:
            self._lines = ui.element("div")
        self._follows = True
        self._timer = ui.timer(0.5, self._look)

    async def _look(self) -> None:
        if not self._follows:
            return
        try:
            new = await in_thread(self._read_new)
        except OSError as error:
            show_error(str(error))
            self._timer.cancel()
            return
        if new is None:
            self._note.set_text(self._why_empty())
            return
        content, skipped = new
        self._note.set_text(
            self._t("{size} of output skipped; 'Earlier lines' shows it", size=size(skipped)) if skipped else ""
        )
        if skipped:
            self._clear()
        if content:
            self._append(content, self._end)
        self._earlier.set_visibility(self._start > 0)

    def _why_empty(self) -> str:
        with contextlib.suppress(NsmlError):
            if self._session.record().get("kind") == "foreground":
                return self._t("This session ran in the foreground; its output went to the terminal")
        return self._t("No output yet")

    def _read_new(self) -> tuple[bytes, int] | None:
        """New whole lines, and the number of bytes skipped before them; None if there is no log."""
        try:
            length = self._session.log.lstat().st_size
        except FileNotFoundError:
            return None
        after = read_cut(self._session.log)[1]
        skipped = 0
        with self._session.open_log() as log:
            if self._end == 0 or length < self._end:
                least = max(after, length - 4 * _MAX_BYTES)
                self._start = self._end = start_of_last_lines(log, _LINES, least=least)
            elif length - self._end > 4 * _MAX_BYTES or self._end < after:
                begin = start_of_last_lines(log, _LINES, least=max(after, length - _MAX_BYTES))
                skipped, self._start, self._end = begin - self._end, begin, begin
        content = read_between(self._session.log, self._end, min(length, self._end + _MAX_BYTES))
        whole = content.rfind(b"\n") + 1
        if not whole and len(content) >= _MAX_BYTES:
            whole = len(content)
        self._end += whole
        return content[:whole], skipped

    def _append(self, content: bytes, end: int) -> None:
        self._pieces.append(self._piece(content, end))
        while sum(piece.lines for piece in self._pieces) > _MAX_LINES and len(self._pieces) > 1:
            dropped = self._pieces.popleft()
            dropped.element.delete()
            self._start = dropped.end

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
        with self._session.open_log() as log:
            if first < end <= after:
                # Skip the part that was cut from the log.
                start = start_of_last_lines(log, _LINES, least=max(0, first - _MAX_BYTES), end=first)
            else:
                least = after if end > after else 0
                start = start_of_last_lines(log, _LINES, least=max(least, end - _MAX_BYTES), end=end)
        return start, read_between(self._session.log, start, end)

    async def _show_end(self) -> None:
        self._clear()
        self._start = self._end = 0
        self._follows = True
        await self._look()
        ui.run_javascript(f"getElement({self._box.id}).scrollTop = 0")

    async def _find(self) -> None:
        text = str(self._pattern.value or "")
        self._matches.clear()
        if not text or not self._session.log.exists():
            self._matches.set_visibility(False)
            self._count.set_text("")
            return
        matches = await in_thread(lambda: list(find_lines(self._session.log, text, _MAX_MATCHES)))
        t = self._t
        count = "First matching lines: {count}" if len(matches) == _MAX_MATCHES else "Matching lines: {count}"
        self._count.set_text(t(count, count=len(matches)))
        self._matches.set_visibility(bool(matches))
        with self._matches:
            for match in matches:
                self._match(match)

    def _match(self, match: Match) -> None:
        async def show() -> None:
            await self._show_around(match.start)

        button = quiet_button("", on_click=show).props("align=left").classes("w-full")
        with button:
            ui.label(plain(match.text)).classes("mono text-left")

    async def _show_around(self, position: int) -> None:
        """Stop following and show the lines around a position in the file."""
        self._follows = False

        def read() -> tuple[int, bytes]:
            with self._session.open_log() as log:
                start = (
                    start_of_last_lines(log, 20, least=max(0, position - _MAX_BYTES), end=position) if position else 0
                )
            content = read_between(self._session.log, start, position + _MAX_BYTES // 4)
            return start, b"\n".join(content.split(b"\n")[:_LINES])

        start, content = await in_thread(read)
        self._clear()
        self._start = start
        self._append(content, start + len(content))
        self._earlier.set_visibility(start > 0)
        # In a reversed column, -scrollHeight is the top.
        ui.run_javascript(f"const box = getElement({self._box.id}); box.scrollTop = -box.scrollHeight")
