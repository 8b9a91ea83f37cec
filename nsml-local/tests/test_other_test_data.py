"""Competitions whose data are no photographs, on the built-in feed and scorers."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import Nsml, start_and_wait

# Learns nothing; its infer reads the file or folder that it is given and answers with the sign of each line's first number.
PROGRAM = """\
import argparse
import pathlib

import nsml


def infer(path, **kwargs):
    path = pathlib.Path(path)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    lines = [line for file in files for line in file.read_text().splitlines()]
    return [int(float(line.split(",")[0]) > 0) for line in lines]


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
args = parser.parse_args()
nsml.bind(save=lambda path: open(path + "/w", "w").close(), load=lambda path: None, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
nsml.save(1)
"""
ROWS = "-1.5,2\n3,4\n2,0\n-4,1\n"


@pytest.fixture
def table(project: Path, tmp_path: Path) -> Path:
    """A dataset whose training and test data are a table each, and whose labels are bare lines; PROGRAM makes one mistake."""
    (project / "main.py").write_text(PROGRAM)
    source = tmp_path / "table"
    (source / "train").mkdir(parents=True)
    (source / "test").mkdir()
    (source / "train" / "train_data").write_text("1,1\n")
    (source / "test" / "test_data").write_text(ROWS)
    (source / "test" / "test_label").write_text("0\n1\n0\n0\n")
    return source


def test_infer_gets_the_path_of_a_table_and_is_scored_in_the_order_of_the_labels(nsml: Nsml, table: Path) -> None:
    nsml("dataset", "push", "TABLE", str(table), "--metric", "accuracy")
    scored = nsml("submit", start_and_wait(nsml, dataset="TABLE"), "1")
    assert scored.out.splitlines() == ["Score: 0.75", "Done"]


def test_infer_gets_the_path_of_a_folder_of_other_files(nsml: Nsml, table: Path) -> None:
    (table / "test" / "test_data").unlink()
    for number, line in enumerate(ROWS.splitlines()):
        (table / "test" / "test_data").mkdir(exist_ok=True)
        (table / "test" / "test_data" / f"{number}.txt").write_text(line)
    (table / "test" / "test_label").write_text("".join(f"test_data,{n}.txt,{n % 2}\n" for n in range(4)))
    nsml("dataset", "push", "TEXTS", str(table), "--metric", "accuracy")
    scored = nsml("submit", start_and_wait(nsml, dataset="TEXTS"), "1")
    assert scored.out.splitlines() == ["Score: 0.5", "Done"]


def test_too_few_answers_for_a_table_are_refused_in_its_words(nsml: Nsml, table: Path) -> None:
    (table / "test" / "test_label").write_text("0\n" * 5)
    nsml("dataset", "push", "TABLE", str(table), "--metric", "accuracy")
    refused = nsml("submit", start_and_wait(nsml, dataset="TABLE"), "1")
    assert refused.status == 1 and "4 predictions for 5 items of the test data" in refused.err.splitlines()[-1]


def test_push_says_what_infer_will_be_given(nsml: Nsml, table: Path) -> None:
    assert "infer gets the path of test/test_data" in nsml("dataset", "push", "TABLE", str(table)).out


def test_bare_labels_belong_to_the_photographs_in_the_order_of_their_paths(nsml: Nsml, tmp_path: Path) -> None:
    from helpers import make_dataset

    source = make_dataset(tmp_path / "source", labels=(0, 1, 2, 3))
    (source / "test" / "test_label").write_text("0\n1\n2\n0\n")
    nsml("dataset", "push", "BARE", str(source), "--metric", "accuracy")
    assert "Score: 0.75" in nsml("submit", start_and_wait(nsml, dataset="BARE"), "best").out
