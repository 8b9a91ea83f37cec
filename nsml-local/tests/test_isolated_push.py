"""`nsml dataset push --isolate`: from its first moment to its end, and beyond a damaged record, no program gets at the labels."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers import PROGRAM, Nsml, make_dataset, start_and_wait, wait_until

from nsml.store.files import write_json
from nsml.store.home import open_home
from nsml.store.processes import identity
from nsml.store.submissions import open_submission

# Where it does not train, it says so in its output folder, and waits.
WAITS = PROGRAM.replace(
    'if args.pause or args.mode == "test":\n',
    'if args.mode in ("test", "report"):\n'
    '    open(os.path.join(nsml.NSML_NFS_OUTPUT, "waits"), "w").close()\n    import time\n    time.sleep(90)\n'
    "if args.pause:\n",
)
SLEEPS = "import time\ntime.sleep(600)\n"


@contextmanager
def started(*command: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`nsml COMMAND`, killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nsml", *command], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def submit_in_a_container(dataset: str) -> Path:
    """The folder of a submit that runs in a container named box, or that was killed with it."""
    folder = open_submission(open_home(), dataset)
    write_json(folder / "process.json", identity() | {"host": "box", "namespace": "pid:[1]", "ticks": 0})
    return folder


def isolated_programs_see(nsml: Nsml, project: Path, *folders: Path) -> bool:
    """Whether the program of a new session finds a file below these folders, which all exist; they are empty where they are hidden."""
    (project / "looks.py").write_text(
        "import os, sys\nfor folder in sys.argv[1:]:\n    os.listdir(folder)\n"
        "print('SEEN', [name for folder in sys.argv[1:] for _, _, names in os.walk(folder) for name in names])\n"
    )
    started = nsml("run", "-e", "looks.py", "-a", " ".join(map(str, folders)))
    assert started.status == 0, started.err
    log = nsml("logs", "-f", started.out.split()[1]).out
    assert "SEEN [" in log, log
    return "SEEN []" not in log


@pytest.mark.parametrize(
    ("command", "what"), [("submit", "submission FUNDUS/1"), ("report", "a report on session tester/FUNDUS/1")]
)
def test_a_submit_or_a_report_that_runs_already_holds_an_isolated_push_up(
    nsml: Nsml, dataset: str, project: Path, home: Path, tmp_path: Path, can_isolate: None, command: str, what: str
) -> None:
    (project / "main.py").write_text(WAITS)
    name = start_and_wait(nsml)
    source = make_dataset(tmp_path / "other")
    with started(command, name, "best", folder=project):
        wait_until((home / "output" / "tester" / "waits").exists)
        refused = nsml("dataset", "push", "OTHER", str(source), "--isolate")
    assert refused.status == 1
    assert refused.err == f"nsml: --isolate: {what} is running without isolation from {source}; wait for its end\n"
    assert "OTHER" not in nsml("dataset", "ls").out


def test_how_a_submit_is_removed_that_ended_with_its_container_is_said_to_an_isolated_push(
    nsml: Nsml, dataset: str, home: Path, tmp_path: Path, can_isolate: None
) -> None:
    folder = submit_in_a_container(dataset)
    source = make_dataset(tmp_path / "other")
    refused = nsml("dataset", "push", "OTHER", str(source), "--isolate")
    assert refused.err.endswith(
        f"wait for its end, or, if box is a host or a container that has ended, remove {folder}\n"
    )
    shutil.rmtree(folder)
    assert nsml("dataset", "push", "OTHER", str(source), "--isolate").status == 0


def test_a_submit_in_a_container_that_wrote_nothing_for_a_day_holds_no_isolated_push_up(
    nsml: Nsml, dataset: str, tmp_path: Path, can_isolate: None
) -> None:
    folder = submit_in_a_container(dataset)
    os.utime(folder / "process.json", (time.time() - 90_000,) * 2)
    assert nsml("dataset", "push", "OTHER", str(make_dataset(tmp_path / "other")), "--isolate").status == 0


def test_an_isolated_session_that_runs_holds_another_isolated_push_up_as_it_could_read_its_path(
    nsml: Nsml, isolated: Path, project: Path, tmp_path: Path
) -> None:
    (project / "main.py").write_text(SLEEPS)
    nsml("run")
    refused = nsml("dataset", "push", "OTHER", str(make_dataset(tmp_path / "other")), "--isolate")
    nsml("stop", "-f", "none/1")
    assert refused.status == 1
    assert "session tester/none/1 is running without isolation" in refused.err
    assert nsml("dataset", "push", "OTHER", str(tmp_path / "other"), "--isolate").status == 0


@pytest.mark.parametrize("ends", [signal.SIGCONT, signal.SIGKILL])
def test_a_program_that_starts_while_an_isolated_push_copies_or_after_it_was_killed_sees_no_labels(
    nsml: Nsml, project: Path, home: Path, tmp_path: Path, can_isolate: None, ends: signal.Signals
) -> None:
    source = make_dataset(tmp_path / "source")
    for number in range(3000):  # so that it is stopped before it has copied them all
        (source / "train" / f"{number}.txt").touch()
    with started("dataset", "push", "FUNDUS", str(source), "--isolate", folder=project) as push:
        while not any((home / "datasets").glob(".tmp-*/training/train/*")):
            assert push.poll() is None
        push.send_signal(signal.SIGSTOP)
        assert not (home / "datasets" / "FUNDUS").exists()
        if ends == signal.SIGKILL:
            push.kill()
            push.wait()
        assert not isolated_programs_see(nsml, project, home / "datasets", source)
        push.send_signal(ends)
        push.wait()
    nsml("doctor", "--repair")
    assert isolated_programs_see(nsml, project, source) == (ends == signal.SIGKILL)


def damage(home: Path) -> Path:
    """The record of the isolated dataset, in which a byte is damaged."""
    record = home / "datasets" / "FUNDUS" / "dataset.json"
    record.write_text(record.read_text().replace('"isolate": true', '"isolate": trux'))
    return record


def test_a_damaged_record_ends_no_isolation(nsml: Nsml, isolated: Path, project: Path, home: Path) -> None:
    damage(home)
    assert not isolated_programs_see(nsml, project, home / "datasets", isolated)


def test_a_damaged_record_ends_no_isolation_of_a_dataset_of_an_older_version_once_a_program_has_started(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    (home / "datasets" / "FUNDUS" / ".isolated").unlink()
    assert not isolated_programs_see(nsml, project, home / "datasets", isolated)
    damage(home)
    assert not isolated_programs_see(nsml, project, home / "datasets", isolated)


def test_an_isolated_dataset_that_was_put_aside_stays_out_of_reach(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    damage(home)
    repaired = nsml("doctor", "--repair").out
    assert "damaged/1; it was pushed with --isolate, so programs stay isolated until you remove that folder" in repaired
    assert (home / "damaged/1/FUNDUS/hidden/test/test_label").is_file()
    assert not isolated_programs_see(nsml, project, home / "damaged", isolated)
    shutil.rmtree(home / "damaged" / "1")
    assert isolated_programs_see(nsml, project, isolated)


def test_rm_says_that_a_dataset_was_isolated_whose_record_is_damaged(nsml: Nsml, isolated: Path, home: Path) -> None:
    damage(home)
    assert "push it with --isolate again" in nsml("dataset", "rm", "-f", "FUNDUS").err


@pytest.mark.parametrize("links", ["hard", "symbolic, as from another disk"])
def test_beside_an_isolated_dataset_what_another_push_kept_back_is_not_shown_by_links_either(
    nsml: Nsml, isolated: Path, project: Path, home: Path, tmp_path: Path, links: str
) -> None:
    source = make_dataset(tmp_path / "other")
    shutil.copy(source / "test/test_label", source / "test/test_data/labels.csv")
    (source / "test/test_data/labels").mkdir()
    shutil.copy(source / "test/test_label", source / "test/test_data/labels/all.csv")
    pushed = nsml("dataset", "push", "OTHER", str(source))
    assert "named like labels: test/test_data/labels, test/test_data/labels.csv" in pushed.out
    if links != "hard":
        for path in (path for path in (home / "datasets/OTHER/submission").rglob("*") if path.is_file()):
            path.unlink()
            path.symlink_to(source / path.relative_to(home / "datasets/OTHER/submission"))
    looks = f"""\
        for name in ("labels.csv", "labels/all.csv"):
            try:
                print("READ", open(os.path.join({str(source)!r}, "test/test_data", name)).read())
            except OSError:
                print("LOOKED")
"""
    (project / "main.py").write_text(PROGRAM.replace("        return [int(", f"{looks}        return [int("))
    submitted = nsml("submit", "-v", start_and_wait(nsml, dataset="OTHER"), "best")
    assert "LOOKED" in submitted.err and "READ" not in submitted.err
    assert "Score: 100" in submitted.out
