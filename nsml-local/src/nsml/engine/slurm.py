"""The engine for clusters: a session's supervisor is the batch script of a job of Slurm.

Slurm decides where and when it starts, holds the limits, and says how the job ended where the supervisor could not. The home lies on a disk
that all nodes share, under the same path, as does the Python.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import Damaged, NsmlError, RunFailed
from ..store.files import open_regular, read_json, write_json
from ..store.home import Home
from ..store.jobs import FILE as JOB
from ..store.jobs import GPUS, JOBS, ask_slurm, submitted
from ..store.launches import FILE
from ..store.log_lines import append_line
from ..store.names import parse_session_name
from ..store.sessions import ENDED, HEARTBEAT, QUEUED, Session, find_session
from .queue import SLURM, NeverStarts
from .resources import Limits

_STOPPING = 60.0  # seconds until a job has ended that was cancelled
# Options of sbatch that are nsml's, or that would start another number of supervisors or wait for them.
_OURS = ("array", "chdir", "clusters", "dependency", "error", "export", "export-file", "help", "input", "job-name", "kill-on-invalid-dep",
         "nice", "no-requeue", "open-mode", "output", "parsable", "quiet", "requeue", "test-only", "usage", "version", "wait",
         "wrap")  # fmt: skip
_SHORT = {"a": "array", "c": "cpus-per-task", "D": "chdir", "d": "dependency", "e": "error", "h": "help", "i": "input", "J": "job-name",
          "M": "clusters", "o": "output", "Q": "quiet", "u": "usage", "V": "version", "W": "wait"}  # fmt: skip
_ROOM = 64  # MiB of the supervisor and the program's keeper, beside --memory


class Slurm:
    """Jobs of the cluster that the commands of Slurm on this machine speak to."""

    signals_late = 1.0  # some sites have Slurm signal all processes of a job

    def start(self, session: Session) -> None:
        """Submit it. Where Slurm does not answer in time and takes the job all the same, that finds a session which is not its own."""
        launch = read_json(session.folder / FILE)
        # Slurm appends to it, and follows what it finds there.
        os.close(open_regular(session.folder / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND))
        (session.folder / JOB).unlink(missing_ok=True)
        try:
            options = _options(session, launch)
        except NeverStarts as why:
            append_line(session.log, str(why))
            session.write_state("Stopped", exit_status=-15, ended_at=time.time(), cause="queue", reason=str(why))
            return
        session.write_state(QUEUED)
        script = (
            f"#!/bin/sh\nexec {shlex.join([sys.executable, '-m', 'nsml.engine.supervisor', str(session.folder)])}\n"
        )
        try:
            printed = ask_slurm("sbatch", *options, stdin=script)
            if (number := re.search(r"^\d+(?=;|$)", printed, re.MULTILINE)) is None:  # NUMBER;CLUSTER
                raise RunFailed(f"sbatch printed {printed[:80]!r}, where the number of a job was to be")
        except RunFailed as refusal:
            fix = "; only operators may raise a priority: lower that of others" if "--nice" in str(refusal) else ""
            raise RunFailed(f"session {session.name} cannot be submitted: {refusal}{fix}") from refusal
        write_json(session.folder / JOB, {"job": number[0]})

    def stop(self, session: Session) -> None:
        if number := submitted(session.folder):
            ask_slurm("scancel", number)
        elif session.status() == QUEUED:
            session.write_state("Stopped", exit_status=-15, ended_at=time.time())
        until = time.monotonic() + _STOPPING
        while session.status() not in ENDED:
            if time.monotonic() > until:
                raise RunFailed(f"session {session.name} does not end; see 'scontrol show job {number}'")
            time.sleep(0.1)

    def where(self, home: Home, session: Session) -> str:
        return f"as {session.state().get('reason') or 'a job of Slurm'}"

    def claim(self, home: Home, session: Session, process: dict[str, Any]) -> bool:
        number = os.environ["SLURM_JOB_ID"]
        status = read_json(session.folder / "state.json").get("status")
        if status in ENDED or submitted(session.folder) not in ("", number):
            return False  # stopped, or resumed as another job
        if not submitted(session.folder):  # the command that submitted it was killed
            write_json(session.folder / JOB, {"job": number})
        may_run_elsewhere = status != QUEUED and session.beats()
        session.write_state("Starting", process=process)
        if may_run_elsewhere:  # on a node that only Slurm takes for dead: its supervisor now sees that it is replaced
            time.sleep(3 * HEARTBEAT)
        if status != QUEUED or os.environ.get("SLURM_RESTART_COUNT", "0") != "0":
            from .launch import go_on

            append_line(session.log, f"job {number} of Slurm starts again, from {go_on(session)}")
        asked = (read_json(session.folder / FILE).get("queue") or {}).get("gpus") or 0
        given = next((os.environ[name].count(",") + 1 for name in GPUS if os.environ.get(name)), 0)
        if given < asked:  # seen once after a restart of the controller
            append_line(session.log, f"warning: -g {asked} was asked for, and Slurm gave job {number} {given} GPUs")
        return True

    def interrupted(self, session: Session) -> tuple[str, str]:
        number = os.environ["SLURM_JOB_ID"]
        try:
            job = JOBS.find(number, str(session.name))
            if job is not None and read_json(session.folder / FILE)["queue"]["requeue"]:
                if job.state == "RUNNING":  # a signal before the end of its time, or before another job takes its place
                    ask_slurm("scontrol", "requeue", number)
                if job.state == "RUNNING" or job.ended is None:
                    return QUEUED, f"job {number} of Slurm is interrupted, and starts again by itself"
            elif job is not None and job.state == "RUNNING":
                return (
                    "Stopped",
                    f"job {number} of Slurm was sent a signal, as before the end of its time; --requeue goes on",
                )
        except RunFailed as failure:
            return "Stopped", str(failure)
        return "Stopped", f"Slurm ended job {number}: {job.why}" if job is not None and job.why else ""

    def release(self, home: Home) -> None:
        pass


def site_options(text: str, taken: Sequence[str] = ()) -> list[str]:
    """The words of --slurm "--partition=gpu -A eye", for sbatch: each an option with its value.

    Args:
        taken: further options of sbatch that the session sets, such as gres.

    Raises:
        NsmlError: a word is no option, or an option that nsml sets.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise NsmlError(f"--slurm {text!r}: {str(error).lower()}; close the quotes") from None
    options: list[str] = []
    for word in words:
        if not word.startswith("-"):
            # The value of the option before it; it must not become the name of a script.
            if not options or "=" in options[-1] or (options[-1][1] != "-" and len(options[-1]) > 2):
                raise NsmlError(
                    f'--slurm: {word!r} is no option of sbatch; give --slurm "--partition=gpu --account=eye"'
                )
            options[-1] += f"={word}" if options[-1].startswith("--") else word
        elif word.strip("-") == "":
            raise NsmlError(f"--slurm: {word!r} is no option of sbatch; leave it out")
        else:
            options.append(word)
    for option in options:
        name = option[2:].partition("=")[0] if option.startswith("--") else _SHORT.get(option[1], "")
        # sbatch accepts the beginning of a name for it.
        if name and any(ours.startswith(name) for ours in (*_OURS, *taken)):
            raise NsmlError(f"--slurm: {option} is set by nsml; leave it out")
    return options


def nodes() -> list[tuple[str, ...]]:
    """Name, partition, state, processors (used/free/other/all), MB of memory and generic resources of each node."""
    return _table(ask_slurm("sinfo", "--Node", "--noheader", "--format=%N|%P|%T|%C|%m|%G"))


def jobs() -> list[tuple[str, ...]]:
    """Number, name, state, time since the start, and nodes or reason of each job of this user that has not ended."""
    return _table(ask_slurm("squeue", "--me", "--noheader", "--format=%i|%j|%T|%M|%R"))


def exec_on_node(session: Session, *expression: str) -> list[str]:
    """A command line for `nsml exec` on the node of a running session, within its job: the program's socket is there."""
    job = f"--jobid={submitted(session.folder)}"
    return [
        "srun",
        job,
        "--overlap",
        "--quiet",
        "--ntasks=1",
        sys.executable,
        "-m",
        "nsml",
        "exec",
        str(session.name),
        *expression,
    ]


def _table(lines: str) -> list[tuple[str, ...]]:
    return [tuple(line.split("|")) for line in lines.splitlines()]


def _options(session: Session, launch: dict[str, Any]) -> list[str]:
    """The options of sbatch. NeverStarts where a session that it waits for did not end with exit status 0."""
    limits, request = Limits.of(launch), launch["queue"]
    site = site_options(request["options"])
    options = []
    if limits.cpus is not None:
        options.append(f"--cpus-per-task={limits.cpus}")
    if limits.memory is not None:
        options.append(f"--mem={-(-limits.memory // 2**20) + _ROOM}M")
    if request["priority"]:
        options.append(f"--nice={-request['priority']}")
    gpus = request["gpus"]
    if gpus is None and not any(word in request["options"] for word in ("gpu", "gres")):
        gpus = int(_has_gpus(site))
    if gpus:
        options.append(f"--gres=gpu:{gpus}")
    if dependency := _dependency(Home(Path(launch["home"])), request):
        options += [f"--dependency={dependency}", "--kill-on-invalid-dep=yes"]
    taken = [option[2:].partition("=")[0] for option in options]
    return [
        *site_options(request["options"], taken),
        *options,
        f"--job-name={session.name}",
        f"--output={str(session.folder / 'supervisor.log').replace('%', '%%')}",
        "--open-mode=append",
        "--chdir=/",
        "--export=ALL",
        "--requeue" if request["requeue"] else "--no-requeue",
        "--parsable",
    ]


def _has_gpus(site: Sequence[str]) -> bool:
    """Whether the partition that a job comes to has GPUs."""
    named = [
        option.removeprefix("--partition=").removeprefix("-p")
        for option in site
        if option.startswith(("--partition=", "-p"))
    ]
    partitions = (named or [os.environ.get("SBATCH_PARTITION", "")])[-1].split(",")
    return any(
        "gpu" in row[5] and (row[1].rstrip("*") in partitions or (partitions == [""] and row[1].endswith("*")))
        for row in nodes()
    )


def _dependency(home: Home, request: dict[str, Any]) -> str:
    terms = []
    for kind, names in (("afterok", request["after"]), ("afterany", request["after_any"])):
        for name in names:
            try:
                before = find_session(home, parse_session_name(name, ""))
                state = before.state()
            except Damaged:
                raise
            except NsmlError:
                if kind == "afterany":
                    continue
                raise NeverStarts(f"session {name}, after which it was to start, was removed") from None
            if state["status"] not in ENDED:
                if not (number := submitted(before.folder)):
                    raise NsmlError(
                        f"session {name} is no job of Slurm, so no job can wait for it; wait for its end, or give --engine local"
                    )
                terms.append(f"{kind}:{number}")
            elif kind == "afterok" and (state["status"] != "Exited" or state.get("exit_status")):
                why = f"is {state['status']}; --after-any starts it all the same"
                raise NeverStarts(f"session {name}, after which it was to start, {why}")
    return ",".join(terms)


def check_engine(engine: str, options: str, *, requeue: bool, waits: bool) -> None:
    """NsmlError where options of `nsml run` do not fit the engine."""
    if engine == SLURM:
        site_options(options)
        if not waits:
            raise NsmlError("--no-wait: Slurm decides when a session starts; leave it out")
    elif options or requeue:
        raise NsmlError(f"{'--slurm' if options else '--requeue'} is for --engine slurm; give that too")
