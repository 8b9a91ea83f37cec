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
from nsml.web.reasons import REASONS
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
    texts = [*KOREAN.items(), *REASONS.items()]
    differing = {e: k for e, k in texts if set(re.findall(r"{\w+}", e)) != set(re.findall(r"{\w+}", k))}
    assert differing == {}


def _texts_of_the_platform() -> str:
    """Every text in its code, a line each, with braces where a value stands."""
    texts = []
    for path in WEB.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())) if path.name != "reasons.py" else ():
            if isinstance(node, ast.JoinedStr):
                texts.append("".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(re.sub(r"{\w+}", "{}", node.value))
    return "\n".join(texts)


def test_every_translated_reason_is_one_that_the_platform_gives() -> None:
    given = _texts_of_the_platform()
    assert [r for r in REASONS if re.sub(r"{\w+}", "{}", r) not in given] == []


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        ("memory", "메모리 부족"),
        ("signal 9", "시그널 9"),
        ("signal 9 (SIGKILL)", "시그널 9 (SIGKILL)"),
        ("exit status 3", "종료 코드 3"),
        (
            "submit failed at predictions: infer returned 3 predictions for 4 images; infer must return one integer class per image, in "
            "the order of data (log: /home/log.txt)",
            "예측 결과 단계에서 제출이 실패했습니다: infer가 사진 4장에 대해 예측 3개을(를) 반환했습니다; infer는 data의 순서대로 사진마다 "
            "정수 클래스 하나를 반환해야 합니다 (로그: /home/log.txt)",
        ),
        (
            "submit failed at load: KeyError: 'x; y' (main.py, line 3) (log: /log.txt)",
            "불러오기 단계에서 제출이 실패했습니다: KeyError: 'x; y' (main.py, line 3) (로그: /log.txt)",
        ),
        (
            "the system killed the program, since memory ran out: it had used 1.5 GB of the 2.0 GB that this machine has; more",
            "메모리가 부족하여 시스템이 종료시켰습니다(프로그램): 2.0 GB 중 1.5 GB 사용(컴퓨터); more",
        ),
        ("dataset memory: 0 of 3 left today, next at 00:00 Asia/Seoul", "데이터셋 memory: 오늘 3회 중 0회 남음, 다음은 00:00 Asia/Seoul"),
        ("what the program says", "what the program says"),
        ("", ""),
        ("x" * 100_000 + " ended with ", "x" * 100_000 + " ended with "),
    ],
)  # fmt: skip
def test_a_reason_of_the_platform_is_given_in_korean_and_what_a_program_said_as_it_is(
    english: str, korean: str
) -> None:
    assert Texts("ko").reason(english) == korean
    assert Texts("en").reason(english) == english


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
