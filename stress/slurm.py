"""Sessions of three users on a cluster of Slurm with two nodes, one of which loses its power, while the controller is restarted, jobs are
cancelled by `scancel`, and a home fills up."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from nsml.errors import NsmlError
from nsml.store import jobs
from nsml.store.checkpoints import whole_checkpoint
from nsml.store.files import read_json, visible
from nsml.store.home import Home
from nsml.store.launches import FILE
from nsml.store.sessions import ENDED, Session, list_sessions
from stress.counts import Counts, Plan
from stress.homes import DATASET, new_home, start_nsml, using
from stress.slurm_cluster import NODES, Cluster, wait_for, why_no_cluster

USERS = ("ann", "ben", "cho")
_AT_ONCE = 4
_SMALL = "24m"
# Saves its epoch twice a second, with its GPUs locked; goes on from the newest.
_PROGRAM = """\
import argparse, fcntl, os, time
import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--notes")
parser.add_argument("--epochs", type=int)
parser.add_argument("--bytes", type=int, default=1)
args = parser.parse_args()
epoch = -1
session, node = os.path.dirname(os.getcwd()), os.uname().nodename
gpus = [gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]


def note(what):
    with open(os.path.join(args.notes, "notes"), "a") as file:
        file.write(f"{what} {epoch} {time.time()} {node} {','.join(gpus) or '-'} {session}\\n")


def save(folder):
    with open(os.path.join(folder, "epoch"), "w") as file:
        file.write(str(epoch).rjust(args.bytes))


def load(folder):
    global epoch
    epoch = int(open(os.path.join(folder, "epoch")).read())


nsml.bind(save=save, load=load)
if args.pause:
    nsml.paused(scope=locals())
note("started")
held = [open(os.path.join(args.notes, f"{node}-gpu{gpu}"), "a") for gpu in gpus]
for file in held:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note("collided")
for epoch in range(epoch + 1, args.epochs):
    nsml.report(summary=True, step=epoch, epoch=epoch)
    nsml.save("last")
    note("saved")
    time.sleep(0.5)
note("ended")
"""


@dataclass
class _Story:
    """What happened to the cluster: names of sessions that were cancelled, and those that ran where the power went."""

    cancelled: list[str] = field(default_factory=list)
    powerless: list[str] = field(default_factory=list)


def prove(plan: Plan) -> Counts:
    """`times` sessions, then a home that fills up."""
    counts = Counts()
    if why := why_no_cluster():
        print(f"slurm: skipped, since no cluster can be started here: {why}", flush=True)
        return counts
    with _small_disk(plan.folder / "disk") as has_disk:  # before the nodes, which see no later mount
        (plan.folder / "cluster").mkdir()
        cluster = Cluster(plan.folder / "cluster", timeout=10)
        before = os.environ.copy()
        os.environ.update(cluster.environment)
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        try:
            _many(plan, cluster, counts)
            _silent_node(plan, cluster, counts)
            if has_disk:
                _full_home(plan, counts)
            else:
                print("slurm: no tmpfs may be mounted here, so no home was filled", flush=True)
        finally:
            os.environ.clear()
            os.environ.update(before)
            cluster.stop()
    return counts


def _many(plan: Plan, cluster: Cluster, counts: Counts) -> None:
    chance, until = random.Random(plan.seed), time.monotonic() + plan.seconds
    home = new_home(plan.folder / "home")
    (plan.folder / "project" / "main.py").write_text(_PROGRAM)
    notes = plan.folder / "notes"
    notes.touch()
    left, began = plan.times, time.monotonic()
    cluster.ask("scontrol", "update", "partitionname=all", "state=down")  # so that all of them wait
    while left:
        commands = []
        for _ in range(min(left, _AT_ONCE)):
            left -= 1
            gpus, words = chance.choice("1112"), f"--notes {plan.folder} --epochs {chance.randrange(4, 20)}"
            options = ["--requeue"] if left % 2 else []
            run = ["run", "-d", DATASET, "--engine", "slurm", "-g", gpus, "-a", words, "--env", "current", *options]
            commands.append(start_nsml(home.path, *run, user=USERS[left % len(USERS)]))
        for command in commands:
            counts.check(command.wait() == 0, f"a command failed: {command.communicate()[1]}")
            counts.done["sessions"] += 1
    cluster.ask("scontrol", "update", "partitionname=all", "state=up")
    print(f"slurm: {plan.times} sessions are submitted after {time.monotonic() - began:.1f} s", flush=True)
    story = _break(home, cluster, plan, until, chance, counts)
    _wait_for_ends(home, until, counts)
    _print_table(home, notes.read_text(), story)
    _check(home, notes.read_text(), plan, story, counts)
    _resume_lost(home, until, counts)


def _break(home: Home, cluster: Cluster, plan: Plan, until: float, chance: random.Random, counts: Counts) -> _Story:
    story = _Story()

    def with_status(status: str) -> list[Session]:
        return [session for session in list_sessions(home) if session.status() == status]

    def ended(share: float) -> bool:
        return len(with_status("Exited")) >= share * plan.times or time.monotonic() > until

    def on_first_node() -> list[Session]:
        running = [session for session in with_status("Running") if session.state().get("on") == NODES[0]]
        return [session for session in running if visible(session.checkpoints)]

    wait_for(lambda: ended(0.2), "nothing ends", plan.seconds)
    for status in ("Running", "Queued"):
        for session in chance.sample(found, 1) if (found := with_status(status)) else []:
            cluster.ask("scancel", jobs.submitted(session.folder))
            story.cancelled.append(str(session.name))
            counts.done["cancelled"] += 1
    wait_for(lambda: ended(0.4), "nothing ends", plan.seconds)
    cluster.restart_controller()
    counts.done["restarts of the controller"] += 1
    # Where the power goes, one session with --requeue runs, and one without.
    wait_for(lambda: {_requeues(one) for one in on_first_node()} == {True, False}, "nothing runs there", plan.seconds)
    story.powerless = [str(session.name) for session in on_first_node()]
    cluster.kill_node(NODES[0])
    killed = time.monotonic()
    counts.done["killed nodes"] += 1
    wait_for(
        lambda: "State=DOWN" in cluster.ask("scontrol", "show", "node", NODES[0]), "the dead node is not noticed", 300
    )
    print(f"slurm: the controller took the dead node for dead after {time.monotonic() - killed:.0f} s", flush=True)
    cluster.start_node(NODES[0])
    return story


def _requeues(session: Session) -> bool:
    return bool(read_json(session.folder / FILE)["queue"]["requeue"])


def _wait_for_ends(home: Home, until: float, counts: Counts) -> None:
    while any(session.status() not in ENDED for session in list_sessions(home)):
        if time.monotonic() > until:
            counts.losses.append("sessions still wait or run")
            return
        time.sleep(1)


def _lines(notes: str) -> list[tuple[str, int, float, str, str, str]]:
    rows = (line.split(" ", 5) for line in notes.splitlines())
    return [(what, int(epoch), float(when), node, gpus, session) for what, epoch, when, node, gpus, session in rows]


def _print_table(home: Home, notes: str, story: _Story) -> None:
    """Seconds of wait and run, and the places, of each session; a second start is that of a job that Slurm started again."""
    print("slurm: session               wait    run  places                        end")
    for session in sorted(list_sessions(home), key=lambda session: float(session.record()["created_at"])):
        own = [line for line in _lines(notes) if line[5] == str(session.folder)]
        starts = [line for line in own if line[0] == "started"]
        wait = f"{starts[0][2] - float(session.record()['created_at']):.1f}" if starts else "-"
        run = f"{own[-1][2] - starts[0][2]:.1f}" if starts else "-"
        places = ", then ".join(f"{node} GPU {gpus}" for _, _, _, node, gpus, _ in starts)
        what = (
            "cancelled"
            if str(session.name) in story.cancelled
            else "lost power"
            if str(session.name) in story.powerless
            else ""
        )
        print(f"slurm: {session.name!s:20} {wait:>5} {run:>6}  {places:28}  {session.status()} {what}", flush=True)


def _check(home: Home, notes: str, plan: Plan, story: _Story, counts: Counts) -> None:
    sessions = list_sessions(home)
    counts.check(len(sessions) == plan.times, f"there are {len(sessions)} sessions")
    for session in sessions:
        name, state = str(session.name), session.state()
        counts.done[state["status"]] += 1
        own = [line for line in _lines(notes) if line[5] == str(session.folder)]
        seen = Counter(line[0] for line in own)
        counts.check(not seen["collided"], f"{name} had a GPU of another session")
        saved = -1
        for what, epoch, *_ in own:
            counts.check(what != "started" or epoch >= saved, f"{name} went on from {epoch}, and {saved} was saved")
            saved = max(saved, epoch) if what == "saved" else saved
        asked = read_json(session.folder / FILE)["queue"]["gpus"]
        given = [line[4] for line in own if line[0] == "started"]
        for gpus in [gpus for gpus in given if len(gpus.strip("-").split(",")) != asked or gpus == "-"]:
            counts.done["without the GPUs asked for"] += 1
            is_said = "GPUs" in session.log.read_text()
            counts.check(is_said, f"{name} had GPU {gpus} in place of {asked} GPUs, and its log does not say so")
        most = 2 if name in story.powerless else 1
        counts.check(seen["started"] <= most, f"{name} was started {seen['started']} times")
        if state["status"] == "Exited":
            counts.check(seen["ended"] == 1, f"{name} ended {seen['ended']} times")
            counts.done["went on elsewhere"] += seen["started"] > 1
        elif state["status"] == "Stopped":
            counts.check(name in story.cancelled, f"{name} is Stopped and was not cancelled: {state.get('reason')}")
        else:
            is_known = name in story.powerless and "NODE_FAIL" in str(state.get("reason"))
            counts.check(is_known, f"{name} is {state['status']}: {state.get('reason')}")


def _resume_lost(home: Home, until: float, counts: Counts) -> None:
    lost = [session for session in list_sessions(home) if session.status() == "Lost"]
    for session in lost:
        ended = start_nsml(home.path, "resume", str(session.name))
        _, err = ended.communicate()
        counts.check(ended.returncode == 0, f"{session.name} cannot be resumed: {err}")
    _wait_for_ends(home, until, counts)
    for session in lost:
        counts.check(session.status() == "Exited", f"{session.name} was resumed and is {session.status()}")
        counts.done["resumed"] += 1


def _silent_node(plan: Plan, cluster: Cluster, counts: Counts) -> None:
    """A node that the controller takes for dead trains on: its session goes on elsewhere, and the program there is ended before."""
    home = new_home(plan.folder / "silent" / "home")
    (plan.folder / "silent" / "project" / "main.py").write_text(_PROGRAM)
    notes = plan.folder / "silent" / "notes"
    words = f"--notes {plan.folder / 'silent'} --epochs 60"
    run = [
        "run",
        "--engine",
        "slurm",
        "--slurm",
        f"-x {NODES[1]}",
        "-g",
        "1",
        "--requeue",
        "-a",
        words,
        "--env",
        "current",
    ]
    started = start_nsml(home.path, *run)
    counts.check(started.wait() == 0, f"a command failed: {started.communicate()[1]}")
    (session,) = list_sessions(home)
    wait_for(lambda: notes.exists() and "saved 1 " in notes.read_text(), "nothing is saved")
    cluster.silence_node(NODES[0])
    cluster.declare_dead(NODES[0])
    update = ("scontrol", "update", f"jobid={jobs.submitted(session.folder)}")
    cluster.ask(*update, "excnodelist=")
    wait_for(
        lambda: cluster.ask(*update, "starttime=now") or notes.read_text().count("started") > 1,
        "it does not go on",
        300,
    )
    wait_for(lambda: session.status() in ENDED, "the session does not end", 300)
    places = [(what, node) for what, _, _, node, _, _ in _lines(notes.read_text())]
    moved = places.index(("started", NODES[1]))
    counts.check(all(node == NODES[1] for _, node in places[moved:]), "the node that was taken for dead trained on")
    counts.check(session.status() == "Exited", f"the session of a silent node is {session.status()}")
    counts.done["silent nodes"] += 1
    cluster.kill_node(NODES[0])
    cluster.start_node(NODES[0])


def _full_home(plan: Plan, counts: Counts) -> None:
    """A session on a home that fills up ends and says so, loses no checkpoint, and can be resumed when there is room."""
    folder = plan.folder / "disk"
    home = new_home(folder / "home")
    (folder / "project" / "main.py").write_text(_PROGRAM)
    (plan.folder / "full").mkdir()
    filler, notes = folder / "filler", plan.folder / "full" / "notes"
    with using(home.path):
        words = f"--notes {plan.folder / 'full'} --epochs 30 --bytes 200000"
        started = start_nsml(home.path, "run", "-d", DATASET, "--engine", "slurm", "-a", words, "--env", "current")
        counts.check(started.wait() == 0, f"a command failed: {started.communicate()[1]}")
        (session,) = list_sessions(home)
        wait_for(lambda: notes.exists() and "saved 1 " in notes.read_text(), "nothing is saved")
        with suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        wait_for(lambda: session.status() in ENDED, "the session on the full home does not end", 180)
        counts.done[f"{session.status()} on a full home"] += 1
        saved = max(epoch for what, epoch, *_ in _lines(notes.read_text()) if what == "saved")
        filler.unlink()
        try:
            checkpoint = whole_checkpoint(session.checkpoints, None, str(session.name))
            epoch = int((checkpoint.model / "epoch").read_text())
            counts.check(epoch >= saved, f"epoch {epoch} is there on the full home, {saved} was saved")
        except (NsmlError, OSError, ValueError) as error:
            counts.losses.append(f"on the full home: {error}")
        resumed = start_nsml(home.path, "resume", str(session.name))
        counts.check(resumed.wait() == 0, f"after a full home: {resumed.communicate()[1]}")
        wait_for(lambda: session.status() in ENDED, "the resumed session does not end", 180)
        counts.check(session.status() == "Exited", f"resumed after a full home, it is {session.status()}")


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """Whether a small disk could be mounted at `folder`."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SMALL}", "tmpfs", str(folder)]
    try:
        is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        is_mounted = False
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)
