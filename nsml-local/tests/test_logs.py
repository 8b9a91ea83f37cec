"""`nsml logs` of long and short logs."""

import io
from pathlib import Path

import pytest
from helpers import Nsml, start_and_wait
from hypothesis import given
from hypothesis import strategies as st

from nsml.store import log_lines
from nsml.store.log_lines import start_of_last_lines


@pytest.fixture
def talker(nsml: Nsml, dataset: str, project: Path) -> str:
    """A session that printed the numbers from 0 to 2999, and the line of its end."""
    (project / "talk.py").write_text("for number in range(3000): print(number)")
    return start_and_wait(nsml, "-e", "talk.py")


def test_the_last_thousand_lines_are_shown_with_the_command_for_the_rest(nsml: Nsml, talker: str) -> None:
    shown = nsml("logs", talker)
    assert shown.out.splitlines()[0] == "2001" and len(shown.out.splitlines()) == 1000
    assert "the last 1,000 lines; 8.9 kB before them are shown by --all" in shown.err


def test_all_shows_a_log_from_its_first_line(nsml: Nsml, talker: str) -> None:
    shown = nsml("logs", "--all", talker)
    assert shown.out.splitlines()[:2] == ["0", "1"] and len(shown.out.splitlines()) == 3001 and shown.err == ""


def test_n_says_how_many_lines(nsml: Nsml, talker: str) -> None:
    assert nsml("logs", "-n", "3", talker).out.splitlines()[:2] == ["2998", "2999"]


def test_following_begins_with_the_last_lines(nsml: Nsml, talker: str) -> None:
    assert nsml("logs", "-f", "-n", "2", talker).out.splitlines()[0] == "2999"


@given(st.binary(max_size=60).map(lambda b: b.replace(b"\r", b"\n")), st.integers(1, 9), st.integers(1, 20))
def test_the_last_lines_are_those_that_splitting_gives(content: bytes, last: int, piece: int) -> None:
    content = bytes(b"\n"[0] if b < 128 else b for b in content)
    before, log_lines._PIECE = log_lines._PIECE, piece
    try:
        start = start_of_last_lines(io.BytesIO(content), last)
    finally:
        log_lines._PIECE = before
    assert content[start:] == b"".join(content.splitlines(keepends=True)[-last:])
