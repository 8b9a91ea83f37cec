"""What a program can find out about the labels: without --isolate they are out of sight, with it out of reach."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers import PROGRAM, Nsml, make_dataset, start_and_wait

from nsml.cli.dataset_push import push
from nsml.engine.isolation import why_not
from nsml.errors import RunFailed
from nsml.store.home import open_home
from nsml.store.sessions import list_sessions

CAN_ISOLATE = pytest.mark.skipif(bool(why_not()), reason=f"no program can be isolated here: {why_not()}")

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


def test_labels_are_not_where_a_program_is_told_to_look(nsml: Nsml, dataset: str, project: Path, home: Path) -> None:
    found = search(nsml, project, home)
    for place in ("shown", "named in the environment", "open files"):
        assert found[place] == [], place
    # The search does find them where nothing keeps it from them.
    assert found["known places"]


@pytest.fixture
def isolated(tmp_path: Path, nsml: Nsml) -> Path:
    """The source of dataset FUNDUS, whose sessions are isolated."""
    source = make_dataset(tmp_path / "source")
    pushed = nsml("dataset", "push", "FUNDUS", str(source), "--isolate")
    assert pushed.status == 0, pushed.err
    assert "every program is isolated" in pushed.out
    return source


@CAN_ISOLATE
def test_a_program_of_an_isolated_dataset_finds_labels_nowhere(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    found = search(nsml, project, home, isolated)
    assert found == {place: [] for place in found}
    # What it reports is kept, outside of its view.
    assert "loss=0.5" in nsml("ps", "-a").out


@CAN_ISOLATE
def test_an_isolated_dataset_is_trained_on_submitted_and_resumed_like_any_other(nsml: Nsml, isolated: Path) -> None:
    name = start_and_wait(nsml)
    submitted = nsml("submit", name, "best")
    assert submitted.status == 0, submitted.err
    assert "Score: " in submitted.out
    assert nsml("resume", name).status == 0
    nsml("logs", "-f", name)
    assert "Exited" in nsml("ps", "-a").out


@CAN_ISOLATE
def test_what_is_submitted_cannot_reach_the_labels_either(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    looks = f"print('SEEN', os.listdir({str(isolated)!r}), sorted(os.listdir({str(home / 'datasets/FUNDUS')!r})))"
    (project / "main.py").write_text(PROGRAM.replace("        return [int(", f"        {looks}\n        return [int("))
    name = start_and_wait(nsml)
    assert "SEEN [] ['submission']" in nsml("submit", "-v", name, "best").err


@CAN_ISOLATE
def test_while_a_home_holds_an_isolated_dataset_a_session_without_a_dataset_reads_no_labels_either(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    looks = f"import os\nprint('SEEN', os.listdir({str(isolated)!r}), os.listdir({str(home / 'datasets')!r}))\n"
    (project / "main.py").write_text(looks)
    nsml("run")
    assert "SEEN [] []" in nsml("logs", "-f", "none/1").out


@CAN_ISOLATE
def test_what_an_isolated_session_puts_into_its_output_is_kept(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    (project / "main.py").write_text(
        "import nsml, os\nopen(os.path.join(nsml.NSML_NFS_OUTPUT, 'kept.txt'), 'w').write('a week of work')\n"
    )
    start_and_wait(nsml)
    assert (home / "output" / "tester" / "kept.txt").read_text() == "a week of work"


@CAN_ISOLATE
def test_a_program_that_is_started_by_hand_beside_an_isolated_dataset_is_refused(
    python: Nsml, isolated: Path, project: Path
) -> None:
    refused = python("main.py")
    assert refused.status == 1
    assert "start it with 'nsml run'" in refused.err


def test_where_no_program_can_be_isolated_the_push_is_refused_and_nothing_is_kept(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nsml.cli.dataset_push.why_not", lambda: "Operation not permitted")
    refused = CliRunner().invoke(push, ["FUNDUS", str(make_dataset(tmp_path / "source")), "--isolate"])
    assert isinstance(refused.exception, RunFailed)
    assert "no program can be isolated on this machine: Operation not permitted" in str(refused.exception)
    assert not (home / "datasets").exists()


@CAN_ISOLATE
def test_a_session_that_runs_already_holds_an_isolated_push_up(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    (project / "main.py").write_text("import time\ntime.sleep(600)\n")
    nsml("run")
    refused = nsml("dataset", "push", "FUNDUS", str(make_dataset(tmp_path / "source")), "--isolate")
    nsml("stop", "-f", "none/1")
    assert refused.status == 1
    assert "session tester/none/1 runs, and is not isolated" in refused.err
    assert nsml("dataset", "ls").out.count("FUNDUS") == 0


@CAN_ISOLATE
def test_an_isolated_program_is_given_no_secret_of_the_environment(nsml: Nsml, isolated: Path, project: Path) -> None:
    (project / "main.py").write_text("import os\nprint('GIVEN', *sorted(os.environ))\n")
    nsml("run", HF_TOKEN="secret", HIPCHAT="secret", NSML_WEB_TOKEN="secret", OMP_NUM_THREADS="1")
    given = nsml("logs", "-f", "none/1").out.split("GIVEN")[1].split()
    assert {"PATH", "NSML_HOME", "OMP_NUM_THREADS"} <= set(given)
    assert not {"HF_TOKEN", "HIPCHAT", "NSML_WEB_TOKEN"} & set(given)


@CAN_ISOLATE
def test_a_link_that_was_made_before_leads_no_isolated_program_to_the_labels(
    nsml: Nsml, home: Path, project: Path, tmp_path: Path
) -> None:
    hidden = home / "datasets" / "FUNDUS" / "hidden"
    (project / "main.py").write_text(
        "import json, os, shutil\nhere = json.load(open(os.environ['NSML_LAUNCH']))['session']\n"
        f"shutil.rmtree(here + '/checkpoints', True)\nos.symlink({str(hidden)!r}, here + '/checkpoints')\n"
    )
    nsml("run")
    nsml("logs", "-f", "none/1")
    nsml("dataset", "push", "FUNDUS", str(make_dataset(tmp_path / "source")), "--isolate")
    looks = f"import os\nprint('SEEN', os.path.exists({str(home / 'sessions/tester/none/1/checkpoints/test')!r}))\n"
    (project / "main.py").write_text(looks)
    nsml("run")
    assert "SEEN False" in nsml("logs", "-f", "none/2").out
