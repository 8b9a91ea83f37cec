"""The proofs by name, with what they show and how often they try unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from stress.counts import Counts, Plan


@dataclass(frozen=True)
class Proof:
    """`unit` is what `times` counts; a proof of 0 times goes on for as long as it is given."""

    shows: str
    times: int
    unit: str = "times"


PROOFS = {
    "saving": Proof("a program killed while it saves loses no checkpoint that was saved", 300, "kills"),
    "supervisor": Proof("a supervisor killed while its program saves loses no checkpoint", 20, "kills"),
    "full_disk": Proof("a disk that fills up during a save loses no checkpoint", 300, "saves"),
    "weights": Proof("a template killed while it writes its weights keeps the network before", 300, "moments"),
    "corruption": Proof("a changed byte is named, and everything else works", 2000, "corruptions"),
    "crowd": Proof("many users at once: no number twice, no submission lost", 64, "sessions"),
    "queue": Proof("sessions that wait for GPUs while supervisors are killed: none lost, none twice", 20, "kills"),
    "slurm": Proof("sessions on two nodes of Slurm: a node dies, jobs are cancelled, none is lost", 40, "sessions"),
    "hosts": Proof(
        "two hosts that share a home, clocks an hour apart, one killed: nothing runs twice, none is lost", 1
    ),
    "referee": Proof(
        "a referee and submits killed at random: each is scored once, for the owner of its file", 50, "kills"
    ),
    "datathon": Proof("a datathon of three days: accounts, rules, deadline, close, backup and restore", 3, "teams"),
    "bad_input": Proof("no input ends in a traceback", 20_000, "inputs"),
    "coverage": Proof("no input that a coverage-guided fuzzer finds ends in a traceback", 0),
    "resume": Proof("a training that is killed and resumed gives the same weights bit for bit", 6, "kills"),
    "load": Proof("sessions at random, with kills and full disks: all that must be true is", 0),
}


def function(name: str) -> Callable[[Plan], Counts]:
    """The function of a proof, imported when it is asked for."""
    prove: Callable[[Plan], Counts] = import_module(f"stress.{name}").prove
    return prove
