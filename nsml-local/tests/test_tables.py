"""Tables on narrow terminals."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import Nsml
from hypothesis import given
from hypothesis import strategies as st

from nsml.cli import display
from nsml.store.checkpoints import store
from nsml.store.files import read_json, write_json
from nsml.store.metrics import MetricsWriter, best_values, judging_value

CELL = st.text("ab 가é", max_size=40)


def printed(width: int, *words: str) -> list[str]:
    """The lines of a command on a terminal of that width."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "nsml", *words],
        env={**os.environ, "COLUMNS": str(width)},
        stdout=follower,
        stderr=follower,
    ) as command:
        os.close(follower)
        output = b""
        try:
            while block := os.read(leader, 65536):
                output += block
        except OSError:  # how Linux says that nobody writes to it any more
            pass
        os.close(leader)
    assert command.returncode == 0, output
    return output.decode().replace("\r\n", "\n").splitlines()


@pytest.fixture
def folder(home: Path, trained: str) -> Path:
    """The folder of a session that also reported three scores, the second the best."""
    folder = home / "sessions" / trained
    writer = MetricsWriter(folder)
    for step, (score, loss) in enumerate(((50.0, 0.9), (75.5, 0.2), (60.0, 0.4)), 1):
        values = {"train/score": 99.0, "val/score": score, "val/loss": loss}
        writer.append({"step": step, "summary": True, "values": values})
    writer.close()
    return folder


@pytest.mark.parametrize("width", [80, 100])
def test_ps_never_cuts_the_name_and_shows_score_and_best_value_first(nsml: Nsml, trained: str, width: int) -> None:
    nsml("submit", trained, "best")
    nsml("memo", trained, "a memo of many words on what was tried and why, longer than any terminal is wide")
    heading, line, *others = printed(width, "ps", "-a")
    assert heading.split()[:4] == ["Name", "Score", "Best", "train/loss"]
    assert line.split()[0] == trained and line.split()[2] == "0.5"
    assert float(line.split()[1]) > 0
    assert all(len(text) <= width for text in (heading, line))
    left_out = "".join(others).partition(": ")[2].split(", ")
    assert not {"Name", "Score", "Best train/loss", "Status"} & set(left_out)
    assert "Args" not in heading  # it is empty


def test_ps_never_cuts_the_status_however_wide_the_rest_is(nsml: Nsml, home: Path, trained: str) -> None:
    state = home / "sessions" / trained / "state.json"
    writer = MetricsWriter(home / "sessions" / trained)
    writer.append({"step": 1, "summary": True, "values": {"val/of eight views, averaged by patient, score": 99.12345}})
    writer.close()
    write_json(state, read_json(state) | {"status": "Failed", "exit_status": -9})
    heading, name, *lines = printed(60, "ps", "-a")
    assert (heading, name) == ("Name", trained)
    assert {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}["Status"] == "Failed (signal 9)"
    assert "Failed (signal 9)" in printed(100, "ps", "-a")[1]


def test_ps_as_json_has_score_and_best_value(nsml: Nsml, folder: Path) -> None:
    (row,) = json.loads(nsml("ps", "-a", "-j").out)
    assert row["best"] == {"name": "val/score", "value": 75.5, "step": 2} and row["score"] is None
    assert "75.5" in nsml("ps", "-a").out


def test_the_best_value_is_the_first_of_the_best_and_train_counts_last(folder: Path) -> None:
    best = best_values(folder)
    assert {"val/score": (75.5, 2), "val/loss": (0.2, 2), "train/score": (99.0, 1)}.items() <= best.items()
    assert judging_value(["epoch", "val/loss", "train/score", "val/score"]) == "val/score"
    assert judging_value(["epoch", "train/acc", "val/loss"]) == "train/acc"
    assert judging_value(["epoch"]) == ""


@given(
    st.lists(st.lists(CELL, min_size=5, max_size=5), min_size=1, max_size=4),
    st.integers(20, 120),
    st.sets(st.integers(0, 4)),
)
def test_a_table_fits_and_what_is_whole_is_never_cut(rows: list[list[str]], width: int, whole: set[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        lines: list[tuple[str, bool]] = []
        patch.setattr(display.os, "isatty", lambda stream: True)
        patch.setattr(display.click, "echo", lambda text, err=False: lines.append((text, err)))
        patch.setenv("COLUMNS", str(width))
        headings = ["first", "second", "the third one", "fourth", "fifth"]
        display.print_table(headings, rows, whole=sorted(whole))
    table = [text for text, err in lines if not err]
    needed = sum(
        max(display._width(cell) for cell in column)
        for i, column in enumerate(zip(headings, *rows, strict=True))
        if i in whole
    )
    if needed + 2 * (len(whole) - 1) > width:  # below each other
        assert all(any(cell.strip() in text for text in table) for row in rows for cell in row)
        return
    assert len(table) == len(rows) + 1
    for row, text in zip(rows, table[1:], strict=True):
        assert all(row[i].strip() in text for i in whole)
    assert all(display._width(text) <= width for text in table)
    (left_out,) = [text for text, err in lines if err] or [""]
    for name, *cells in zip(headings, *rows, strict=True):
        if len(name) <= width and any(display.plain(cell) for cell in cells):
            assert (name in left_out) is (name not in table[0])


@pytest.mark.parametrize("width", [80, 100])
def test_long_lines_are_broken_between_words_and_say_all(nsml: Nsml, trained: str, width: int) -> None:
    rules = ("per_day=5", "opens=2026-01-01T09:00:00", "deadline=2099-11-29T18:00:00", "time_zone=Asia/Seoul")
    nsml("dataset", "rules", "FUNDUS", *rules)
    for checkpoint in ("0", "best"):
        assert nsml("submit", trained, checkpoint).status == 0
    for words in (["dataset", "show", "FUNDUS"], ["compare", f"{trained}:0", trained]):
        lines, whole = printed(width, *words), nsml(*words).out
        longest = max(len(line) for line in lines if " " in line.strip())  # a path is left in one piece
        assert longest <= width < max(map(len, whole.splitlines()))
        said, expected = (
            re.sub(r"pushed (just now|\d+ \w+ ago)", "", " ".join(text.split())) for text in (" ".join(lines), whole)
        )
        assert said == expected


def test_status_folds_its_last_line(home: Path) -> None:
    assert max(map(len, printed(100, "status"))) <= 100


def test_a_comparison_is_stacked_on_a_narrow_terminal(trained: str, folder: Path) -> None:
    lines = ["sample,patient,label,NORMAL,AMD"]
    for number in range(40):
        share = 0.9 if number % 3 else 0.3
        lines.append(f"{number},{number},{('NORMAL', 'AMD')[number % 2]},{share},{1 - share}")

    def write(path: Path) -> None:
        path.mkdir()
        (path / "validation.csv").write_text("\n".join(lines))

    for name in ("a", "b"):
        store(folder / "checkpoints", name, write, summary={}, elapsed=1.0)
    wide, narrow = (printed(width, "compare", f"{trained}:a", f"{trained}:b") for width in (100, 72))
    assert any(line.startswith("accuracy, %  ") and line.count(" to ") == 3 for line in wide)
    place = narrow.index("accuracy, %")
    assert [line[2:7].strip() for line in narrow[place + 1 : place + 4]] == ["A", "B", "B - A"]
    assert "…" not in "".join(wide + narrow)
