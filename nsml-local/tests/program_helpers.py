"""Small complete programs, each in one habit of the platform's years, and datasets of text whose organisers feed and score them.

`programs/` holds them: a file is an entry file, a folder a whole project, `programs/organisers/` what an organiser brings along.
The dataset NUMBERS is a line between low numbers (label 0) and high ones (label 1), learnt as their mean, 5; a program that
answers with a line that it did not learn is right at most three times out of four.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from helpers import Ended, Nsml

from nsml.store.datasets import push_dataset
from nsml.store.home import open_home

PROGRAMS = Path(__file__).parent / "programs"
NUMBERS = {
    "train/train_data/numbers.txt": "1 0\n2 0\n8 1\n9 1\n",
    "test/test_data/numbers.txt": "2\n4\n6\n8\n",
    "test/test_label": "0\n0\n1\n1\n",
}


def put(project: Path, program: str, entry: str = "main.py") -> None:
    """Make a program of `programs/` the competitor's project."""
    source = PROGRAMS / program
    if source.is_dir():
        (project / "main.py").unlink(missing_ok=True)
        shutil.copytree(source, project, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, project / entry)


def push(folder: Path, organiser: str = "numbers", files: Mapping[str, str] = NUMBERS, name: str = "NUMBERS") -> None:
    """Register a dataset of these text files, with what that organiser of `programs/organisers/` brings along."""
    source = folder / f"source of {name}"
    for path, text in files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text)
    if organiser:
        shutil.copytree(PROGRAMS / "organisers" / organiser, source / "evaluation", dirs_exist_ok=True)
    push_dataset(open_home(), name, source)


def train(nsml: Nsml, *options: str, dataset: str = "NUMBERS") -> str:
    """Run the program to its end; the name of its session, which ended well."""
    started = nsml("run", "-d", dataset, *options)
    assert started.status == 0, started.err
    name = started.out.split()[1]
    shown = nsml("logs", "-f", name).out
    assert "ended with exit status 0" in shown, shown
    return name


def scored(submitted: Ended) -> str:
    """The score that a submit printed."""
    assert submitted.status == 0, submitted.err
    score, done = submitted.out.splitlines()
    assert done == "Done"
    return score


def printed(nsml: Nsml, session: str) -> list[str]:
    """What a session's program printed, without the platform's last line."""
    return nsml("logs", session).out.splitlines()[:-1]
