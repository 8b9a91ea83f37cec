"""Sweeps: one session for each combination of arguments, all on the same code, under one name: USER/DATASET/sweep-3."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import NsmlError, RunFailed
from ..store.files import claim_numbered_folder, is_number
from ..store.home import Home
from ..store.metrics import judging_value, more_is_better
from ..store.sessions import NO_DATASET, SWEEP, SWEEPS, Session, list_sessions
from .entry import RESERVED

if TYPE_CHECKING:
    from .snapshot import Snapshot

_MOST = 200  # sessions of a sweep

# The arguments of a member as they are shown, in the order in which they are given.
Point = dict[str, str]


def points(
    grid: Sequence[str], *, pairs: bool = False, seeds: int | None = None, folds: int | None = None
) -> list[Point]:
    """The combinations of `NAME=VALUE,VALUE` of each of `grid`; with `pairs` the first of each, the second of each, and so on.

    `seeds` and `folds` multiply these by so many values of `seed` and `fold`, from 0.

    Raises:
        NsmlError: no name, a reserved one, no values, a name twice, lists of unlike length with `pairs`, too many combinations.
    """
    axes: dict[str, list[str]] = {}
    for text in grid:
        name, equals, values = text.partition("=")
        name, stripped = " ".join(name.split()).lstrip("-"), [value.strip() for value in values.split(",")]
        if not name or not equals or not all(stripped):
            raise NsmlError(f'--grid {text!r} is not NAME=VALUE,VALUE; give --grid "learning_rate=0.001,0.003"')
        if (option := name.partition(" ")[0]) in RESERVED:
            raise NsmlError(f"--grid {name}: nsml itself sets --{option}; name another argument of the program")
        if name in axes:
            raise NsmlError(f"--grid {name} is given twice; put all its values into one")
        axes[name] = stripped
    if pairs and len({len(values) for values in axes.values()}) > 1:
        unlike = ", ".join(f"{name} has {len(values)}" for name, values in axes.items())
        raise NsmlError(f"--zip needs as many values of each --grid: {unlike}")
    lengths = [len(values) for values in axes.values()]
    count = math.prod(lengths[:1] if pairs else lengths) * (seeds or 1) * (folds or 1)
    if count > _MOST:
        raise NsmlError(f"this sweep would have {count:,} sessions, more than {_MOST}; give fewer values")
    rows = list(zip(*axes.values(), strict=True) if pairs and axes else itertools.product(*axes.values()))
    row, times = Counter(rows).most_common(1)[0]
    if times > 1:
        which = ", ".join(f"{name}={value}" for name, value in zip(axes, row, strict=True))
        raise NsmlError(f"--grid gives {which} {times} times; leave one out, or repeat all with --seeds N")
    found_points = [dict(zip(axes, row, strict=True)) for row in rows]
    for name, several in (("seed", seeds), ("fold", folds)):
        if several is not None:
            if name in axes:
                raise NsmlError(f"--{name}s and --grid {name} both set {name}; give one of them")
            found_points = [{**point, name: str(number)} for point in found_points for number in range(several)]
    return found_points


def arguments_of_point(point: Point, folds: int | None = None) -> list[str]:
    """The words that are appended to the program's arguments: `--NAME VALUE`, for a name like `set width` `--set width=VALUE`, and
    `--folds N` where folds are swept."""
    words = []
    for name, value in point.items():
        option, _, field = name.partition(" ")
        words += [f"--{option}", f"{field}={value}" if field else value]
    return words if folds is None else [*words, "--folds", str(folds)]


def start_sweep(
    home: Home,
    dataset: str | None,
    source: Path,
    members: Sequence[Point],
    start: Callable[[Path, Point, str], tuple[Session, Snapshot]],
) -> tuple[str, list[tuple[Session, Snapshot]]]:
    """Start a session for each point by `start(source, point, sweep's name)`, all on the code of the first; USER/DATASET/sweep-N.

    Raises:
        NsmlError: the first one cannot be started.
        RunFailed: another one cannot, as where Slurm limits the jobs of a user; those before it stay.
    """
    parent = home.sessions / home.user() / (dataset or NO_DATASET)
    folder = claim_numbered_folder(parent / SWEEPS)
    name = f"{SWEEP}{folder.name}"
    started: list[tuple[Session, Snapshot]] = []
    full_name = f"{home.user()}/{parent.name}/{name}"
    for point in members:
        try:
            started.append(start(started[0][0].code if started else source, point, name))
        except NsmlError as error:
            if not started:
                if not any(one.sweep()[0] == name for one in list_sessions(home, home.user(), parent.name)):
                    folder.rmdir()  # nothing bears this number
                raise
            rest = f"{len(started)} of {len(members)} sessions of {full_name} are started; 'nsml stop {full_name}' ends them"
            raise RunFailed(f"{error}; {rest}") from error
    return full_name, started


def members_of(session: Session) -> list[Session]:
    """The sessions of the sweep that a session belongs to, by number; none if it belongs to none."""
    name = session.sweep()[0]
    of_user = list_sessions(session.home, session.name.user, session.name.dataset) if name else []
    return [one for one in of_user if one.sweep()[0] == name]


def rank_by_reported(reported: Sequence[Mapping[str, Any]]) -> tuple[str, list[int]]:
    """The name of the `judging_value` of several sessions, and their places in `reported`, best first; "" without such a value.

    Sessions without the value come last.
    """
    name = judging_value(dict.fromkeys(name for of in reported for name, value in of.items() if is_number(value)))
    sign = -1 if more_is_better(name) else 1
    keys = [sign * of[name] if is_number(of.get(name)) else math.inf for of in reported]
    return name, sorted(range(len(reported)), key=keys.__getitem__)
