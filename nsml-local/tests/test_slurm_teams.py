"""Teams with accounts of their own whose sessions are jobs of Slurm, and a referee."""

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import wait_until

from nsml.scoring.ledger import read_ledger
from stress.datathon import LABELS, ORGANISER, PROGRAM, Account, interpreter
from stress.slurm_cluster import Cluster, why_no_cluster

TEAMS = ("games", "news")  # accounts of every Debian, as Slurm starts nothing for one without a name


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that all accounts reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="nsml-teams-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def cluster(folder: Path) -> Iterator[Cluster]:
    if why := why_no_cluster():
        pytest.skip(f"no cluster of Slurm can be started: {why}")
    try:
        interpreter()
        for team in TEAMS:
            pwd.getpwnam(team)
    except (OSError, KeyError) as error:
        pytest.skip(f"no teams can be made: {error}")
    (folder / "cluster").mkdir()
    started = Cluster(folder / "cluster")
    yield started
    started.stop()


def _account(folder: Path, uid: int, cluster: Cluster) -> Account:
    own = folder / f"{uid}"
    own.mkdir(0o700)
    os.chown(own, uid, uid)
    (own / "main.py").write_text(PROGRAM)
    return Account(uid, own, folder, cluster.environment)


def test_teams_whose_sessions_are_jobs_of_slurm_are_scored_as_who_they_are(folder: Path, cluster: Cluster) -> None:
    organiser = _account(folder, ORGANISER, cluster)
    teams = [_account(folder, pwd.getpwnam(name).pw_uid, cluster) for name in TEAMS]
    for name in ("train/train_data", "test/test_data"):
        (folder / "shown" / name).mkdir(parents=True)
        (folder / "shown" / name / "items.txt").write_text("1\n")
    data, spool = organiser.folder / "data", organiser.folder.with_name("srv") / "D"
    subprocess.run(["cp", "-r", folder / "shown", data], check=True)
    (data / "test" / "test_label").write_text("".join(f"{label}\n" for label in LABELS))
    spool.parent.mkdir()
    subprocess.run(["chown", "-R", f"{ORGANISER}", data, spool.parent], check=True)
    assert organiser.nsml("dataset", "push", "D", str(data)).status == 0
    with organiser.start("referee", "D", "--spool", str(spool), stdout=subprocess.DEVNULL) as referee:
        try:
            wait_until((spool / "board.json").exists, 60)
            for number, team in enumerate(teams):
                pushed = team.nsml("dataset", "push", "D", str(folder / "shown"), "--referee", str(spool))
                assert pushed.status == 0, pushed.err
                started = team.nsml("run", "-d", "D", "--engine", "slurm", "-a", f"--more {number}")
                assert started.status == 0, started.err
                trained = team.nsml("logs", "-f", "D/1")
                assert "ended with exit status 0" in trained.out, trained
                # The second one from a node, where its infer may need the GPU.
                on_node = ("srun", "--quiet") if number else ()
                submitted = team.nsml("submit", "D/1", f"{number}", through=on_node)
                assert submitted.out.startswith("Score: "), submitted.err
        finally:
            referee.kill()
    entries = read_ledger(organiser.folder / "nsml" / "ledgers" / "D.jsonl")[0]
    assert [(entry["user"], entry["uid"], entry["checkpoint"], entry["result"]) for entry in entries] == [
        (name, team.uid, f"{number}", "scored") for number, (name, team) in enumerate(zip(TEAMS, teams, strict=True))
    ]
    assert entries[0]["score"] < entries[1]["score"]
