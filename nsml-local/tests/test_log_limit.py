"""`--log-limit`: a log keeps its beginning and its end, and says what is left out between them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from helpers import Nsml, start_and_wait
from hypothesis import given, settings
from hypothesis import strategies as st

from nsml.engine.log_limit import LogLimit
from nsml.store.home import open_home
from nsml.store.log_cut import read_cut
from nsml.store.sessions import list_sessions

LEFT_OUT = re.compile(r"nsml: ([\d,]+) bytes removed here \(--log-limit\)")


def on_disk(path: Path) -> int:
    return path.stat().st_blocks * 512


@settings(max_examples=30)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=60), st.integers(20_000, 60_000))
def test_both_ends_stay_whole_lines_within_the_limit(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], limit: int
) -> None:
    log = tmp_path_factory.mktemp("session") / "log.txt"
    written = b""
    log.touch()
    keeper = LogLimit(log, limit)
    for number, count in enumerate(counts):
        piece = b"".join(b"%06d %06d\n" % (number, line) for line in range(count))
        with open(log, "ab") as file:
            file.write(piece)
        written += piece
        keeper.look()
    first, after = read_cut(log)
    content = log.read_bytes()
    assert not keeper.trouble
    assert len(content) - (after - first) <= limit
    assert content[:first] == written[:first]
    assert content[after:] == written[after:]
    assert not content[first:after].strip(b"\0") or first == after
    assert content[:first].endswith(b"\n") or first == 0
    assert on_disk(log) <= limit + 3 * 4096  # what is kept begins and ends within a block


def test_a_fast_growing_log_is_checked_sooner(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.touch()
    keeper = LogLimit(log, 10**6)
    assert keeper.look() == 0.5
    log.write_bytes(b"x" * 900_000)
    assert keeper.look() < 0.1


def test_where_the_disk_cannot_give_back_a_middle_the_log_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr("nsml.engine.log_limit._punch", refused)
    log = tmp_path / "log.txt"
    log.write_bytes(b"line\n" * 40_000)
    keeper = LogLimit(log, 100_000)
    keeper.look()
    assert "cannot give back the middle of a file" in keeper.trouble
    assert read_cut(log) == (0, 0)
    assert log.read_bytes() == b"line\n" * 40_000


FLOOD = """\
import sys
for block in range(0, 4_000_000, 100_000):
    sys.stdout.write("".join(f"{n}\\n" for n in range(block, block + 100_000)))
"""


def test_a_program_that_floods_its_log_keeps_the_beginning_and_the_end(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "flood.py").write_text(FLOOD)
    name = start_and_wait(nsml, "-e", "flood.py", "--log-limit", "300k")
    (session,) = list_sessions(open_home())
    assert on_disk(session.log) <= 310_000
    lines = nsml("logs", "--all", name).out.splitlines()
    assert lines[:2] == ["0", "1"]
    assert lines[-2] == "3999999"
    assert "ended with exit status 0" in lines[-1]
    (place,) = [number for number, line in enumerate(lines) if LEFT_OUT.fullmatch(line)]
    assert [int(line) for line in lines[:place]] == list(range(place))
    assert [int(line) for line in lines[place + 1 : -1]] == list(range(int(lines[place + 1]), 4_000_000))
    # More lines than are kept after the cut are asked for.
    last = nsml("logs", "-n", "3000000", name).out.splitlines()
    assert last == lines[place + 1 :]


@pytest.mark.parametrize(
    ("limit", "words"), [("much", "is not a size"), ("1K", "is too little; give 100,000 bytes or more")]
)
def test_a_log_limit_that_is_no_size_or_too_little_is_refused(nsml: Nsml, dataset: str, limit: str, words: str) -> None:
    refused = nsml("run", "-d", dataset, "--log-limit", limit)
    assert refused.status == 2
    assert f"--log-limit '{limit}' {words}" in refused.err


def test_the_log_limit_may_stand_in_the_environment(nsml: Nsml, dataset: str) -> None:
    assert nsml("run", "-d", dataset, NSML_LOG_LIMIT="1K").status == 2


def test_a_submit_that_floods_its_log_keeps_to_the_limit_of_its_session(
    nsml: Nsml, dataset: str, project: Path, home: Path
) -> None:
    program = (project / "main.py").read_text()
    flood = "for n in range(300_000):\n            print(n, n, n)\n        "
    (project / "main.py").write_text(program.replace("return [int", f"{flood}return [int"))
    name = start_and_wait(nsml, "--log-limit", "300k")
    assert nsml("submit", name, "best").status == 0
    (log,) = (home / "submissions" / dataset).glob("*/log.txt")
    assert on_disk(log) <= 320_000 < log.stat().st_size
