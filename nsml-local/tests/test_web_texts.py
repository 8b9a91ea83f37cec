"""The page's languages, and what becomes of a log's text."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nsml

pytest.importorskip("ansi2html", reason="the page needs nsml-local[web]")

from nsml.web.log_text import to_html
from nsml.web.texts import KOREAN, Texts, choose_language

WEB = Path(nsml.__file__).parent / "web"


def _texts_in_the_code() -> set[str]:
    """What is given to `t(...)`, `self._t(...)` and `self(...)` of Texts as a constant."""
    found = set()
    for path in WEB.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("t", "self._t", "self") and node.args:
                found |= {part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)}
    return {text for text in found if isinstance(text, str)}


def test_every_text_of_the_page_is_there_in_korean() -> None:
    assert _texts_in_the_code() - set(KOREAN) == set()


def test_a_translation_has_the_same_places_for_values() -> None:
    differing = {e: k for e, k in KOREAN.items() if set(re.findall(r"{\w+}", e)) != set(re.findall(r"{\w+}", k))}
    assert differing == {}


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        (None, "ko-KR,ko;q=0.9,en-US;q=0.8", "ko"),
        (None, "de-DE,de;q=0.9,ko;q=0.2,en;q=0.7", "en"),
        (None, "fr", "en"),
        (None, None, "en"),
        (None, "ko;q=0, en", "en"),
        (None, "ko;q=x", "en"),
        ("en", "ko-KR", "en"),
        ("xx", "ko", "ko"),
    ],
)
def test_the_language_is_the_chosen_one_else_the_browsers(
    cookie: str | None, accepted: str | None, language: str
) -> None:
    assert choose_language(cookie, accepted) == language


@pytest.mark.parametrize(
    ("seconds", "english", "korean"), [(59, "59 seconds", "59초"), (60, "1 minute", "1분"), (7200, "2 hours", "2시간")]
)
def test_a_time_is_said_in_its_largest_unit(seconds: float, english: str, korean: str) -> None:
    assert (Texts("en").duration(seconds), Texts("ko").duration(seconds)) == (english, korean)


def test_colours_become_classes() -> None:
    assert to_html(b"\x1b[31mred\x1b[0m and \x1b[1mbold\x1b[0m") == (
        '<span class="ansi31">red</span> and <span class="ansi1">bold</span>'
    )


def test_a_line_that_renewed_itself_is_shown_as_it_last_was() -> None:
    assert to_html(b"10 %\r20 %\r100 %\r\nnext\n") == "100 %\nnext\n"


def test_moves_of_the_cursor_titles_and_links_are_left_out() -> None:
    assert to_html(b"\x1b[2K\x1b[1Aone \x1b]0;title\x07\x1b]8;;http://evil.example\x1b\\two\x1b]8;;\x1b\\") == "one two"


@given(st.binary(max_size=400))
def test_nothing_printed_can_become_a_tag_but_a_span(output: bytes) -> None:
    tags = re.findall(r"<[^>]*>?", to_html(output))
    assert [tag for tag in tags if not re.fullmatch(r'</span>|<span (class|style)="[\w :;#,().-]*">', tag)] == []
