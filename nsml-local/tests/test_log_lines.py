"""Windows on a log: its last lines, a stretch, and a search, with what its limit has cut out."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nsml.store.log_cut import write_cut
from nsml.store.log_lines import find_lines, left_out, read_between, start_of_last_lines

LINES = st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), min_size=1, max_size=40)


def _log(content: bytes) -> Path:
    path = Path(tempfile.mkdtemp()) / "log.txt"
    path.write_bytes(content)
    return path


@given(LINES, st.integers(1, 50), st.integers(0, 40))
def test_the_last_lines_before_a_place_begin_where_they_do(lines: list[bytes], last: int, until: int) -> None:
    content = b"".join(line + b"\n" for line in lines)
    end = sum(len(line) + 1 for line in lines[:until])
    with open(_log(content), "rb") as log:
        start = start_of_last_lines(log, last, end=end)
    assert content[start:end] == b"".join(line + b"\n" for line in lines[:until][-last:])


@given(LINES, st.sampled_from(["a", "B", "0", "é"]))
def test_the_search_finds_the_lines_that_hold_the_text(lines: list[bytes], text: str) -> None:
    content = b"".join(line + b"\n" for line in lines)
    matches = list(find_lines(_log(content), text, 1000))
    wanted = text.encode().lower()
    places = [sum(len(line) + 1 for line in lines[:n]) for n, line in enumerate(lines) if wanted in line.lower()]
    assert [match.start for match in matches] == places


def test_the_search_stops_at_the_most_that_is_asked_for() -> None:
    assert len(list(find_lines(_log(b"epoch\n" * 10), "epoch", 3))) == 3


def test_a_line_across_two_read_blocks_matches_once() -> None:
    filling = b"x" * 99 + b"\n"
    content = filling * 10_485 + b"y" * 70 + b" needle in the middle\n" + filling * 10
    (match,) = find_lines(_log(content), "needle in the middle", 10)
    assert match.start == 1_048_500


def test_lines_that_were_cut_out_are_skipped_with_a_note() -> None:
    path = _log(b"head\n" + b"\0" * 5000 + b"tail with head\n")
    write_cut(path, 5, 5005)
    assert read_between(path, 0, path.stat().st_size) == b"head\n" + left_out(5000) + b"tail with head\n"
    assert [match.start for match in find_lines(path, "head", 10)] == [0, 5005]
