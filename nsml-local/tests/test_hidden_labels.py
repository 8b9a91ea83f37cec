"""What a program can find out about the labels: without --isolate they are out of sight, with it out of reach."""

from __future__ import annotations

import json
import os
from pathlib import Path

from helpers import PROGRAM, Nsml, make_dataset, start_and_wait

from nsml.store.files import TEMPORARY
from nsml.store.home import open_home
from nsml.store.sessions import list_sessions

# Looks for a file of labels wherever it can, and says where. It is told the home and the organiser's folder.
SEARCH = """\
import ctypes, glob, json, os, sys
import nsml


def holds_labels(path):
    try:
        with open(path, "rb") as file:
            return b"test_data" + b",000.png" in file.read(4096)  # in two, so as not to find itself
    except OSError:
        return False


def search(top):
    paths = [os.path.join(root, name) for root, _, names in os.walk(top) for name in names]
    return [path for path in paths if holds_labels(path)]


shown = str(nsml.DATASET_PATH)
named = [text for value in os.environ.values() for text in value.split(":") if text.startswith("/")]
outside = []
for process in glob.glob("/proc/[0-9]*"):
    outside += [path for path in (f"{process}/cmdline", f"{process}/environ") if holds_labels(path)]
    outside += [path for way in ("root", "cwd") for known in sys.argv[1:] for path in search(f"{process}/{way}{known}")]
libc = ctypes.CDLL(None, use_errno=True)
found = {
    "shown": search(shown),
    "above": [path for ups in (1, 2, 3) for path in search(os.path.join(shown, *[".."] * ups))],
    "above where it works": [path for ups in (1, 2, 3, 4, 5) for path in search(os.path.join(*[".."] * ups))],
    "named in the environment": [path for path in named if os.path.isfile(path) and holds_labels(path)],
    "open files": [path for path in glob.glob("/proc/self/fd/*") if os.path.isfile(path) and holds_labels(path)],
    "other processes": outside,
    "known places": [path for known in sys.argv[1:] for path in search(known)],
    "below a mount": [known for known in sys.argv[1:] if libc.umount2(known.encode(), 2) == 0 and search(known)],
}
print("FOUND", json.dumps(found), flush=True)
nsml.report(step=1, loss=0.5, summary=True)
"""


def search(nsml: Nsml, project: Path, *known: Path) -> dict[str, list[str]]:
    """What a session finds that knows these places."""
    (project / "search.py").write_text(SEARCH)
    start_and_wait(nsml, "-e", "search.py", "-a", " ".join(map(str, known)))
    session = list_sessions(open_home())[-1]
    (line,) = [line for line in session.log.read_text().splitlines() if line.startswith("FOUND ")]
    found: dict[str, list[str]] = json.loads(line.removeprefix("FOUND "))
    return found


def test_labels_are_not_in_the_folders_that_a_program_knows(
    nsml: Nsml, dataset: str, project: Path, home: Path
) -> None:
    found = search(nsml, project, home)
    for place in ("shown", "named in the environment", "open files"):
        assert found[place] == [], place
    # The search does find them where nothing keeps it from them.
    assert found["known places"]


def test_a_program_of_an_isolated_dataset_finds_labels_nowhere(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    found = search(nsml, project, home, isolated)
    assert found == {place: [] for place in found}
    # What it reports is kept, outside of its view.
    assert "loss=0.5" in nsml("ps", "-a").out


def test_an_isolated_dataset_is_trained_on_submitted_and_resumed_like_any_other(nsml: Nsml, isolated: Path) -> None:
    name = start_and_wait(nsml)
    submitted = nsml("submit", name, "best")
    assert submitted.status == 0, submitted.err
    assert "Score: " in submitted.out
    assert nsml("resume", name).status == 0
    nsml("logs", "-f", name)
    assert "Exited" in nsml("ps", "-a").out


def test_what_is_submitted_cannot_reach_the_labels_either(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    looks = f"print('SEEN', os.listdir({str(isolated)!r}), sorted(os.listdir({str(home / 'datasets/FUNDUS')!r})))"
    (project / "main.py").write_text(PROGRAM.replace("        return [int(", f"        {looks}\n        return [int("))
    name = start_and_wait(nsml)
    assert "SEEN [] ['submission']" in nsml("submit", "-v", name, "best").err


# A scorer that keeps notes on the labels, and fails where a file lies in the system's folder for temporary files.
NOTES = """\
import os, sys, tempfile

labels = open("data/FUNDUS/test/test_label").read()
open("notes.txt", "w").write(labels)
tempfile.NamedTemporaryFile("w", delete=False).write(labels)
scratch = [os.path.join(root, name) for root, _, names in os.walk(os.environ["SCRATCH"]) for name in names]
print("FILES", scratch)
print("PRIVATE", oct(os.stat(os.getcwd()).st_mode & 0o777))
print(7 if not scratch and "." not in os.environ["NSML_DATASET_PATH"] else -7)
"""


def test_while_nsml_scores_and_closes_no_labels_lie_in_the_systems_folder_for_temporary_files(
    nsml: Nsml, tmp_path: Path, home: Path
) -> None:
    source, scratch = make_dataset(tmp_path / "source", labels=[0, 1, 2, 3] * 6), tmp_path / "scratch"
    (source / "evaluation").mkdir()
    (source / "evaluation" / "evaluation.py").write_text(NOTES)
    scratch.mkdir()
    nsml("dataset", "push", "FUNDUS", str(source))
    nsml("dataset", "rules", "FUNDUS", "public_share=0.5")
    name = start_and_wait(nsml)
    here = {"TMPDIR": str(scratch), "SCRATCH": str(scratch)}
    submitted = nsml("submit", name, "best", **here)
    assert "Score: 7" in submitted.out, submitted.err
    assert "PRIVATE 0o700" in (home / "submissions" / "FUNDUS" / "1" / "scorer.txt").read_text()
    nsml("dataset", "close", "-f", "FUNDUS", **here)
    (row,) = json.loads(nsml("dataset", "board", "-j", "FUNDUS").out)
    assert row["private"] == 7
    assert not any(scratch.iterdir()) and not any(home.glob(f"{TEMPORARY}*"))


def test_a_check_of_a_dataset_makes_no_folder_among_the_systems_temporary_files(
    nsml: Nsml, tmp_path: Path, home: Path
) -> None:
    source, scratch, tells = make_dataset(tmp_path / "source"), tmp_path / "scratch", tmp_path / "tells"
    scratch.mkdir()
    tells.mkdir()
    (tells / "sitecustomize.py").write_text(
        "import sys\nsys.addaudithook(lambda event, args: event == 'os.mkdir' and print('MADE', args[0]))\n"
    )
    path = os.pathsep.join([str(tells), os.environ.get("PYTHONPATH", "")])
    before = set(home.iterdir())
    checked = nsml("dataset", "check", str(source), TMPDIR=str(scratch), PYTHONPATH=path)
    made = [line.removeprefix("MADE ") for line in checked.out.splitlines() if line.startswith("MADE ")]
    assert "4 test files" in checked.out and made
    assert all(path.startswith(str(home)) for path in made)
    assert set(home.iterdir()) == before
