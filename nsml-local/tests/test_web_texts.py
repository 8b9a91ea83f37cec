"""The languages of the page, and logs as HTML."""

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
    """Constant arguments of `t(...)`, `self._t(...)` and `self(...)`."""
    texts = set()
    for path in WEB.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("t", "self._t", "self") and node.args:
                texts |= {part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)}
    return {text for text in texts if isinstance(text, str)}


def test_every_text_of_the_page_has_a_korean_translation() -> None:
    assert _texts_in_the_code() - set(KOREAN) == set()


def test_a_translation_has_the_same_placeholders() -> None:
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
def test_the_language_is_the_selected_one_else_the_browsers(
    cookie: str | None, accepted: str | None, language: str
) -> None:
    assert choose_language(cookie, accepted) == language


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [(1, "1 second", "1초"), (59, "59 seconds", "59초"), (60, "1 minute", "1분"), (7200, "2 hours", "2시간")],
)
def test_a_duration_is_given_in_the_largest_unit_that_fits(seconds: float, english: str, korean: str) -> None:
    assert (Texts("en").duration(seconds), Texts("ko").duration(seconds)) == (english, korean)


def test_colours_become_classes() -> None:
    assert to_html(b"\x1b[31mred\x1b[0m and \x1b[1mbold\x1b[0m") == (
        '<span class="ansi31">red</span> and <span class="ansi1">bold</span>'
    )


def test_a_line_with_carriage_returns_is_shown_in_its_last_state() -> None:
    assert to_html(b"10 %\r20 %\r100 %\r\nnext\n") == "100 %\nnext\n"


def test_cursor_moves_titles_and_links_are_removed() -> None:
    assert to_html(b"\x1b[2K\x1b[1Aone \x1b]0;title\x07\x1b]8;;http://evil.example\x1b\\two\x1b]8;;\x1b\\") == "one two"


@given(st.binary(max_size=400))
def test_no_output_becomes_a_tag_other_than_span(output: bytes) -> None:
    tags = re.findall(r"<[^>]*>?", to_html(output))
    assert [tag for tag in tags if not re.fullmatch(r'</span>|<span (class|style)="[\w :;#,().-]*">', tag)] == []
