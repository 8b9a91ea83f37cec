"""Two sessions side by side: the verdict of `nsml compare`, arguments, environment, results and code."""

from __future__ import annotations

import difflib
import html
from collections.abc import Iterable
from functools import partial
from typing import Any

from fastapi import Request
from nicegui import ui

from ..engine.differences import arguments_of, content_of, environment_of, names_of_differing_files, pairs
from ..errors import NsmlError
from ..store.metrics import last_summary
from ..store.sessions import Session, list_sessions
from ..wording import number, plain, short
from .comparing import compare
from .frame import data_table, frame, heading, nothing_here
from .live import in_thread, when_opened
from .site import Site, diff_address, session_address
from .texts import Texts

_CONTEXT_LINES = 3
_MAX_LINES = 5_000  # of both files
_MAX_FILES = 100
_MAX_VERDICT = 20_000  # letters


def register(site: Site) -> None:
    """Register the page."""

    @ui.page("/diff", response_timeout=60)
    async def diff(request: Request, first: str = "", second: str = "") -> None:
        with frame(site, request, "") as t:
            heading(t("Differences"))
            _choice(site, first, second, t)
            if not (first and second):
                return
            try:
                one, other = site.session(first), site.session(second)
                tables = await in_thread(lambda: _tables(one, other, t))
            except NsmlError as error:
                nothing_here(error, f"{first}, {second}", t)
                return
            heading(t("Is one better?"), 2)
            verdict = ui.label(t("comparing")).classes("mono as-is").props("role=status tabindex=0")
            when_opened(partial(_show_verdict, site, one, other, verdict))
            for title, both in tables:
                heading(title, 2)
                _table(both, one, other, t)
            await _files(one, other, t)


def _choice(site: Site, first: str, second: str, t: Texts) -> None:
    names = [str(session.name) for session in list_sessions(site.home)]
    with ui.row().classes("items-center gap-2"):
        chosen = [
            ui.select(names, value=value if value in names else None, label=label, with_input=True)
            .props("dense outlined")
            .classes("w-64")
            for value, label in ((first, t("First session")), (second, t("Second session")))
        ]

        def go() -> None:
            if all(select.value for select in chosen):
                ui.navigate.to(diff_address(str(chosen[0].value), str(chosen[1].value)))

        ui.button(t("Compare"), on_click=go).props("no-caps")


def _tables(one: Session, other: Session, t: Texts) -> list[tuple[str, dict[str, tuple[Any, Any]]]]:
    return [
        (t("Arguments"), pairs(arguments_of(one), arguments_of(other))),
        (t("Results"), pairs(last_summary(one.folder), last_summary(other.folder))),
        (t("Environment"), pairs(environment_of(one), environment_of(other))),
    ]


def _table(both: dict[str, tuple[Any, Any]], one: Session, other: Session, t: Texts) -> None:
    rows = [
        {"name": plain(name), "first": _text(a), "second": _text(b), "differs": "≠" if a != b else ""}
        for name, (a, b) in sorted(both.items(), key=lambda item: item[1][0] == item[1][1])
    ]
    columns = [
        {"name": "differs", "label": "≠", "field": "differs", "align": "left"},
        {"name": "name", "label": t("Name"), "field": "name", "align": "left"},
        {"name": "first", "label": str(one.name), "field": "first", "align": "left"},
        {"name": "second", "label": str(other.name), "field": "second", "align": "left"},
    ]
    table = data_table(columns, "name", empty=t("No data")).props("dense wrap-cells")
    table.rows = rows


def _text(value: Any) -> str:
    return "" if value is None else short(number(value, 6), 2000)


async def _files(one: Session, other: Session, t: Texts) -> None:
    if not (one.has_code and other.has_code):
        heading(t("Files"), 2)
        ui.label(t("The code of one of the sessions is not stored"))
        return
    names = await in_thread(lambda: names_of_differing_files(one, other))
    heading(t("Files") if names else t("Files: no differences"), 2)
    with ui.row().classes("gap-4"):
        for session in (one, other):
            ui.link(str(session.name), session_address(session.name)).classes("link")
    if len(names) > _MAX_FILES:
        ui.label(t("Only the first {count} files are shown", count=_MAX_FILES))
    for name in names[:_MAX_FILES]:
        table = await in_thread(partial(side_by_side, one, other, name))
        with (
            ui.expansion(plain(name), value=len(names) <= 8).classes("w-full").props("dense header-class=font-semibold")
        ):
            if table is None:
                ui.label(t("binary or large files, which differ"))
            else:
                with (
                    ui.element("div")
                    .classes("w-full overflow-auto")
                    .props(f'tabindex=0 role=region aria-label="{_attribute(name)}"')
                ):
                    ui.html(table, sanitize=False).classes("w-full")


def side_by_side(one: Session, other: Session, name: str) -> str | None:
    """HTML table of the differing lines with context, all text escaped; None if a file is binary or large.

    Lines are compared as wholes: `difflib.HtmlDiff` looks for differences within them, in time that grows with the cube of their number.
    """
    before, after = content_of(one, name) or [], content_of(other, name) or []
    if isinstance(before, bytes) or isinstance(after, bytes) or len(before) + len(after) > _MAX_LINES:
        return None
    first, second = ([plain(line.expandtabs(4)) for line in side] for side in (before, after))
    groups = difflib.SequenceMatcher(None, first, second).get_grouped_opcodes(_CONTEXT_LINES)
    return f'<table class="diff">{"".join(_part_of_table(first, second, group) for group in groups)}</table>'


def _part_of_table(first: list[str], second: list[str], group: Iterable[tuple[str, int, int, int, int]]) -> str:
    rows = []
    for tag, start, end, other_start, other_end in group:
        for offset in range(max(end - start, other_end - other_start)):
            left, right = start + offset, other_start + offset
            kind = {left >= end: "diff_add", right >= other_end: "diff_sub"}.get(True, "diff_chg")
            kind = "" if tag == "equal" else kind
            rows.append(f"<tr>{_cells(first, left, end, kind)}{_cells(second, right, other_end, kind)}</tr>")
    return f"<tbody>{''.join(rows)}</tbody>"


def _cells(lines: list[str], number: int, end: int, kind: str) -> str:
    if number >= end:
        return "<td></td><td></td>"
    return f'<td class="diff_header">{number + 1}</td><td class="{kind}">{html.escape(lines[number])}</td>'


async def _show_verdict(site: Site, one: Session, other: Session, label: ui.label) -> None:
    """Show the output of `nsml compare`."""
    out, error = await compare(site, label.client, str(one.name), str(other.name))
    lines = (out or error).split("\n")
    # Without the lines on arguments and code: the page shows them below.
    if "" in lines and out:
        lines = [*lines[:2], *lines[lines.index("") :]]
    label.set_text("\n".join(plain(line.rstrip()) for line in lines).strip()[:_MAX_VERDICT])


def _attribute(text: str) -> str:
    return plain(text).replace('"', "").replace("\\", "")
