"""`nsml run --halve N`: successive halving of a sweep (Jamieson and Talwalkar, AISTATS 2016).

All members train to step N and are paused there, after they have saved a checkpoint. The better half by validation loss is resumed and
trains to 2 N, of these the better half to 4 N, and so on; the last one trains to its end. No process waits meanwhile: the supervisor of
the member that ends a round last starts the next. `.sweeps/NUMBER/halving.json` holds N, the round, and the numbers of those that are
still in; the launch of each says to which step it trains, so that a round that was only half started is completed by `nsml resume`.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import Damaged, NsmlError, RunFailed
from ..store.checkpoints import checkpoint_names
from ..store.files import is_number, locked, read_json, write_json
from ..store.launches import FILE as LAUNCH
from ..store.log_lines import append_line
from ..store.metrics import read_metrics
from ..store.sessions import Session
from .sweep import members_of

FILE = "halving.json"
MOST = 8
_OVER = ("Exited", "Failed")


def begin(members: Sequence[Session], epochs: int) -> None:
    """Have a sweep halved whose members have started, each to step `epochs`."""
    sweep = members[0].sweep_folder()
    assert sweep is not None
    write_json(sweep / FILE, {"epochs": epochs, "round": 0, "arms": [member.name.number for member in members]})
    advance(members[0])


def advance(session: Session) -> None:
    """Start the next round of the session's sweep if its round is over."""
    sweep = session.sweep_folder()
    if sweep is None or not (sweep / FILE).exists():
        return
    with locked(sweep / "lock"):
        while _advance(read_json(sweep / FILE), sweep, members_of(session)):
            pass


def describe(session: Session) -> tuple[str, list[Session]]:
    """A sentence on the halving of the session's sweep, and its members that are still in; "" and none if it is not halved."""
    plan, arms = _read(session)
    if not plan:
        return "", []
    until, count = _until(plan), len(arms)
    if until is None:
        has_ended = all(_is_over(arm) and _is_at(arm, None) for arm in arms)
        left = f"1 of its sessions is left{'' if has_ended else ', and trains to its end'}"
    else:
        left = f"{count} of its sessions are left, and train to epoch {until}"
    return plan.get("why") or f"Halving by validation loss: {left}.", arms


def paused_at(session: Session) -> int | None:
    """The step at which a session that is resumed is paused again; None where it is not one of those that are still in."""
    if session.name not in [arm.name for arm in _read(session)[1]]:
        return None
    with contextlib.suppress(FileNotFoundError, Damaged):
        return read_json(session.folder / LAUNCH).get("until")
    return None


def is_dropped(session: Session) -> bool:
    """Whether the session was not among the better half of a round."""
    plan, arms = _read(session)
    return bool(plan) and session.name not in [arm.name for arm in arms]


def goes_on(session: Session) -> bool:
    """Whether another round of the session's sweep starts by itself, once the running members have ended."""
    plan, arms = _read(session)
    if not plan or plan.get("why") or not all(_is_over(arm) for arm in arms):
        return False
    return len(arms) > 1 or not all(_is_at(arm, _until(plan)) for arm in arms)


def _read(session: Session) -> tuple[dict[str, Any], list[Session]]:
    sweep = session.sweep_folder()
    try:
        plan = read_json(sweep / FILE) if sweep is not None else {}
    except (FileNotFoundError, Damaged):
        return {}, []
    return plan, [member for member in members_of(session) if plan and member.name.number in plan["arms"]]


def _until(plan: dict[str, Any]) -> int | None:
    """The step to which the members train in this round; None is their end."""
    return None if len(plan["arms"]) <= 1 else int(plan["epochs"]) << int(plan["round"])


def _advance(plan: dict[str, Any], sweep: Path, members: list[Session]) -> bool:
    """One step: start the arms that are not in this round yet, or halve them. Whether there is another."""
    arms = [member for member in members if member.name.number in plan["arms"]]
    until = _until(plan)
    if plan.get("why") or not all(_is_over(arm) for arm in arms):
        return False
    if behind := [arm for arm in arms if not _is_at(arm, until)]:
        for arm in behind:
            _train_to(arm, until)
        return all(_is_over(arm) for arm in arms)
    if len(arms) <= 1:
        return False
    losses = {arm.name.number: _loss(arm, until) for arm in arms}
    if not any(map(math.isfinite, losses.values())):
        plan["why"] = f"The halving stands still: no session has reported a validation loss up to epoch {until}."
        for arm in arms:
            append_line(arm.log, f"--halve: {plan['why']} Report val__loss with step=EPOCH")
    else:
        plan["round"] += 1
        plan["arms"] = sorted(losses, key=losses.__getitem__)[: math.ceil(len(arms) / 2)]
        for arm in arms:
            goes = "goes on" if arm.name.number in plan["arms"] else "is not among the better half"
            append_line(arm.log, f"--halve: validation loss {losses[arm.name.number]:.4g} at epoch {until}: {goes}")
    write_json(sweep / FILE, plan)
    return True


def _is_over(session: Session) -> bool:
    """Whether a member has ended this round; one that was stopped or lost waits for `nsml resume`."""
    try:
        return session.status() in _OVER
    except NsmlError:
        return True


def _is_at(session: Session, until: int | None) -> bool:
    """Whether a member was started to train to this step: its launch says so, and its state was written after that."""
    launch, state = session.folder / LAUNCH, session.folder / "state.json"
    try:
        return read_json(launch).get("until") == until and launch.stat().st_mtime_ns <= state.stat().st_mtime_ns
    except (OSError, Damaged):
        return True


def _train_to(session: Session, until: int | None) -> None:
    from .launch import resume_session
    from .queue import Request
    from .resources import Limits

    launch = read_json(session.folder / LAUNCH)
    write_json(session.folder / LAUNCH, {**launch, "until": until})
    if session.status() == "Failed" or not checkpoint_names(session.checkpoints):
        session.touch_state()  # without a checkpoint it was not paused, so it has trained to its end
        return
    limits = Limits.from_dict(launch["limits"])
    # Its GPUs are chosen anew.
    limits = replace(limits, gpus=() if limits.gpus == () else None)
    asked = {**launch["queue"], "since": time.time(), "after": (), "after_any": (), "waits": True}
    try:
        resume_session(session.home, session, limits, Request(**asked))
    except RunFailed as failure:  # as where Slurm does not answer, or takes no jobs from its nodes
        fix = f"'nsml resume {session.name.dataset}/{session.sweep()[0]}' goes on"
        reason = f"--halve: it could not be resumed, and {fix}: {failure}"
        session.write_state("Stopped", exit_status=0, reason=reason)
        append_line(session.log, reason)
    except NsmlError as error:
        session.write_state("Failed", error=str(error), exit_status=1)
        append_line(session.log, f"--halve: it cannot be resumed: {error}")


def _loss(session: Session, until: int | None) -> float:
    """The last validation loss reported up to a step; infinite without one, and for a session that failed."""
    best = math.inf
    if session.status() == "Failed":
        return best
    for record in read_metrics(session.folder)[0]:
        step = record.get("step")
        for name, value in record["values"].items():
            if name.lower().endswith("loss") and "val" in name.lower():
                if is_number(step) and (until is None or step <= until):  # type: ignore[operator]
                    best = float(value) if is_number(value) else math.inf
                break
    return best
