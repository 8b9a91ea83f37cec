"""The intervals and ranks of `nsml dataset board`, computed beside the page, since those of many users take seconds."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..comparing.board import Interval, intervals
from ..scoring.rules import Rules
from ..store.datasets import Dataset
from ..store.home import Home
from ..store.submissions import Rank


@dataclass(frozen=True)
class Found:
    """The interval of each ranked submission by its number, and the number of patients; or why there are none."""

    of: tuple[object, ...] = ()
    intervals: dict[str, Interval] = field(default_factory=dict)
    patients: int = 0
    why: str = ""


_newest: dict[Path, Found] = {}
_computing = threading.Lock()


def newest_intervals(home: Home, dataset: Dataset, ranks: Sequence[Rank], rules: Rules) -> Found:
    """What is known by now. Of other ranks than before it is computed meanwhile, one board at a time."""
    known, of = _newest.get(dataset.folder, Found()), (*ranks, rules)
    if not ranks:
        return Found()
    if known.of != of and _computing.acquire(blocking=False):
        threading.Thread(target=_compute, args=(home, dataset, ranks, rules), name="nsml-web", daemon=True).start()
    return known


def _compute(home: Home, dataset: Dataset, ranks: Sequence[Rank], rules: Rules) -> None:
    of = (*ranks, rules)
    try:
        found, patients = intervals(home, dataset, ranks, rules)
        _newest[dataset.folder] = Found(of, {rank.number: found[rank.user] for rank in ranks}, patients)
    except Exception as error:
        _newest[dataset.folder] = Found(of, why=str(error))
    finally:
        _computing.release()
