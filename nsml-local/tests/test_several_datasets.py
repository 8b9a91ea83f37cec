"""A session on several datasets at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import PROGRAM, Nsml, make_dataset, start_and_wait

SHOW = "print('PATHS', nsml.DATASET_PATH, nsml.DATASET_NAME, os.path.join(nsml.DATASET_PATH, 'train'))\n"


@pytest.fixture
def second(nsml: Nsml, project: Path, tmp_path: Path, dataset: str) -> str:
    """Another dataset beside FUNDUS, and a program that prints what it sees of both."""
    nsml("dataset", "push", "SECOND", str(make_dataset(tmp_path / "second")))
    (project / "main.py").write_text(PROGRAM.replace("model = {", SHOW + "model = {"))
    return "SECOND"


def test_its_dataset_path_is_a_list(nsml: Nsml, home: Path, second: str) -> None:
    name = start_and_wait(nsml, dataset="FUNDUS,SECOND")
    shown = next(line for line in nsml("logs", name).out.splitlines() if line.startswith("PATHS"))
    first, other = (str(home / "datasets" / n / "training") for n in ("FUNDUS", "SECOND"))
    assert shown == f"PATHS {[first, other]} FUNDUS {first}/train"


def test_it_is_named_after_and_scored_on_the_first(nsml: Nsml, second: str) -> None:
    name = start_and_wait(nsml, dataset="FUNDUS,SECOND")
    assert name == "tester/FUNDUS/1" and nsml("submit", name, "best").out.splitlines()[-1] == "Done"
    assert "tester" in nsml("dataset", "board", "FUNDUS").out and "tester" not in nsml("dataset", "board", "SECOND").out


def test_a_fork_sees_them_too(nsml: Nsml, second: str) -> None:
    forked = nsml("fork", start_and_wait(nsml, dataset="FUNDUS,SECOND"), "-c", "1").out.split()[1]
    assert "'" in nsml("logs", "-f", forked).out.split("PATHS")[1].splitlines()[0]


def test_a_dataset_that_is_not_there_is_named(nsml: Nsml, dataset: str) -> None:
    refused = nsml("run", "-d", "FUNDUS,NOWHERE")
    assert refused.status == 2 and "there is no dataset NOWHERE" in refused.err
