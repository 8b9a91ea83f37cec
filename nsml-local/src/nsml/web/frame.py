"""The frame of all pages: header, list of datasets, language and theme."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import Request
from nicegui import Client, ui

from ..errors import Damaged, NsmlError
from ..store.datasets import list_datasets
from ..wording import plain
from . import texts
from .site import Site, dataset_address
from .style import COLOURS, style
from .texts import Texts

_THEME = "nsml_theme"
# Wide tables scroll sideways; the keyboard can scroll them only if they can have the focus.
_FOCUSABLE_TABLES = """<script>
new MutationObserver(() => {
  for (const table of document.querySelectorAll('.q-table__middle:not([tabindex])')) table.setAttribute('tabindex', '0');
}).observe(document.body, {childList: true, subtree: true});
</script>"""
_LINK = (
    '<q-td :props="props"><a v-if="props.row.address" class="link" :href="props.row.address">{{ props.value }}</a>'
    "<template v-else>{{ props.value }}</template></q-td>"
)
_MAX_UNOPENED = 256
_unopened: dict[str, Client] = {}
_COOKIE_ATTRIBUTES = "path=/; max-age=31536000; samesite=strict"


@contextmanager
def frame(site: Site, request: Request, title: str = "") -> Iterator[Texts]:
    """Context manager: elements created inside become the content of the page. Yields the texts in the user's language."""
    t = Texts(texts.choose_language(request.cookies.get(texts.COOKIE), request.headers.get("accept-language")))
    _set_language(t)
    ui.page_title(f"{title} - NSML" if title else "NSML")
    ui.colors(**COLOURS)
    ui.add_css(style())
    ui.add_body_html(_FOCUSABLE_TABLES)
    ui.dark_mode({"dark": True, "light": False}.get(request.cookies.get(_THEME, "")))
    with ui.header().classes("items-center gap-1 px-2 py-1 bg-primary text-white"):
        menu = ui.button(icon="menu").props(f'flat round dense color=white aria-label="{t("Menu")}"')
        ui.link("NSML", "/").classes("text-white text-lg font-bold no-underline px-1")
        if site.read_only:
            ui.badge(t("Read-only")).props("color=white text-color=primary")
        ui.space()
        _language_button(t)
        ui.button(icon="contrast", on_click=_change_theme).props(
            f'flat round dense color=white aria-label="{t("Light or dark mode")}"'
        )
    with ui.left_drawer(bordered=False).props("width=250 breakpoint=900").classes("p-2") as drawer:
        _navigation(site, t)
    menu.on_click(drawer.toggle)
    with ui.column().classes("w-full items-stretch gap-3") as content:
        yield t
    ui.skip_link(t("Skip to the content"), target=content)


def _set_language(t: Texts) -> None:
    client = ui.context.client
    _keep_few_unopened(client)
    # The page object is shared by all clients; the language is not.
    client.page = copy.copy(client.page)
    client.page.language = texts.LANGUAGES[t.language]  # type: ignore[assignment]


def _keep_few_unopened(client: Client) -> None:
    """Delete the oldest of too many pages that no browser has opened: each takes up to 400 kB. NiceGUI deletes them after a minute."""

    def forget() -> None:
        _unopened.pop(client.id, None)

    _unopened[client.id] = client
    client.on_connect(forget)
    client.on_delete(forget)
    while len(_unopened) > _MAX_UNOPENED:
        next(iter(_unopened.values())).delete()


def _language_button(t: Texts) -> None:
    other, name = ("en", "English") if t.language == "ko" else ("ko", "한국어")
    script = f"document.cookie = '{texts.COOKIE}={other}; {_COOKIE_ATTRIBUTES}'; location.reload()"
    button = ui.button(name, on_click=lambda: ui.run_javascript(script))
    button.props(f'flat dense no-caps color=white lang={other} aria-label="{t("Language")}: {name}"')


def _change_theme() -> None:
    ui.run_javascript(
        "const dark = !document.body.classList.contains('body--dark');"
        f"document.cookie = `{_THEME}=${{dark ? 'dark' : 'light'}}; {_COOKIE_ATTRIBUTES}`; location.reload()"
    )


def _navigation(site: Site, t: Texts) -> None:
    with ui.element("nav").props(f'aria-label="{t("Menu")}"').classes("w-full flex flex-col gap-1"):
        ui.link(t("Datasets"), "/").classes("link py-1")
        ui.link(t("Machine"), "/machine").classes("link py-1")
        ui.separator()
        names = [dataset.name for dataset in list_datasets(site.home)]
        links: dict[str, ui.link] = {}

        def find(text: str) -> None:
            for name, link in links.items():
                link.set_visibility(text.lower() in name.lower())

        if len(names) > 8:
            ui.input(t("Find a dataset"), on_change=lambda event: find(str(event.value or ""))).props("dense clearable")
        for name in names:
            links[name] = ui.link(plain(name), dataset_address(name)).classes("link py-1 break-all")


async def is_dark() -> bool:
    """Whether the browser shows the page in dark mode; waits until it is loaded. False if it does not say so."""
    try:
        return bool(await ui.run_javascript("document.body.classList.contains('body--dark')", timeout=5))
    except TimeoutError:
        return False


def heading(text: str, level: int = 1) -> ui.label:
    """A heading of level 1 to 3."""
    size = {1: "text-xl font-bold", 2: "text-lg font-semibold", 3: "font-semibold"}[level]
    return ui.label(plain(text)).props(f"role=heading aria-level={level}").classes(f"{size} break-words")


def quiet_button(text: str, on_click: Callable[..., Any] | None = None) -> ui.button:
    """A flat text button, in a colour with enough contrast in both themes."""
    button = ui.button(text, on_click=on_click, color=None)
    return button.props("flat dense no-caps").classes("quiet-button px-2")


def data_table(columns: list[dict[str, Any]], key: str, *, links: str = "", empty: str = "") -> ui.table:
    """An empty table. Column `links` links to the `address` of its row, if it has one; `empty` is the text for a table without rows."""
    table = ui.table(rows=[], columns=columns, row_key=key).classes("w-full").props("flat bordered")
    if empty:
        table.props(f'no-data-label="{empty}"')
    if links:
        table.add_slot(f"body-cell-{links}", _LINK)
    return table


def show_error(text: str) -> None:
    """Show an error message until the user closes it."""
    ui.notify(plain(text), type="negative", multi_line=True, timeout=0, close_button="OK")


def nothing_here(error: NsmlError, names: str, t: Texts) -> None:
    """Say why the page has no content: `names`, those in its address, do not exist, which is status 404, or are damaged."""
    text = str(error)
    if not isinstance(error, Damaged):
        ui.context.client.status_code = 404
        if t.language != "en":  # the error is in English
            text = t("{names} was not found", names=names)
    ui.label(plain(text)).props("role=alert")


def command_lines(lines: list[tuple[str, str]]) -> None:
    """A list of commands with descriptions."""
    for command, description in lines:
        with ui.row().classes("items-baseline gap-2"):
            ui.label(command).classes("mono font-bold")
            ui.label(description).classes("quiet")
