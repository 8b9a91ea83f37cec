"""`nsml run --halve`: the better half of a sweep goes on, through pauses and resumes."""

from __future__ import annotations

import json
import math
import os
import shlex
import signal
import sys
import time
from pathlib import Path

import pytest
from helpers import Nsml, wait_until
from program_helpers import put

from nsml.engine import halving, launch
from nsml.errors import RunFailed
from nsml.store.files import locked, read_json, write_json
from nsml.store.home import open_home
from nsml.store.metrics import read_metrics
from nsml.store.sessions import ENDED, Session, list_sessions


@pytest.fixture
def halved(project: Path) -> Path:
    put(project, "halved.py")
    return project


def _epochs() -> dict[str, list[int]]:
    """The epochs that each width has reported, in order."""
    return {
        session.sweep()[1]["width"]: [record["step"] for record in read_metrics(session.folder)[0]]
        for session in list_sessions(open_home())
    }


def _wait_for_the_end(nsml: Nsml) -> str:
    session = list_sessions(open_home())[0]

    def is_over() -> bool:
        sweep = session.sweep_folder()
        assert sweep is not None
        with locked(sweep / "lock"):  # so that no round starts between two looks
            arms = halving.describe(session)[1]
            ended = all(one.status() in ENDED for one in list_sessions(open_home()))
            return ended and not halving.goes_on(session) and bool(arms)

    wait_until(is_over, 60)
    return nsml("compare", "--sweep", "none/sweep-1").out


def test_the_better_half_goes_on_from_where_it_was_paused_and_the_best_trains_to_its_end(
    nsml: Nsml, halved: Path, tmp_path: Path
) -> None:
    got = tmp_path / "got"
    notify = shlex.join(
        [sys.executable, "-c", f"import sys; open({str(got)!r}, 'a').write(sys.stdin.read() + chr(10))"]
    )
    words = ("--env", "current", "--grid", "width=9,5,4,7", "--halve", "2", "-a", "--epoch 9", "--notify", notify)
    started = nsml("run", *words)
    assert (
        started.status == 0
        and "Halving by validation loss: 4 of its sessions are left, and train to epoch 2." in started.out
    ), started.err
    table = _wait_for_the_end(nsml)
    assert _epochs() == {"9": [1, 2], "5": [1, 2, 3, 4], "4": [*range(1, 10)], "7": [1, 2]}
    assert table.count("Exited, dropped") == 3
    assert table.splitlines()[1].split()[:3] == ["tester/none/3", "Exited", "4"]
    assert table.endswith("Halving by validation loss: 1 of its sessions is left.\n")
    log = nsml("logs", "none/2").out
    assert (
        "paused at step 2 (--halve)" in log and "validation loss 1.25 at epoch 4: is not among the better half" in log
    )
    wait_until(got.exists)
    time.sleep(0.3)
    (message,) = got.read_text().splitlines()
    assert json.loads(message)["best"]["session"] == "tester/none/3"
    # One that was dropped is resumed by its own name alone, and then trains to its end.
    nsml("resume", "none/1")
    wait_until(lambda: _epochs()["9"] == [*range(1, 10)])


def test_a_member_that_fails_is_dropped_and_one_that_is_stopped_is_waited_for(
    nsml: Nsml, halved: Path, tmp_path: Path
) -> None:
    held_up = tmp_path / "hold"
    held_up.touch()
    nsml("run", "--env", "current", "--grid", "width=99,6,4", "--halve", "4", "-a", "--epoch 9", HELD_UP=str(held_up))
    wait_until(lambda: _epochs()["6"] == [1, 2] == _epochs()["4"])
    nsml("stop", "-f", "none/sweep-1")
    statuses = [session.status() for session in list_sessions(open_home())]
    assert statuses == ["Failed", "Stopped", "Stopped"]
    held_up.unlink()
    assert nsml("resume", "none/sweep-1").status == 0
    _wait_for_the_end(nsml)
    epochs = _epochs()
    assert epochs["4"][-1] == 9 and epochs["6"][-1] == 8 and epochs["99"] == []
    assert "none/1 was dropped by --halve" in nsml("resume", "none/sweep-1").out


def test_a_round_whose_starter_was_killed_or_that_slurm_did_not_take_is_started_by_a_resume(
    nsml: Nsml, halved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nsml("run", "--env", "current", "--grid", "width=6,4", "--halve", "2", "-a", "--epoch 5")
    _wait_for_the_end(nsml)
    # As if the last supervisor had ended before it started the last round.
    last = list_sessions(open_home())[1]
    write_json(last.folder / "launch.json", {**read_json(last.folder / "launch.json"), "until": 2})
    os.utime(last.folder / "state.json")
    assert halving.goes_on(last)

    def refuse(*_: object) -> None:
        raise RunFailed("Slurm does not answer")

    with monkeypatch.context() as refused:
        refused.setattr(launch, "resume_session", refuse)
        halving.advance(last)
    assert (
        last.status() == "Stopped"
        and "'nsml resume none/sweep-1' goes on: Slurm does not answer" in last.log.read_text()
    )
    nsml("resume", "none/sweep-1")
    _wait_for_the_end(nsml)
    assert read_json(last.folder / "launch.json")["until"] is None
    assert "trained to the end" in nsml("logs", "none/2").out


def test_without_a_validation_loss_the_halving_says_so_and_stands_still(nsml: Nsml, halved: Path) -> None:
    nsml("run", "--env", "current", "--grid", "width=6,4", "--halve", "2", SILENT="1")
    table = _wait_for_the_end(nsml)
    assert "The halving stands still: no session has reported a validation loss up to epoch 2" in table
    assert "Report val__loss with step=EPOCH" in nsml("logs", "none/1").out
    assert _epochs() == {"6": [1, 2], "4": [1, 2]}


def test_a_halving_goes_on_after_a_supervisor_was_killed(nsml: Nsml, halved: Path, tmp_path: Path) -> None:
    held_up = tmp_path / "hold"
    held_up.touch()
    nsml("run", "--env", "current", "--grid", "width=6,4", "--halve", "4", "-a", "--epoch 9", HELD_UP=str(held_up))
    wait_until(lambda: _epochs() == {"6": [1, 2], "4": [1, 2]})
    first = list_sessions(open_home())[0]
    os.kill(first.state()["process"]["pid"], signal.SIGKILL)
    held_up.unlink()
    wait_until(lambda: [one.status() for one in list_sessions(open_home())] == ["Lost", "Exited"])
    assert not halving.goes_on(first)
    nsml("resume", "none/sweep-1")
    _wait_for_the_end(nsml)
    assert _epochs()["4"][-1] == 9 and _epochs()["6"][-1] == 4


@pytest.mark.parametrize("words", [(), ("--grid", "width=1"), ("--grid", "width=1,2,3,4,5,6,7,8,9"), ("--seeds", "9")])
def test_a_sweep_of_another_size_is_not_halved(nsml: Nsml, words: tuple[str, ...]) -> None:
    refused = nsml("run", "--halve", "3", *words)
    assert refused.status == 2 and refused.err.count("\n") == 1 and "2 to 8 sessions" in refused.err
    assert list_sessions(open_home()) == []


def test_folds_are_not_halved_as_each_validates_other_photographs(nsml: Nsml) -> None:
    refused = nsml("run", "--halve", "3", "--grid", "width=1,2", "--folds", "3")
    assert refused.status == 2 and "folds validate different photographs" in refused.err
    assert list_sessions(open_home()) == []


@pytest.mark.parametrize(
    ("reports", "loss"),
    [
        ([(1, {"val/loss": 3.0}), (2, {"val/loss": 2.0}), (3, {"val/loss": 1.0})], 2.0),
        ([(1, {"train/loss": 1.0}), (2, {"train/loss": 1.0, "val_loss": 4.0})], 4.0),
        ([(1, {"val/loss": 3.0}), (2, {"val/loss": None})], math.inf),
        ([(1, {"val/acc": 3.0}), ("a", {"val/loss": 1.0})], math.inf),
    ],
)
def test_the_loss_of_a_round_is_the_last_one_up_to_its_step(
    nsml: Nsml, reports: list[tuple[object, dict[str, object]]], loss: float
) -> None:
    from nsml.store.metrics import MetricsWriter
    from nsml.store.sessions import create_session

    session: Session = create_session(open_home(), "tester", "none", {"kind": "run", "entry": "a", "arguments": []})
    writer = MetricsWriter(session.folder)
    for step, values in reports:
        writer.append({"step": step, "time": 1.0, "values": values})
    writer.close()
    session.write_state("Exited", exit_status=0)
    assert halving._loss(session, 2) == loss
