"""Whose turn it is: the plan of the queue, of nothing but numbers and names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..wording import size
from .resources import Machine

_ROUNDING = 1e-6  # of a processor, since a share of one is a float


@dataclass(frozen=True)
class Holder:
    """A running session. `processors` are the numbers of those that it is restricted to, if it is."""

    user: str
    gpus: tuple[int, ...] = ()
    cpus: float = 0.0
    memory: int = 0
    processors: tuple[int, ...] = ()


@dataclass(frozen=True)
class Waiter:
    """A waiting session. `blocked` says why it cannot start however much is free."""

    name: str
    user: str
    gpus: int = 0
    cpus: float = 0.0
    memory: int = 0
    priority: int = 0
    since: float = 0.0
    blocked: str = ""


@dataclass(frozen=True)
class Place:
    """A place in the queue: the GPUs of a session that may start now, or None and why it waits."""

    name: str
    gpus: tuple[int, ...] | None
    why: str = ""


def plan(machine: Machine, holders: Sequence[Holder], waiters: Sequence[Waiter]) -> list[Place]:
    """All waiting sessions, in the order in which they start.

    Next is a session of the user with the fewest, running or before it in the queue; of such users, the one who has waited longest. A
    user's own sessions go by priority, then by time. A session that does not fit reserves what it needs: those behind it start only on
    what is left, so that nothing large waits for ever.
    """
    gpus = [gpu for gpu in machine.gpus if not any(gpu in holder.gpus for holder in holders)]
    cpus = max(machine.cpus - sum(holder.cpus for holder in holders), 0.0)
    memory = max(machine.memory - sum(holder.memory for holder in holders), 0)
    count = Counter(holder.user for holder in holders)
    lines: dict[str, list[Waiter]] = {}
    for waiter in sorted(waiters, key=lambda w: (-w.priority, w.since, w.name)):
        if not waiter.blocked:
            lines.setdefault(waiter.user, []).append(waiter)
    places = []
    while lines:
        user = min(lines, key=lambda user: (count[user], lines[user][0].since, lines[user][0].name))
        waiter = lines[user].pop(0)
        lacks = [
            f"{need} ({left} free)"
            for fits, need, left in (
                (waiter.gpus <= len(gpus), f"{waiter.gpus} of {len(machine.gpus)} GPUs", str(len(gpus))),
                (waiter.cpus <= cpus + _ROUNDING, f"{waiter.cpus:.3g} of {machine.cpus} processors", f"{cpus:.3g}"),
                (waiter.memory <= memory, f"{size(waiter.memory)} of memory", size(memory)),
            )
            if not fits
        ]
        why = f"needs {' and '.join(lacks)}" if lacks else ""
        places.append(Place(waiter.name, None if lacks else tuple(gpus[: waiter.gpus]), why))
        gpus, cpus, memory = gpus[waiter.gpus :], max(cpus - waiter.cpus, 0.0), max(memory - waiter.memory, 0)
        count[user] += 1
        if not lines[user]:
            del lines[user]
    return places + [Place(w.name, None, w.blocked) for w in sorted(waiters, key=lambda w: w.since) if w.blocked]
