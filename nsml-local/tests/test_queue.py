"""The queue: sessions that do not fit wait, in a fair order, and none is lost."""

import contextlib
import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers import Nsml, wait_until, with_gpus
from hypothesis import given
from hypothesis import strategies as st

from nsml.cli.main import nsml as nsml_command
from nsml.engine.resources import Machine, set_side_by_side
from nsml.engine.turns import Holder, Waiter, plan
from nsml.errors import Damaged
from nsml.store.home import Home, open_home
from nsml.store.names import parse_session_name
from nsml.store.sessions import Session, find_session

MACHINE = Machine(gpus=(0, 1, 2), cpus=4, memory=10, sessions=2)
WAITERS = st.lists(
    st.builds(
        Waiter,
        name=st.just(""),
        user=st.sampled_from(["ann", "ben", "cho"]),
        gpus=st.integers(0, 3),
        cpus=st.sampled_from([0.0, 4 / 3, 2.0, 4.0]),
        memory=st.integers(0, 10),
        priority=st.integers(-1, 1),
    ),
    max_size=12,
).map(lambda waiters: [replace(w, name=f"{w.user}/d/{n}", since=float(n)) for n, w in enumerate(waiters)])


def _held(by: Waiter, gpus: tuple[int, ...]) -> Holder:
    return Holder(by.user, gpus, by.cpus, by.memory)


def _check_limits(running: list[Holder]) -> None:
    gpus = [gpu for holder in running for gpu in holder.gpus]
    assert len(gpus) == len(set(gpus)) and set(gpus) <= set(MACHINE.gpus)
    assert sum(holder.cpus for holder in running) <= MACHINE.cpus + 1e-3
    assert sum(holder.memory for holder in running) <= MACHINE.memory


@given(WAITERS, st.randoms(use_true_random=False))
def test_never_over_the_limit_and_nobody_waits_for_ever(waiters: list[Waiter], chance: object) -> None:
    left = {waiter.name: waiter for waiter in waiters}
    running: dict[str, Holder] = {}
    while left:
        for place in plan(MACHINE, list(running.values()), list(left.values())):
            if place.gpus is not None:
                waiter = left.pop(place.name)
                assert len(place.gpus) == waiter.gpus
                running[place.name] = _held(waiter, place.gpus)
        _check_limits(list(running.values()))
        assert running, "the machine is free and nothing starts"
        del running[chance.choice(sorted(running))]  # type: ignore[attr-defined]


@given(WAITERS)
def test_what_does_not_fit_is_delayed_by_nothing_behind_it(waiters: list[Waiter]) -> None:
    by_name = {waiter.name: waiter for waiter in waiters}
    started: list[Holder] = []
    for place in plan(MACHINE, [], waiters):
        waiter = by_name[place.name]
        if place.gpus is not None:
            started.append(_held(waiter, place.gpus))
        else:
            assert place.why.startswith("needs ")
            # Where all before it have ended, it fits beside what has started behind it.
            before = plan(MACHINE, [], waiters)
            behind = [p for p in before[before.index(place) + 1 :] if p.gpus is not None]
            holders = [_held(by_name[p.name], p.gpus or ()) for p in behind]
            assert plan(MACHINE, holders, [waiter])[0].gpus is not None
    _check_limits(started)


@given(WAITERS)
def test_users_take_turns_and_ones_own_go_by_priority_then_by_time(waiters: list[Waiter]) -> None:
    by_name = {waiter.name: waiter for waiter in waiters}
    order = [by_name[place.name] for place in plan(MACHINE, [], waiters)]
    assert len(order) == len(waiters)
    total, count = Counter(w.user for w in waiters), Counter[str]()
    for waiter in order:
        # Nobody gets a second place while somebody who waits too has none.
        assert all(count[waiter.user] <= count[user] for user in total if count[user] < total[user])
        count[waiter.user] += 1
    for user in total:
        own = [(-w.priority, w.since) for w in order if w.user == user]
        assert own == sorted(own)


def test_a_session_that_needs_no_gpu_passes_one_that_waits_for_one() -> None:
    holders = [Holder("ann", gpus=(0, 1))]
    waiters = [Waiter("ben/d/1", "ben", gpus=2, since=1), Waiter("cho/d/1", "cho", gpus=1, since=2)]
    waiters.append(Waiter("cho/d/2", "cho", cpus=2.0, since=3))
    first, second, third = plan(MACHINE, holders, waiters)
    assert (first.gpus, second.gpus, third.gpus) == (None, None, ())
    assert first.why == "needs 2 of 3 GPUs (1 free)" and second.why == "needs 1 of 3 GPUs (0 free)"


# Through the command.


@pytest.fixture
def one_at_once(home: Path) -> None:
    set_side_by_side(open_home(home), 1)


@pytest.fixture
def hold(project: Path) -> Path:
    """A program that runs until its file `go` is there, and ends with the status in it."""
    (project / "hold.py").write_text(
        "import os, sys, time\n"
        "print('on', os.environ.get('CUDA_VISIBLE_DEVICES'), flush=True)\n"
        "while not os.path.exists(sys.argv[1]):\n"
        "    time.sleep(0.05)\n"
        "sys.exit(int(open(sys.argv[1]).read()))\n"
    )
    return project / "go"


def _session(name: str) -> Session:
    return find_session(open_home(), parse_session_name(name, "tester"))


def _is(name: str, status: str) -> None:
    session = _session(name)
    wait_until(lambda: session.status() == status)


def _run_hold(nsml: Nsml, go: Path, *options: str, **environment: str) -> str:
    started = nsml("run", "hold.py", "--env", "current", "-a", str(go), *options, **environment)
    assert started.status == 0, started.err
    return started.out


@pytest.mark.usefixtures("one_at_once")
def test_a_second_session_waits_with_the_code_of_its_time_and_starts_by_itself(
    nsml: Nsml, hold: Path, project: Path
) -> None:
    assert "is started" in _run_hold(nsml, hold)
    (project / "main.py").write_text("print('as it was')")
    assert "Session tester/none/2 is queued at place 1: needs " in nsml("run", "--env", "current").out
    (project / "main.py").write_text("print('changed since')")
    assert "Queued (1)  needs " in nsml("ps").out
    assert "is queued at place 1" in nsml("logs", "none/2").err
    hold.write_text("0")
    assert nsml("logs", "-f", "none/2").out.startswith("as it was\n")


@pytest.mark.usefixtures("one_at_once")
def test_no_wait_refuses_and_leaves_no_session(nsml: Nsml, hold: Path) -> None:
    _run_hold(nsml, hold)
    refused = nsml("run", "hold.py", "--no-wait")
    assert refused.status == 2 and "without --no-wait it waits" in refused.err
    assert "none/2" not in nsml("ps", "-a").out
    hold.write_text("0")


@pytest.mark.usefixtures("one_at_once")
def test_stop_takes_a_session_out_of_the_queue(nsml: Nsml, hold: Path) -> None:
    for _ in range(3):
        _run_hold(nsml, hold)
    assert nsml("stop", "none/2").status == 0
    assert _session("none/2").status() == "Stopped" and not _session("none/2").log.read_text().startswith("on")
    wait_until(lambda: "Queued (1)" in nsml("ps").out)
    hold.write_text("0")
    _is("none/3", "Exited")


def test_gpus_are_given_one_each_and_to_the_next_when_they_are_free(
    nsml: Nsml, hold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    path = with_gpus(tmp_path / "bin", 3)
    _run_hold(nsml, hold, "-g", "2", PATH=path)
    _run_hold(nsml, tmp_path / "never", PATH=path)
    wait_until(lambda: (nsml("logs", "none/1").out, nsml("logs", "none/2").out) == ("on 0,1\n", "on 2\n"))
    assert "needs 1 of 3 GPUs (0 free)" in _run_hold(nsml, hold, PATH=path)
    too_many = nsml("run", "hold.py", "-g", "4", PATH=path)
    assert too_many.status == 2 and "-g 4: this machine has 3 GPUs" in too_many.err
    assert "3 GPUs (0, 1, 2); a session gets a free one" in nsml("doctor", PATH=path).out
    nsml("stop", "none/1", PATH=path)
    wait_until(lambda: nsml("logs", "none/3").out == "on 0\n")
    nsml("stop", "none/*", PATH=path)


def test_after_starts_where_that_ended_with_status_0_and_after_any_always(
    nsml: Nsml, hold: Path, tmp_path: Path
) -> None:
    failing = tmp_path / "failing"
    _run_hold(nsml, hold)
    _run_hold(nsml, failing)
    for option in ("--after", "--after-any"):
        assert "after tester/none/1, which is " in nsml("run", option, "none/1").out
        assert "after tester/none/2, which is " in nsml("run", option, "none/2").out
    hold.write_text("0")
    failing.write_text("3")
    for number in (3, 5, 6):
        _is(f"none/{number}", "Exited")
    _is("none/4", "Stopped")
    assert "session tester/none/2, after which it was to start, is Failed" in nsml("logs", "none/4").out
    assert nsml("run", "--after", "none/99").status == 2


@pytest.mark.usefixtures("one_at_once")
def test_a_killed_waiter_holds_nothing_up_and_waits_again_from_the_next_command(nsml: Nsml, hold: Path) -> None:
    for _ in range(3):
        _run_hold(nsml, hold)
    os.kill(_session("none/2").state()["process"]["pid"], signal.SIGKILL)
    hold.write_text("0")
    _is("none/3", "Exited")
    assert _session("none/2").status() == "Queued"
    nsml("ps")
    _is("none/2", "Exited")


@pytest.mark.usefixtures("one_at_once")
def test_where_the_running_supervisor_is_killed_the_next_starts(nsml: Nsml, hold: Path) -> None:
    for _ in range(2):
        _run_hold(nsml, hold)
    os.kill(_session("none/1").state()["process"]["pid"], signal.SIGKILL)
    _is("none/2", "Running")
    assert _session("none/1").status() == "Lost"
    hold.write_text("0")


@pytest.mark.usefixtures("one_at_once")
def test_after_a_restart_of_the_machine_queued_sessions_go_on(nsml: Nsml, hold: Path) -> None:
    for _ in range(4):
        _run_hold(nsml, hold)
    for number in (4, 3, 2, 1):
        os.kill(_session(f"none/{number}").state()["process"]["pid"], signal.SIGKILL)
    wait_until(lambda: _session("none/1").status() == "Lost")
    assert nsml("stop", "none/4").status == 0  # without its supervisor
    resumed = nsml("resume", "--queued")
    assert resumed.out == "Session tester/none/2 waits again\nSession tester/none/3 waits again\n"
    hold.write_text("0")
    for number, status in ((1, "Lost"), (2, "Exited"), (3, "Exited"), (4, "Stopped")):
        _is(f"none/{number}", status)
    assert not (open_home().queue / "waiting.json").exists()
    assert "no queued session" in nsml("resume", "--queued").err


@pytest.mark.usefixtures("one_at_once")
def test_a_waiting_session_whose_state_is_damaged_starts_at_its_turn(nsml: Nsml, hold: Path) -> None:
    for _ in range(2):
        _run_hold(nsml, hold)
    waiting = _session("none/2")
    with open(waiting.folder / "state.json", "a") as file:
        file.write(" ")
    assert "has not ended" in nsml("rm", "-f", "none/2").err
    hold.write_text("0")
    _is("none/1", "Exited")

    def is_readable() -> bool:
        with contextlib.suppress(Damaged):
            return waiting.status() == "Exited"
        return False

    wait_until(is_readable)


def test_the_queue_of_another_account_does_not_go_on_in_the_name_of_root(monkeypatch: pytest.MonkeyPatch) -> None:
    revived: list[Home] = []
    monkeypatch.setattr("nsml.engine.queue.revive", revived.append)
    home = open_home()
    home.queue.mkdir(exist_ok=True)
    (home.queue / "waiting.json").write_text("{}")
    owner = os.getuid()
    for user, count in ((owner + 1, 0), (owner, 1)):
        monkeypatch.setattr("os.getuid", lambda user=user: user)
        CliRunner().invoke(nsml_command, ["whoami"])
        assert len(revived) == count


def test_how_many_run_side_by_side_can_be_set(nsml: Nsml, hold: Path) -> None:
    assert "sessions without a GPU run 1 at a time" in nsml("status", "--side-by-side", "1").out
    for _ in range(2):
        _run_hold(nsml, hold)
    assert _session("none/2").status() == "Queued"
    nsml("status", "--side-by-side", "2")
    _is("none/2", "Running")
    hold.write_text("0")
    cpus = len(os.sched_getaffinity(0))
    assert f"without a GPU run {max(1, cpus // 2)} at a time" in nsml("status", "--side-by-side", "0").out


@pytest.mark.usefixtures("one_at_once")
def test_what_waits_on_another_host_is_left_to_it_and_takes_nothing_here(nsml: Nsml, hold: Path) -> None:
    for _ in range(2):
        _run_hold(nsml, hold)
    waiting = _session("none/2")
    os.kill(waiting.state()["process"]["pid"], signal.SIGKILL)
    elsewhere = {**waiting.state()["process"], "host": "elsewhere", "boot": "another"}
    waiting.write_state("Queued", process=elsewhere)
    assert "Queued on elsewhere" in nsml("ps").out
    refused = nsml("stop", "none/2")
    assert refused.status != 0 and "elsewhere" in refused.err
    assert "none/3" in _run_hold(nsml, hold)
    hold.write_text("0")
    _is("none/3", "Exited")
    nsml("ps")
    assert waiting.status() == "Queued" and waiting.state()["process"] == elsewhere
