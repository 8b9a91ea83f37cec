"""What a program can find out about the labels: without --isolate they are out of sight, with it out of reach."""

from __future__ import annotations

import json
from pathlib import Path

from helpers import PROGRAM, Nsml, start_and_wait

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
