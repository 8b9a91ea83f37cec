"""What holds for every engine, on this machine and on a cluster of Slurm; then what only Slurm has."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import Nsml, wait_until
from hypothesis import given
from hypothesis import strategies as st
from program_helpers import put

from nsml.engine import slurm as slurm_engine
from nsml.engine.slurm import Slurm, site_options
from nsml.errors import NsmlError
from nsml.store import jobs, sessions
from nsml.store.files import visible, write_json
from nsml.store.home import open_home
from nsml.store.metrics import read_metrics
from nsml.store.names import parse_session_name
from nsml.store.processes import identity
from nsml.store.sessions import Session, create_session, find_session, list_sessions
from nsml.web.terminal_view import _ask
from nsml.web.texts import Texts
from stress.slurm_cluster import CPUS, NODES, Cluster, why_no_cluster

# Saves its epoch, waits until the file --go is there, and ends with the status in it.
PROGRAM = """\
import argparse, os, sys, time
import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--go")
args = parser.parse_args()
epoch = 0


def save(folder):
    with open(os.path.join(folder, "epoch"), "w") as file:
        file.write(str(epoch))


def load(folder):
    global epoch
    epoch = int(open(os.path.join(folder, "epoch")).read()) + 1


nsml.bind(save=save, load=load, infer=lambda images: [int(image.mean()) % 4 for image in images])
if args.pause:
    nsml.paused(scope=locals())
print("as it was: epoch", epoch, "on GPU", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
nsml.report(summary=True, step=epoch, epoch=epoch, scope=globals())
nsml.save(epoch)
while not os.path.exists(args.go):
    time.sleep(0.05)
sys.exit(int(open(args.go).read()))
"""
_PATIENCE = 60.0  # seconds for whatever has to happen, since the machine may be busy


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if why := why_no_cluster():
        pytest.skip(f"no cluster of Slurm can be started: {why}")
    started = Cluster(tmp_path_factory.mktemp("cluster"))
    yield started
    started.stop()


@pytest.fixture
def slurm(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster, for commands of this test too; nothing of it is left there."""
    for name, value in {**cluster.environment, "NSML_ENGINE": "slurm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(jobs, "GRACE", 0)  # the home is no shared disk
    monkeypatch.setattr(sessions, "HEARTBEAT", 0.5)  # so that Slurm is asked soon
    yield cluster
    cluster.ask("scancel", "--me")
    wait_until(lambda: not cluster.ask("squeue", "--noheader"), _PATIENCE)


@pytest.fixture(params=["local", "slurm"])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "slurm":
        request.getfixturevalue("slurm")
    return str(request.param)


@pytest.fixture
def go(project: Path, tmp_path: Path) -> Path:
    """The file that lets the sessions of `_run` end."""
    (project / "main.py").write_text(PROGRAM)
    return tmp_path / "go"


def _run(nsml: Nsml, go: Path, *options: str) -> str:
    started = nsml("run", "--env", "current", "-a", f"--go {go}", *options)
    assert started.status == 0, started.err
    return started.out


def _session(name: str) -> Session:
    return find_session(open_home(), parse_session_name(name, "tester"))


def _becomes(name: str, status: str) -> Session:
    session = _session(name)
    wait_until(lambda: session.status() == status, _PATIENCE)
    return session


def _trains(name: str) -> Session:
    """The session, once it waits for its file."""
    session = _becomes(name, "Running")
    wait_until(lambda: bool(visible(session.checkpoints)), _PATIENCE)
    return session


@pytest.mark.parametrize(("code", "status"), [("0", "Exited"), ("3", "Failed")])
def test_a_session_ends_with_its_status_log_and_metrics(
    nsml: Nsml, engine: str, go: Path, code: str, status: str
) -> None:
    go.write_text(code)
    _run(nsml, go)
    session = _becomes("none/1", status)
    assert session.state()["exit_status"] == int(code)
    log = nsml("logs", "none/1").out
    assert log.startswith("as it was: epoch 0") and f"ended with exit status {code}" in log.splitlines()[-1]
    assert "epoch=0" in nsml("ps", "-a").out


def test_what_has_no_room_waits_with_the_code_of_its_time_and_starts_by_itself(
    nsml: Nsml, engine: str, go: Path, project: Path
) -> None:
    running = 1 if engine == "local" else len(NODES)
    for _ in range(running):
        _run(nsml, go, "-c", str(CPUS))
    for number in range(1, running + 1):
        _trains(f"none/{number}")
    last = f"none/{running + 1}"
    assert f"Session tester/{last} is queued " in _run(nsml, go, "-c", str(CPUS))
    wait_until(lambda: "Queued" in nsml("ps").out, _PATIENCE)
    assert "is queued " in nsml("logs", last).err
    (project / "main.py").write_text("print('changed since')")
    go.write_text("0")
    _becomes(last, "Exited")
    assert nsml("logs", last).out.startswith("as it was")


def test_after_starts_where_that_ended_with_status_0_and_after_any_always(
    nsml: Nsml, engine: str, go: Path, tmp_path: Path
) -> None:
    failing = tmp_path / "failing"
    _run(nsml, go)
    _run(nsml, failing)
    for option in ("--after", "--after-any"):
        assert "is queued" in _run(nsml, go, option, "none/1")
        assert "is queued" in _run(nsml, go, option, "none/2")
    go.write_text("0")
    failing.write_text("3")
    for number in (3, 5, 6):
        _becomes(f"none/{number}", "Exited")
    stopped = _becomes("none/4", "Stopped")
    assert stopped.state()["reason"]
    _run(nsml, go, "--after", "none/2")  # which has ended before
    assert (
        "session tester/none/2, after which it was to start, is Failed"
        in _becomes("none/7", "Stopped").state()["reason"]
    )
    assert nsml("run", "--after", "none/99").status == 2


def test_stop_ends_what_runs_and_what_waits(nsml: Nsml, engine: str, go: Path) -> None:
    _run(nsml, go)
    _trains("none/1")
    _run(nsml, go, "--after", "none/1")
    _becomes("none/2", "Queued")
    for name in ("none/2", "none/1"):
        assert nsml("stop", name).out == f"Session tester/{name} is stopped\n"
        assert _session(name).status() == "Stopped"
    assert "stopped with " in nsml("logs", "none/1").out.splitlines()[-1]
    assert not _session("none/2").checkpoints.joinpath("0").exists()


@pytest.mark.usefixtures("engine")
def test_fork_resume_and_submit_go_on_from_checkpoints(nsml: Nsml, go: Path, dataset: str) -> None:
    _run(nsml, go, "-d", dataset)
    _trains(f"{dataset}/1")
    assert "100" in nsml("submit", f"{dataset}/1", "0").out
    assert nsml("stop", f"{dataset}/1").status == 0
    assert nsml("fork", f"{dataset}/1").status == 0
    assert nsml("resume", f"{dataset}/1").status == 0
    for number in (1, 2):
        wait_until(lambda n=number: "epoch 1" in nsml("logs", f"{dataset}/{n}").out, _PATIENCE)  # type: ignore[misc]
    go.write_text("0")
    for number in (1, 2):
        _becomes(f"{dataset}/{number}", "Exited")


def test_exec_evaluates_in_the_running_program(nsml: Nsml, engine: str, go: Path) -> None:
    _run(nsml, go)
    _trains("none/1")
    assert nsml("exec", "none/1", "epoch + 41").out == "41\n"
    assert _ask(_session("none/1"), "epoch + 42", Texts("en")) == "42"  # of the page
    go.write_text("0")
    _becomes("none/1", "Exited")


def test_a_session_whose_supervisor_is_killed_is_lost_and_can_be_resumed(nsml: Nsml, engine: str, go: Path) -> None:
    _run(nsml, go)
    _trains("none/1")
    os.kill(_supervisor(_session("none/1")), signal.SIGKILL)
    _becomes("none/1", "Lost")
    go.write_text("0")
    assert nsml("resume", "none/1").status == 0
    _becomes("none/1", "Exited")
    assert "as it was: epoch 1" in nsml("logs", "none/1").out


@pytest.mark.usefixtures("engine")
def test_the_better_half_of_a_sweep_goes_on_by_the_same_engine(nsml: Nsml, project: Path) -> None:
    put(project, "halved.py")
    started = nsml("run", "--env", "current", "--grid", "width=9,4", "--halve", "2", "-a", "--epoch 4", "-c", "1")
    assert started.status == 0, started.err
    wait_until(lambda: "paused at step 2" in nsml("logs", "none/1").out, _PATIENCE)
    wait_until(lambda: "trained to the end" in nsml("logs", "none/2").out, _PATIENCE)
    better = _becomes("none/2", "Exited")
    assert [record["step"] for record in read_metrics(better.folder)[0]] == [1, 2, 3, 4]
    assert "Exited, dropped" in nsml("compare", "--sweep", "none/sweep-1").out
    assert "starts again" not in nsml("logs", "none/2").out


def test_a_supervisor_whose_session_another_one_has_ends_its_program(nsml: Nsml, go: Path) -> None:
    """As where Slurm takes its node for dead, or another host resumes what was silent for long."""
    _run(nsml, go)
    session = _trains("none/1")
    program = session.state()["program"]
    session.write_state("Starting", process={**session.state()["process"], "ticks": 1})
    wait_until(lambda: not Path("/proc", str(program)).exists(), _PATIENCE)
    assert session._stored_state()["status"] == "Starting"
    assert "ended with" not in session.log.read_text()


def _supervisor(session: Session) -> int:
    """Its process on this machine, of which a node of the cluster knows another number."""
    folder = os.fsencode(session.folder)
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
        except OSError:  # ended meanwhile
            continue
        if b"nsml.engine.supervisor" in words and folder in words:
            return int(name)
    return int(session.state()["process"]["pid"])


# Only with Slurm.


def test_what_scancel_ends_is_stopped_and_says_so(nsml: Nsml, slurm: Cluster, go: Path) -> None:
    _run(nsml, go)
    _trains("none/1")
    _run(nsml, go, "--after", "none/1")
    _becomes("none/2", "Queued")
    for name in ("none/2", "none/1"):
        slurm.ask("scancel", jobs.submitted(_session(name).folder))
        _becomes(name, "Stopped")
    assert "has printed nothing: job " in (why := nsml("logs", "none/2").err) and "CANCELLED" in why
    assert "stopped with " in nsml("logs", "none/1").out.splitlines()[-1]


def test_a_dead_node_loses_its_session_but_one_with_requeue_goes_on_elsewhere(
    nsml: Nsml, slurm: Cluster, go: Path
) -> None:
    _run(nsml, go, "--slurm", "-w nodea")
    _run(nsml, go, "--requeue")
    first, second = _trains("none/1"), _trains("none/2")
    assert (first.state()["on"], second.state()["on"]) == ("nodea", "nodea")
    assert "Running on nodea" in nsml("ps").out
    slurm.kill_node("nodea")
    slurm.declare_dead("nodea")
    try:
        assert "NODE_FAIL (NodeDown) on nodea" in _becomes("none/1", "Lost").state()["reason"]
        _becomes("none/2", "Queued")
        os.utime(second.folder / "state.json", (1, 1))  # as after minutes without its supervisor
        slurm.ask("scontrol", "update", f"jobid={jobs.submitted(second.folder)}", "starttime=now")
        wait_until(lambda: "as it was: epoch 1" in nsml("logs", "none/2").out, _PATIENCE)
        assert second.state()["on"] == "nodeb"
        assert "starts again, from checkpoint 0" in nsml("logs", "none/2").out
    finally:
        slurm.start_node("nodea")
    go.write_text("0")
    _becomes("none/2", "Exited")
    assert "NODE_FAIL" in nsml("logs", "none/1").err


def test_an_interrupted_session_with_requeue_waits_and_goes_on(nsml: Nsml, slurm: Cluster, go: Path) -> None:
    _run(nsml, go, "--requeue")
    session = _trains("none/1")
    number = jobs.submitted(session.folder)
    slurm.ask("scontrol", "requeue", number)  # as for a job of a higher priority
    _becomes("none/1", "Queued")
    wait_until(lambda: "JobState=PENDING" in slurm.ask("scontrol", "show", "job", number), _PATIENCE)
    # A node refuses what was sent to it before, or in the second in which, it cleared the job away: hence Slurm's delay.
    wait_until(lambda: set(slurm.ask("sinfo", "--Node", "--noheader", "--format=%T").split()) == {"idle"}, _PATIENCE)
    time.sleep(2)
    slurm.ask("scontrol", "update", f"jobid={number}", "starttime=now")
    wait_until(lambda: "as it was: epoch 1" in nsml("logs", "none/1").out, _PATIENCE)
    slurm.ask("scancel", "--batch", "--signal=TERM", number)  # as before the end of its time
    wait_until(lambda: "JobState=PENDING" in slurm.ask("scontrol", "show", "job", number), _PATIENCE)
    assert session.status() == "Queued"
    assert nsml("stop", "none/1").status == 0 and session.status() == "Stopped"


def test_gpus_processors_memory_and_priority_are_asked_of_slurm(nsml: Nsml, slurm: Cluster, go: Path) -> None:
    _run(nsml, go, "-g", "2", "-c", "3", "--memory", "1G", "--priority", "-7", "--slurm", "--time=30 --comment='a b'")
    _trains("none/1")
    shown = slurm.ask("scontrol", "show", "job", jobs.submitted(_session("none/1").folder))
    for part in (
        "JobName=tester/none/1",
        "gres:gpu:2",
        "CPUs/Task=3",
        "MinMemoryNode=1018M",
        "Nice=7",
        "TimeLimit=00:30:00",
        "Comment=a b",
    ):
        assert part in shown, shown
    assert "on GPU 0,1" in nsml("logs", "none/1").out
    _run(nsml, go)
    _trains("none/2")  # gets one where there are any
    assert "gres:gpu:1" in slurm.ask("scontrol", "show", "job", jobs.submitted(_session("none/2").folder))
    status = nsml("status").out
    assert "nodea" in status and "gpu:2" in status and "tester/none/1" in status
    refused = nsml("run", "--slurm", "--partition=none")
    assert refused.status == 1 and "sbatch: invalid partition specified: none" in refused.err


# Without a cluster.


def test_without_slurm_one_line_says_what_is_missing(nsml: Nsml, tmp_path: Path) -> None:
    refused = nsml("run", "--engine", "slurm", "-g", "0", PATH=str(tmp_path))
    assert refused.status == 1 and "there is no sbatch on this machine" in refused.err
    assert len(refused.err.splitlines()) == 1 and list_sessions(open_home()) == []


def test_of_a_session_that_slurm_does_not_take_nothing_is_left_and_a_resumed_one_stays_as_it_was(
    nsml: Nsml, squeue: Callable[..., None], tmp_path: Path, trained: str
) -> None:
    """Whether it does not answer, refuses, or takes only some sessions of a sweep."""
    squeue("exit 0")
    sbatch, slurm = tmp_path / "sbatch", ("--engine", "slurm", "-g", "0")
    for does, status, shown in (
        ("echo 'sbatch: error: Unable to contact slurm controller' >&2; exit 1", 1, "does not answer"),
        ("echo 'sbatch: error: Invalid account' >&2; exit 1", 1, "Invalid account"),
        ("echo welcome", 1, "sbatch printed 'welcome"),
        ("kill -INT $PPID; sleep 5", 130, ""),  # Ctrl-C
    ):
        sbatch.write_text(f"#!/bin/sh\n{does}\n")
        sbatch.chmod(0o755)
        for command in (("run",), ("fork", trained), ("run", "--grid", "a=1,2")):
            refused = nsml(*command, *slurm)
            assert refused.status == status and shown in refused.err
        resumed = nsml("resume", trained, *slurm)
        assert resumed.status == status and shown in resumed.err
    (session,) = list_sessions(open_home())
    assert str(session.name) == trained and session.state()["exit_status"] == 0 and session.status() == "Exited"
    sbatch.write_text(
        f"#!/bin/sh\nmkdir {tmp_path}/first 2>/dev/null && echo 7 && exit\necho 'too many jobs' >&2; exit 1\n"
    )
    some = nsml("run", "--grid", "a=1,2,3", *slurm)
    assert some.status == 1 and "1 of 3 sessions of tester/none/sweep-2 are started; 'nsml stop" in some.err
    assert len(list_sessions(open_home())) == 2


@pytest.fixture
def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`squeue(script)` has the script answer for squeue, `squeue(script, sacct)` for sacct too; else there are no accounts."""

    def answer(script: str, sacct: str = "echo 'Slurm accounting storage is disabled' >&2; exit 1") -> None:
        for name, text in (("squeue", script), ("sacct", sacct)):
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / name).chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(jobs, "JOBS", jobs._Jobs())
    monkeypatch.setattr(slurm_engine, "JOBS", jobs.JOBS)
    return answer


def _left_by(status: str) -> Session:
    """A session whose files end with that status, and whose supervisor is on another host, silent since 1970."""
    session = create_session(open_home(), "tester", "none", {"kind": "run", "entry": "main.py", "arguments": []})
    write_json(session.folder / jobs.FILE, {"job": "7"})
    session.write_state(
        status, process=None if status == "Queued" else {"pid": 1, "host": "nodea", "boot": "x", "ticks": 1}
    )
    os.utime(session.folder / "state.json", (1, 1))
    return session


def test_where_slurm_does_not_answer_states_stay_and_say_so(nsml: Nsml, squeue: Callable[..., None]) -> None:
    squeue("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    for status in ("Queued", "Running"):
        _left_by(status)
    shown = nsml("ps").out
    assert re.search("Queued +job 7 of Slurm: Slurm does not answer", shown) and "Running on nodea" in shown


@pytest.mark.parametrize(
    ("before", "job", "status", "reason"),
    [
        ("Queued", "7|PENDING|Priority||N/A", "Queued", "job 7 of Slurm: Priority"),
        ("Queued", "7|RUNNING|None|nodeb|N/A", "Starting", ""),
        ("Running", "7|PENDING|BeginTime||NONE", "Queued", "job 7 of Slurm: BeginTime"),
        ("Running", "7|COMPLETING|None|nodea|NONE", "Running", ""),
        ("Running", "7|COMPLETED|None|nodea|NOW", "Running", ""),  # a shared disk shows the end later
        ("Running", "7|FAILED|NonZeroExitCode|nodea|2026-01-01T00:00:00", "Lost", "FAILED (NonZeroExitCode) on nodea"),
        ("Queued", "7|FAILED|NonZeroExitCode|nodea|2026-01-01T00:00:00", "Failed", "before it began"),
        ("Running", "7|OUT_OF_MEMORY|OutOfMemory|nodea|2026-01-01T00:00:00", "Lost", "OUT_OF_MEMORY (OutOfMemory) on nodea"),
        ("Running", "7|TIMEOUT|TimeLimit|nodea|2026-01-01T00:00:00", "Lost", "TIMEOUT (TimeLimit) on nodea"),  # killed on the way
        ("Queued", "7|CANCELLED|DependencyNeverSatisfied||2026-01-01T00:00:00", "Stopped", "DependencyNeverSatisfied"),
        ("Running", "8|RUNNING|None|nodea|N/A", "Lost", "no longer knows job 7"),
    ],
)  # fmt: skip
def test_what_slurm_says_of_a_job_is_the_state_where_the_files_say_nothing(
    squeue: Callable[..., None], before: str, job: str, status: str, reason: str
) -> None:
    now = datetime.now().isoformat(timespec="seconds")
    squeue(f"echo '3|RUNNING|None|nodea|N/A|of two\nlines'; echo '{job.replace('NOW', now)}|tester/none/1'")
    state = _left_by(before).state()
    assert state["status"] == status and reason in state.get("reason", "")


@pytest.mark.parametrize(
    ("account", "status", "reason"),
    [
        ("7|TIMEOUT|None|nodea|2026-01-01T00:00:00", "Lost", "job 7 of Slurm ended with TIMEOUT on nodea"),
        ("7|NODE_FAIL|None|nodea|2026-01-01T00:00:00", "Lost", "ended with NODE_FAIL on nodea"),
        ("7|CANCELLED by 1000|None|None assigned|2026-01-01T00:00:00", "Stopped", "ended with CANCELLED"),
        ("7|RUNNING|None|nodea|Unknown", "Running", ""),
        ("71|TIMEOUT|None|nodea|2026-01-01T00:00:00", "Lost", "no longer knows job 7"),
    ],
)
def test_of_a_job_that_squeue_no_longer_knows_the_accounts_say_how_it_ended(
    squeue: Callable[..., None], account: str, status: str, reason: str
) -> None:
    asked = (
        'test "$*" = "--noheader --parsable2 --allocations --jobs=7 --format=JobID,State,Reason,NodeList,End,JobName"'
    )
    squeue("exit 0", f"{asked} && echo '{account}|tester/none/1'")
    state = _left_by("Running").state()
    assert state["status"] == status and reason in state.get("reason", "")


@pytest.mark.parametrize(
    ("job", "requeue", "status", "reason"),
    [
        ("RUNNING|None|nodea|2026-01-01T00:00:00", True, "Queued", "starts again by itself"),  # by --signal=B:TERM@120
        ("RUNNING|None|nodea|2026-01-01T00:00:00", False, "Stopped", "--requeue goes on"),
        ("COMPLETING|TimeLimit|nodea|2026-01-01T00:00:00", True, "Stopped", "Slurm ended job 7: TimeLimit"),
        ("COMPLETING|TimeLimit|nodea|2026-01-01T00:00:00", False, "Stopped", "Slurm ended job 7: TimeLimit"),
        ("COMPLETING|None|nodea|NONE", True, "Queued", "starts again by itself"),  # for a job of a higher priority
    ],
)
def test_a_job_at_the_end_of_its_time_is_stopped_or_goes_on_where_slurm_sends_a_signal_before(
    squeue: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    job: str,
    requeue: bool,
    status: str,
    reason: str,
) -> None:
    squeue(f"echo '7|{job}|tester/none/1'")
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    session = _left_by("Running")
    write_json(session.folder / "launch.json", {"queue": {"requeue": requeue}})
    ended = Slurm().interrupted(session)
    assert ended[0] == status and reason in ended[1]
    asked = (tmp_path / "asked").read_text() if (tmp_path / "asked").exists() else ""
    assert asked == ("requeue 7\n" if requeue and job.startswith("RUNNING") else "")


def test_the_end_that_slurm_says_is_written_down_before_it_forgets(squeue: Callable[..., None]) -> None:
    squeue("echo '7|NODE_FAIL|NodeDown|nodea|2026-01-01T00:00:00|tester/none/1'")
    session = _left_by("Running")
    assert session.status() == "Lost"
    squeue("exit 0")
    jobs.JOBS = jobs._Jobs()
    assert "NODE_FAIL" in session.state()["reason"]


def test_slurm_is_asked_again_after_two_seconds(squeue: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    session, line = _left_by("Running"), "echo '7|{}|None|nodea|N/A|tester/none/1'"
    times = iter([100.0] * 2 + [101.0] + [101.9] + [102.1] * 2)
    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: next(times), time=time.time))
    squeue(line.format("RUNNING"))
    assert session.status() == "Running"
    squeue(line.format("NODE_FAIL"))
    assert [session.status() for _ in range(3)] == ["Running", "Running", "Lost"]


def test_fewer_gpus_than_were_asked_for_are_said_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    session = _left_by("Queued")
    write_json(session.folder / "launch.json", {"home": str(open_home().path), "queue": {"gpus": 2}})
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert Slurm().claim(open_home(), session, identity())
    assert "-g 2 was asked for, and Slurm gave job 7 1 GPUs" in session.log.read_text()
    session.write_state("Stopped")
    assert not Slurm().claim(open_home(), session, identity())


@pytest.mark.parametrize("words", [("--requeue",), ("--slurm", "--partition=gpu")])
def test_options_of_slurm_are_refused_on_this_machine(nsml: Nsml, words: tuple[str, ...]) -> None:
    refused = nsml("run", *words)
    assert refused.status == 2 and "--engine slurm" in refused.err


def test_no_wait_is_refused_with_slurm(nsml: Nsml) -> None:
    refused = nsml("run", "--engine", "slurm", "--no-wait")
    assert refused.status == 2 and "--no-wait" in refused.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--partition=gpu --account=eye", ["--partition=gpu", "--account=eye"]),
        ("-p gpu --account eye", ["-pgpu", "--account=eye"]),
        ("--comment='two words' --exclusive", ["--comment=two words", "--exclusive"]),
        ("", []),
    ],
)
def test_a_sites_options_reach_sbatch_as_options_with_their_values(text: str, words: list[str]) -> None:
    assert site_options(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "--output=x",
        "--out x",
        "-J name",
        "--array=1-3",
        "-a1",
        "script.sh",
        "--partition=gpu x",
        "--",
        "-",
        "--wrap=true",
        "--mem=1",
        "'--x",
    ],
)
def test_options_that_nsml_sets_and_words_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(NsmlError, match="--slurm"):
        site_options(text, taken=["mem"])


@given(st.lists(st.text(alphabet="-=abgpx m'\" ", max_size=8), max_size=5).map(" ".join))
def test_whatever_is_given_no_word_can_become_the_name_of_a_script(text: str) -> None:
    try:
        words = site_options(text)
    except NsmlError:
        return
    assert all(word.startswith("-") and word.strip("-") for word in words)
