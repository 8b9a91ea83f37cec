"""Jobs of Slurm, which run the supervisors of sessions: whether one waits or runs, or how it ended, as `squeue` and `sacct` show it.

`job.json` in a session's folder names its job (written by the command that submits it).
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import Damaged, RunFailed
from .files import read_json

FILE = "job.json"
_WAITING = frozenset(
    ["PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"]
)
_RUNNING = frozenset(["RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"])
_CANCELLED = frozenset(["CANCELLED", "DEADLINE"])
_BY_ITSELF = frozenset(["COMPLETED", "FAILED"])
# Variables that Slurm sets for the GPUs of a job.
GPUS = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "GPU_DEVICE_ORDINAL")
_FRESH = 2.0  # seconds for which a list of jobs is used again
_SILENT = 30.0  # seconds for which a controller that did not answer is not asked again
# Seconds after the end of a job in which a shared disk may not yet show what its supervisor wrote last.
GRACE = 60.0


@dataclass(frozen=True)
class Job:
    """A job. `nodes` is "" before its start, `ended` None before its end or where it starts again; seconds since the epoch."""

    number: str
    state: str
    reason: str
    nodes: str
    ended: float | None

    @property
    def why(self) -> str:
        """The reason in words; "" without one."""
        return "" if self.reason in ("", "None") else self.reason


class NoAnswer(RunFailed):
    """Slurm does not answer, so nothing is known of its jobs."""


def submitted(folder: Path) -> str:
    """The number of the job of the session in `folder`; "" without one."""
    try:
        number = read_json(folder / FILE, folder.parent).get("job")
    except (FileNotFoundError, Damaged):
        return ""
    return number if isinstance(number, str) and number.isdecimal() else ""


def ask_slurm(*command: str, stdin: str = "", seconds: float = 60) -> str:
    """What a command of Slurm prints. RunFailed with its complaint, NoAnswer where there is no Slurm or it does not answer."""
    try:
        ended = subprocess.run(
            command,
            input=stdin,
            env=_outside() if command[0] == "sbatch" else os.environ | {"SLURM_TIME_FORMAT": "standard"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise NoAnswer(
            f"there is no {command[0]} on this machine; install Slurm's commands, or give --engine local"
        ) from None
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"Slurm does not answer: {command[0]} took more than {seconds:.0f} seconds") from None
    if ended.returncode == 0:
        return ended.stdout
    lines = [line.removeprefix("error: ") for line in ended.stderr.strip().removeprefix(f"{command[0]}: ").splitlines()]
    complaint = lines[0] if lines else f"exit status {ended.returncode}"
    if any(
        sign in ended.stderr
        for sign in ("Unable to contact", "Socket timed out", "Zero Bytes were transmitted", "res_nsearch")
    ):
        raise NoAnswer(f"Slurm does not answer: {complaint}; start its controller, or give --engine local")
    raise RunFailed(f"{command[0]}: {complaint}")


def _outside() -> dict[str, str]:
    """The environment for a job that a job submits, without what Slurm has set there: the job gets it, but for what Slurm sets anew."""
    if "SLURM_JOB_ID" not in os.environ:
        return dict(os.environ)
    return {
        name: value
        for name, value in os.environ.items()
        if name not in GPUS and (not name.startswith("SLURM_") or name == "SLURM_CONF")
    }


class _Jobs:
    """The jobs of this user, asked for once for all sessions that a command or a page looks at."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._until = self._silent_until = 0.0

    def find(self, number: str, name: str) -> Job | None:
        """The job of that number and name; None where Slurm knows none. NoAnswer."""
        now = time.monotonic()
        if now < self._silent_until:
            raise NoAnswer("Slurm does not answer")
        if now < self._until and number in self._jobs:
            return self._jobs.get(f"{number} {name}")
        try:
            jobs = _read(ask_slurm("squeue", "--me", "--noheader", "--states=all", "--format=%i|%T|%r|%N|%e|%j"))
            if number not in jobs:
                # Gone from the controller's memory some minutes after its end; the accounting is a matter of the site.
                jobs |= _accounting(number)
        except RunFailed as failure:
            self._silent_until = time.monotonic() + _SILENT
            raise NoAnswer(str(failure)) from None
        # At once, since the page's threads read it too.
        self._jobs, self._until = jobs, time.monotonic() + _FRESH
        return jobs.get(f"{number} {name}")


def _read(lines: str) -> dict[str, Job]:
    """The jobs by number, and by number and name, since a cluster that was set up anew counts from 1 again."""
    jobs: dict[str, Job] = {}
    for line in lines.splitlines():
        if line.count("|") < 5:
            continue  # the rest of a name with line breaks, of another program's job
        number, state, reason, nodes, ended, name = line.split("|", 5)
        job = Job(number, (state.split() or [""])[0], reason, nodes.replace("None assigned", ""), _seconds(ended))
        jobs |= {number: job, f"{number} {name}": job}
    return jobs


def _accounting(number: str) -> dict[str, Job]:
    fields = "JobID,State,Reason,NodeList,End,JobName"
    words = ("--noheader", "--parsable2", "--allocations", f"--jobs={number}", f"--format={fields}")
    try:
        return _read(ask_slurm("sacct", *words))
    except RunFailed:
        return {}


def _seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:  # N/A, NONE, Unknown
        return None


JOBS = _Jobs()


def state_by_job(state: dict[str, Any], number: str, name: str) -> tuple[dict[str, Any], bool]:
    """The state of a session that has not ended by its files, by its job; and whether that is final.

    Where Slurm does not answer the state stays as it is, and `reason` says so.
    """
    process = state.get("process") or {}
    try:
        job = JOBS.find(number, name)
    except NoAnswer as silence:
        known = {"on": process.get("host", "its node")} if process else {}
        return {**state, **known, "reason": f"job {number} of Slurm: {silence}"}, False
    if job is None:
        return {**state, "status": "Lost", "reason": f"Slurm no longer knows job {number}"}, False
    if job.state in _WAITING:
        why = f": {job.why}" if job.why else ""
        return {"status": "Queued", "reason": f"job {number} of Slurm{why}"}, False
    since = float("inf") if job.ended is None else time.time() - job.ended
    is_final = not job.nodes or since > GRACE
    if job.state in _RUNNING or (job.state in _BY_ITSELF and not is_final):
        running = state["status"] if state["status"] != "Queued" else "Starting"
        return {**state, "status": running, "on": job.nodes or process.get("host", "its node")}, False
    reason = f"job {number} of Slurm ended with {job.state}"
    reason += (f" ({job.why})" if job.why else "") + (f" on {job.nodes}" if job.nodes else "")
    ended = {**state, "reason": reason, "ended_at": job.ended or time.time()}
    if job.state in _CANCELLED:
        return {**ended, "status": "Stopped", "exit_status": -15}, is_final
    if state["status"] == "Queued" and job.state in _BY_ITSELF:
        log = "supervisor.log in its folder may say why"
        return {**ended, "status": "Failed", "exit_status": 1, "reason": f"{reason} before it began; {log}"}, is_final
    return {**ended, "status": "Lost"}, is_final
