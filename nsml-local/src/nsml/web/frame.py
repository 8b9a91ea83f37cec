"""What all pages have around them: the bar, the list of datasets, language and theme."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import Request
from nicegui import ui

from ..store.datasets import list_datasets
from ..wording import plain
from . import texts
from .site import Site, dataset_address
from .style import COLOURS, style
from .texts import Texts

_THEME = "nsml_theme"
# The library's tables scroll sideways where they are too wide, which by keyboard only what has the focus does.
_SCROLLED_BY_KEYBOARD = """<script>
new MutationObserver(() => {
  for (const table of document.querySelectorAll('.q-table__middle:not([tabindex])')) table.setAttribute('tabindex', '0');
}).observe(document.body, {childList: true, subtree: true});
</script>"""
_LINK = '<q-td :props="props"><a class="link" :href="props.row.address">{{ props.value }}</a></q-td>'
_KEPT = "path=/; max-age=31536000; samesite=strict"


@contextmanager
def frame(site: Site, request: Request, title: str = "") -> Iterator[Texts]:
    """A page with what is made inside as its content. Gives the texts in the reader's language."""
    t = Texts(texts.choose_language(request.cookies.get(texts.COOKIE), request.headers.get("accept-language")))
    _set_language(t)
    ui.page_title(f"{title} - NSML" if title else "NSML")
    ui.colors(**COLOURS)
    ui.add_css(style())
    ui.add_body_html(_SCROLLED_BY_KEYBOARD)
    ui.dark_mode({"dark": True, "light": False}.get(request.cookies.get(_THEME, "")))
    with ui.header().classes("items-center gap-1 px-2 py-1 bg-primary text-white"):
        menu = ui.button(icon="menu").props(f'flat round dense color=white aria-label="{t("Menu")}"')
        ui.link("NSML", "/").classes("text-white text-lg font-bold no-underline px-1")
        if site.read_only:
            ui.badge(t("Look only")).props("color=white text-color=primary")
        ui.space()
        _language_button(t)
        ui.button(icon="contrast", on_click=_change_theme).props(
            f'flat round dense color=white aria-label="{t("Light or dark")}"'
        )
    with ui.left_drawer(bordered=False).props("width=250 breakpoint=900").classes("p-2") as drawer:
        _navigation(site, t)
    menu.on_click(drawer.toggle)
    with ui.column().classes("w-full items-stretch gap-3") as content:
        yield t
    ui.skip_link(t("Skip to the content"), target=content)


def _set_language(t: Texts) -> None:
    client = ui.context.client
    # The page belongs to all readers, the language to this one.
    client.page = copy.copy(client.page)
    client.page.language = texts.LANGUAGES[t.language]  # type: ignore[assignment]


def _language_button(t: Texts) -> None:
    other, name = ("en", "English") if t.language == "ko" else ("ko", "한국어")
    script = f"document.cookie = '{texts.COOKIE}={other}; {_KEPT}'; location.reload()"
    button = ui.button(name, on_click=lambda: ui.run_javascript(script))
    button.props(f'flat dense no-caps color=white lang={other} aria-label="{t("Language")}: {name}"')


def _change_theme() -> None:
    ui.run_javascript(
        "const dark = !document.body.classList.contains('body--dark');"
        f"document.cookie = `{_THEME}=${{dark ? 'dark' : 'light'}}; {_KEPT}`; location.reload()"
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
    """Whether the reader's browser shows the page in dark colours, once the page is there."""
    return bool(await ui.run_javascript("document.body.classList.contains('body--dark')", timeout=5))


def heading(text: str, level: int = 1) -> ui.label:
    """A heading of that level."""
    size = {1: "text-xl font-bold", 2: "text-lg font-semibold", 3: "font-semibold"}[level]
    return ui.label(plain(text)).props(f"role=heading aria-level={level}").classes(f"{size} break-words")


def quiet_button(text: str, on_click: Callable[..., Any] | None = None) -> ui.button:
    """A button of words without a box, in a colour that can be read in both themes."""
    button = ui.button(text, on_click=on_click, color=None)
    return button.props("flat dense no-caps").classes("quiet-button px-2")


def data_table(columns: list[dict[str, Any]], key: str, *, links: str = "", empty: str = "") -> ui.table:
    """A table without rows yet. The column `links` leads to the `address` of its row; `empty` is said where there are no rows."""
    table = ui.table(rows=[], columns=columns, row_key=key).classes("w-full").props("flat bordered")
    if empty:
        table.props(f'no-data-label="{empty}"')
    if links:
        table.add_slot(f"body-cell-{links}", _LINK)
    return table


def tell(text: str) -> None:
    """A message on what went wrong, until it is closed."""
    ui.notify(plain(text), type="negative", multi_line=True, timeout=0, close_button="OK")


def command_lines(t: Texts, lines: list[tuple[str, str]]) -> None:
    """Commands to type, each with what it does."""
    for command, does in lines:
        with ui.row().classes("items-baseline gap-2"):
            ui.label(command).classes("mono font-bold")
            ui.label(does).classes("quiet")
