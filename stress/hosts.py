"""Two hosts that share a home, as namespaces of this machine with clocks an hour apart: what each command says on the other one, and what
is left when a host is killed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from nsml.errors import NsmlError
from nsml.store.checkpoints import checkpoint_names
from nsml.store.home import Home
from nsml.store.names import parse_session_name
from nsml.store.sessions import Session, find_session
from stress.counts import Counts, Plan
from stress.homes import DATASET, Ended, environment, new_home
from stress.slurm_cluster import wait_for

_OWN = ("--uts", "--net", "--pid")
_ARGUMENTS = "--saves 1000 --sleep 500"  # a save every half second
# The command with a clock that is so many seconds ahead, in the supervisors that it leaves behind too.
_NSML = """\
import sys, time
now, ahead = time.time, float(sys.argv.pop(1))
time.time = lambda: now() + ahead
sys.argv[0] = "nsml"
from nsml.cli.main import main
sys.exit(main())
"""
# Told on the other host of a session that runs and one that waits: what may be done there, and what must be refused.
_REFUSED = ("stop -f {running}", "stop -f {waiting}", "resume {running}", "resume {waiting}", "rm -f {running}",
            "rm -f {waiting}", "exec {running} 1+1", "doctor --repair")  # fmt: skip
_DONE = ("ps", "logs {running}", "model ls {running}", "memo {running} seen", "tag {running} +seen", "prune -f {running}",
         "submit {running} best", "fork {running} -a '--saves 1'", "run -a '--saves 1' --env current --after-any {running}")  # fmt: skip


class _Host:
    """A name, processes and a network of its own, in which `nsml` can be run."""

    def __init__(self, name: str, ahead: float, home: Path) -> None:
        self._ahead, self._home = ahead, home
        inside = f"hostname {name}; echo; exec sleep infinity"
        self._process = subprocess.Popen(
            ["unshare", *_OWN, "--fork", "--mount-proc", "--kill-child", "sh", "-c", inside],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise NsmlError("no namespaces can be made here")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self._inside = [
            "nsenter",
            f"--target={children.read_text().split()[0]}",
            *_OWN,
            "--mount",
            f"--wd={home.with_name('project')}",
        ]

    def nsml(self, *words: str) -> Ended:
        command = [*self._inside, sys.executable, "-c", _NSML, str(self._ahead), *words]
        ended = subprocess.run(
            command, env=environment(self._home), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=120, check=False,
        )  # fmt: skip
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def kill(self) -> None:
        """As a machine that loses its power."""
        self._process.kill()
        self._process.wait()


def prove(plan: Plan) -> Counts:
    """A session runs and one waits on the first host; everything is tried on the second, whose clock is an hour ahead, then behind."""
    counts = Counts()
    probe = subprocess.run(
        ["unshare", *_OWN, "--fork", "--mount-proc", "true"], capture_output=True, text=True, check=False
    )
    if probe.returncode:
        print(f"hosts: skipped, since no namespaces can be made here: {probe.stderr.strip()}", flush=True)
        return counts
    for ahead in (3600.0, -3600.0):
        folder = plan.folder / f"ahead{ahead:.0f}"
        folder.mkdir()
        home = new_home(folder / "home")
        first, second = _Host("hosta", 0, home.path), _Host("hostb", ahead, home.path)
        try:
            _prove(first, second, folder / "home", ahead, counts)
        finally:
            first.kill()
            second.kill()
    return counts


def _prove(first: _Host, second: _Host, folder: Path, ahead: float, counts: Counts) -> None:
    for options in ("", "--after {}"):
        started = first.nsml(
            "run", "-d", DATASET, "--env", "current", "-a", _ARGUMENTS, *options.format(f"{DATASET}/1").split()
        )
        if started.status:
            raise NsmlError(started.err)
    home = Home(folder)
    running, waiting = (find_session(home, parse_session_name(f"{DATASET}/{n}", "tester")) for n in (1, 2))
    wait_for(lambda: "best" in checkpoint_names(running.checkpoints), "nothing is saved")
    print(f"hosts: of a session that runs on hosta, on hostb, whose clock is {ahead / 3600:+.0f} h:", flush=True)
    names = {"running": f"{DATASET}/1", "waiting": f"{DATASET}/2"}
    for words in (*_DONE, *_REFUSED):
        ended = _tell(second, words, names)
        if words in _REFUSED:
            alone = ended.status == 2 and ended.err.count("\n") == 1 and "hosta" in ended.err and not ended.out
            counts.check(alone, f"{words}: {ended.status} {ended.out}{ended.err}")
        else:
            counts.check(ended.status == 0, f"{words}: {ended.status} {ended.err}")
        counts.done["commands"] += 1
    rows = {row["name"]: (row["status"], row["on"]) for row in json.loads(second.nsml("ps", "-j").out)}
    seen = [rows.get(str(session.name)) for session in (running, waiting)]
    counts.check(seen == [("Running", "hosta"), ("Queued", "hosta")], f"ps shows {seen}")
    saved = _newest(running)
    wait_for(lambda: _newest(running) > saved, "the session no longer trains")
    counts.check(running.log.read_text().count("epoch 0\n") == 1, "the session was started twice")
    _kill(first, second, running, waiting, names, counts)


def _kill(
    first: _Host, second: _Host, running: Session, waiting: Session, names: dict[str, str], counts: Counts
) -> None:
    first.kill()
    counts.done["killed hosts"] += 1
    counts.check(
        _tell(second, "resume {running}", names).status == 2, "it is resumed before it has been silent for long"
    )
    for name in ("state.json", "metrics.jsonl"):  # as after six minutes
        os.utime(running.folder / name, (time.time() - 360,) * 2)
    counts.check(_tell(second, "resume {running}", names).status == 0, "it cannot be resumed")
    wait_for(lambda: "continuing from checkpoint" in running.log.read_text(), "the resumed session does not go on")
    counts.check(_tell(second, "stop -f {running}", names).status == 0, "the resumed session cannot be stopped")
    os.utime(waiting.folder / "state.json", (time.time() - 2 * 86400,) * 2)  # as after two days
    counts.check(_tell(second, "rm -f {waiting}", names).status == 0, "what waited there cannot be removed")


def _tell(host: _Host, words: str, names: dict[str, str]) -> Ended:
    ended = host.nsml(*shlex.split(words.format(**names)))
    said = [line for line in (ended.out + ended.err).splitlines() if line.strip()]
    print(f"hosts: {words.format(**names):58} {ended.status}  {said[1 if words == 'ps' else -1][:90]}", flush=True)
    return ended


def _newest(session: Session) -> int:
    return max((int(name) for name in checkpoint_names(session.checkpoints) if name.isdecimal()), default=-1)
