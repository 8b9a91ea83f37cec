"""The rules of a competition: what is scored how, who may submit when, and which part of the test set the board shows.

They are members of the dataset's record, and a file of TOML for people (`as_toml`, `read_rules`):

    metric = "kappa"
    lower_is_better = false
    every = "1h"
    per_day = 3
    total = 30
    time_zone = "Asia/Seoul"
    opens = 2026-11-27T09:00:00
    deadline = 2026-11-29T18:00:00
    public_share = 0.3
    public_seed = 4711
    patient_pattern = '_(\\d+)_'
    baselines = ["organiser"]
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ..errors import Damaged, NsmlError, RunFailed
from ..store.datasets import RULES, Dataset
from ..store.files import is_number, read_text
from ..store.names import is_name
from ..wording import LONGEST, parse_duration, period
from .metrics import METRICS
from .spool import BOARD, read_published

# Members of a record, in the order in which they are shown.
KEYS = ("metric", "lower_is_better", "every", "per_day", "total", "time_zone", "opens", "deadline", "public_share",
        "public_seed", "patient_pattern", "baselines")  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """Times are in seconds since the epoch, durations in seconds; None is no rule.

    Attributes:
        every: minimum time between two submissions of a user.
        per_day, total: most submissions of a user, from midnight to midnight in `time_zone`, and in all.
        public_share: share of the test set that the board shows until the competition is closed.
        patient_pattern: regular expression whose first group is the patient in a file's name; "" for the name without its eye.
        baselines: users of the organiser, who are shown without a rank and may submit until the close.
        closed_at: when the organiser closed the competition.
    """

    metric: str = "fundus"
    lower_is_better: bool = False
    every: float | None = None
    per_day: int | None = None
    total: int | None = None
    time_zone: str = "UTC"
    opens: float | None = None
    deadline: float | None = None
    public_share: float | None = None
    public_seed: int = 0
    patient_pattern: str = ""
    baselines: tuple[str, ...] = ()
    closed_at: float | None = None

    def limits_submissions(self) -> bool:
        """Whether a score by hand would evade the rules."""
        limits = (self.every, self.per_day, self.total, self.opens, self.deadline, self.public_share, self.closed_at)
        return any(limit is not None for limit in limits)

    def order(self) -> dict[str, Any]:
        """Arguments of `ranking`."""
        by_private = self.public_share is not None and self.closed_at is not None
        return {"lower_is_better": self.lower_is_better, "by_private": by_private, "baselines": self.baselines}

    def refusal(self, user: str, times: Sequence[float], now: float) -> str:
        """Why the user may not submit now; "" where he may. `times` are those of his submissions so far, in order."""
        if self.closed_at is not None:
            return f"the competition was closed at {self.when(self.closed_at)}"
        if user in self.baselines:
            return ""
        if self.opens is not None and now < self.opens:
            return f"submissions open at {self.when(self.opens)}; wait {_wait(self.opens - now)}"
        if self.deadline is not None and now >= self.deadline:
            return f"the deadline was {self.when(self.deadline)}"
        if self.total is not None and len(times) >= self.total:
            return f"0 of {self.total} submissions are left in all"
        if self.per_day is not None and self._today(times, now) >= self.per_day:
            wait = _wait(self._day(now)[1] - now)
            return f"0 of {self.per_day} left today, next at 00:00 {self.time_zone}; wait {wait}"
        # After the clock was set back, times may lie in the future; they do not count.
        earlier = [at for at in times if at <= now]
        if self.every and earlier and (left := max(earlier) + self.every - now) > 0:
            return f"it allows a submission every {period(self.every)}; wait {_wait(left)}"
        return ""

    def left(self, user: str, times: Sequence[float], now: float) -> str:
        """What is left to the user, as "2 of 3 left today, next at 00:00 Asia/Seoul; 12 of 30 left in all"; "" where nothing is limited."""
        parts = []
        is_over = self.closed_at is not None or (self.deadline is not None and now >= self.deadline)
        if user in self.baselines or is_over:
            return ""
        if self.per_day is not None:
            left = max(0, self.per_day - self._today(times, now))
            parts.append(f"{left} of {self.per_day} left today, next at 00:00 {self.time_zone}")
        if self.total is not None:
            parts.append(f"{max(0, self.total - len(times))} of {self.total} left in all")
        return "; ".join(parts)

    def describe(self) -> list[str]:
        """The rules in words."""
        parts = ["the lowest score first" if self.lower_is_better else "the highest score first"]
        if self.every:
            parts.append(f"a submission every {period(self.every)}")
        if self.per_day is not None:
            parts.append(f"{self.per_day} a day ({self.time_zone})")
        if self.total is not None:
            parts.append(f"{self.total} in all")
        if self.opens is not None:
            parts.append(f"opens {self.when(self.opens)}")
        if self.deadline is not None:
            parts.append(f"deadline {self.when(self.deadline)}")
        if self.public_share is not None:
            until = "" if self.closed_at is not None else " until it is closed"
            parts.append(f"{self.public_share * 100:g} % of the test set is public{until}")
        if self.closed_at is not None:
            parts.append(f"closed {self.when(self.closed_at)}")
        return parts

    def when(self, moment: float) -> str:
        """ "2026-11-29 18:00 Asia/Seoul" """
        return f"{datetime.fromtimestamp(moment, _zone(self.time_zone)):%Y-%m-%d %H:%M} {self.time_zone}"

    def _day(self, now: float) -> tuple[float, float]:
        """Start and end of the day."""
        zone = _zone(self.time_zone)
        today = datetime.fromtimestamp(now, zone).date()
        days = (datetime.combine(day, time_of_day(), zone) for day in (today, today + timedelta(days=1)))
        start, end = (day.timestamp() for day in days)
        return start, end

    def _today(self, times: Sequence[float], now: float) -> int:
        start, end = self._day(now)
        return sum(start <= at < end for at in times)


def rules_of(dataset: Dataset) -> Rules:
    """The rules of a dataset: those that its referee published last, if it has one. Damaged if its record does not hold valid ones."""
    if (spool := dataset.referee()) is not None:
        with contextlib.suppress(NsmlError, OSError):
            return published(spool)[0]
    return rules_in(dataset.record(), dataset)


def rules_in(record: Mapping[str, Any], dataset: Dataset) -> Rules:
    """The rules in a record of the dataset, which need not be stored yet. Damaged if they are not valid."""
    stored = {name: record[name] for name in (*KEYS, "closed_at") if record.get(name) is not None}
    try:
        for name, value in stored.items():
            # A scorer of a newer version is named where it is needed.
            if name != "metric" or not isinstance(value, str):
                _check(name, value)
    except NsmlError as error:
        raise Damaged(f"{dataset.folder / 'dataset.json'}: {error}") from None
    # Older versions stored no direction.
    if "lower_is_better" not in stored and (metric := METRICS.get(stored.get("metric", "fundus"))):
        stored["lower_is_better"] = metric.lower_is_better
    if "baselines" in stored:
        stored["baselines"] = tuple(stored["baselines"])
    return Rules(**stored)


def read_rules(path: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Members of a record from a TOML file. `known` are those that the dataset has already.

    NsmlError names the file and the first wrong rule.
    """
    try:
        values = tomllib.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        why = error if isinstance(error, tomllib.TOMLDecodeError) else "a number is too long, or a list too deep"
        raise NsmlError(f"{path} is not TOML: {why}; 'nsml dataset rules NAME' shows an example") from None
    except OSError as error:
        raise NsmlError(f"{path} cannot be read: {error.strerror}; name a file of rules in TOML") from None
    return _parsed(values, known, str(path))


def published(spool: Path) -> tuple[Rules, dict[str, Any]]:
    """Rules and board that the referee of a spool published. RunFailed if there are none."""
    if not (spool / RULES).is_file() or not (spool / BOARD).is_file():
        raise RunFailed(f"{spool} has no {RULES} or no {BOARD}; ask the organiser whether his referee has started")
    members, board = read_rules(spool / RULES, {"public_seed": 0}), read_published(spool, BOARD)
    members |= {"baselines": tuple(members.get("baselines", ())), "closed_at": board["closed_at"]}
    return Rules(**members), board


def read_changes(words: Sequence[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """Members of a record from words like `per_day=5`; `per_day=` is no rule. A text may stand without quotes."""
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise NsmlError(f"RULE {word!r} is not NAME=VALUE; the names are {', '.join(KEYS)}")
        try:
            value = tomllib.loads(f"value = {text}")["value"] if text else None
        except (ValueError, RecursionError):
            value = text
        values[name.strip()] = value
    return _parsed(values, known, "RULE")


def as_toml(rules: Rules) -> str:
    """The rules as the text of a file that `read_rules` reads; what is no rule is left out."""
    lines = []
    for name in KEYS:
        value = getattr(rules, name)
        if value is None or value in ("", ()) or (name == "public_seed" and rules.public_share is None):
            continue
        if name in ("opens", "deadline"):
            moment = datetime.fromtimestamp(value, _zone(rules.time_zone))
            # As people write it. Of the hour that comes twice, when clocks are set back, the second needs its offset.
            text = (moment if moment.fold else moment.replace(tzinfo=None)).isoformat()
        elif name == "every":
            text = f'"{value:.10g}s"'
        elif name == "baselines":
            text = f"[{', '.join(map(_quoted, value))}]"
        elif isinstance(value, bool):
            text = "true" if value else "false"
        else:
            text = _quoted(value) if isinstance(value, str) else f"{value}"
        lines.append(f"{name} = {text}\n")
    return "".join(lines)


def _quoted(text: str) -> str:
    """A basic string of TOML: one of JSON, but for DEL, which JSON leaves as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _parsed(values: Mapping[str, Any], known: Mapping[str, Any], where: str) -> dict[str, Any]:
    parsed = dict(values)
    try:
        for name, value in values.items():
            if name not in KEYS:
                raise NsmlError(f"{name!r} is no rule; the rules are {', '.join(KEYS)}")
            if name == "every" and isinstance(value, str):
                parsed[name] = parse_duration(value, name)
        if "metric" in parsed:
            _check("metric", parsed["metric"])
            parsed.setdefault("lower_is_better")
        # What is removed, and depends on what stays, is again as it is where nobody gave it.
        whole = {**known, **parsed}
        if "lower_is_better" in parsed and parsed["lower_is_better"] is None:
            metric = whole.get("metric", "fundus")
            _check("metric", metric)
            parsed["lower_is_better"] = METRICS[metric].lower_is_better
        if parsed.keys() & {"public_share", "public_seed"} and whole.get("public_share") is not None:
            parsed["public_seed"] = (
                secrets.randbelow(1_000_000) if whole.get("public_seed") is None else whole["public_seed"]
            )
        zone = whole.get("time_zone")
        timed = {name for name in ("per_day", "opens", "deadline") if whole.get(name) is not None}
        if zone is None and timed and parsed.keys() & {"time_zone", *timed}:
            zone = parsed["time_zone"] = _zone_of_this_machine()
        for name in ("opens", "deadline"):
            if parsed.get(name) is not None:
                _check("time_zone", zone)
                parsed[name] = _moment(name, parsed[name], ZoneInfo(str(zone)))
        for name, value in parsed.items():
            if value is not None:
                _check(name, value)
        opens, deadline = ({**known, **parsed}.get(name) for name in ("opens", "deadline"))
        if opens is not None and deadline is not None and opens >= deadline:
            raise NsmlError("the deadline is not after opens; correct one of them")
    except NsmlError as error:
        raise NsmlError(f"{where}: {error}") from None
    return parsed


def _check(name: str, value: Any) -> None:
    """NsmlError if a stored value cannot be that of the rule."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    match name:
        case "metric":
            valid, needed = value in METRICS if isinstance(value, str) else False, f"one of {', '.join(METRICS)}"
        case "lower_is_better":
            valid, needed = isinstance(value, bool), "true or false"
        case "every":
            valid, needed = is_number(value) and 0 < value < LONGEST, 'a duration, as "90s", "30m", "1h" or "2d"'
        case "per_day" | "total":
            valid, needed = is_whole and value > 0, "a whole number above 0"
        case "opens" | "deadline" | "closed_at":
            valid, needed = is_number(value) and 0 < value < 1e11, "a time, as 2026-11-29T18:00:00"
        case "time_zone":
            valid, needed = (
                _is_zone(value),
                'a time zone that this machine knows, as "Asia/Seoul" (if it knows none, pip install tzdata)',
            )
        case "public_share":
            valid, needed = is_number(value) and 0 < value < 1, "a share between 0 and 1, as 0.3"
        case "public_seed":
            valid, needed = is_whole, "a whole number"
        case "patient_pattern":
            valid, needed = _has_a_group(value), r"a regular expression with one group, as '_(\d+)_'"
        case _:
            valid = isinstance(value, list) and all(isinstance(user, str) and is_name(user) for user in value)
            needed = 'a list of users, as ["organiser"]'
    if not valid:
        raise NsmlError(f"{name} = {value!r:.60} is not {needed}")


def _moment(name: str, value: Any, zone: ZoneInfo) -> float:
    """Seconds since the epoch of a TOML date and time, or of its text; without an offset it is in `zone`."""
    if isinstance(value, str) and ":" in value:
        with contextlib.suppress(ValueError):
            value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise NsmlError(f"{name} = {value!s:.60} is not a date and a time, as 2026-11-29T18:00:00")
    return (value if value.tzinfo else value.replace(tzinfo=zone)).timestamp()


def _has_a_group(value: Any) -> bool:
    try:
        return isinstance(value, str) and (not value or re.compile(value).groups == 1)
    except (re.error, RecursionError, OverflowError):
        return False


def _is_zone(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(ZoneInfo(value))
    except (ValueError, OSError, KeyError):  # a path, a folder, or unknown
        return False


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise NsmlError(f"this machine does not know the time zone {name}; pip install tzdata") from None


def _zone_of_this_machine() -> str:
    """The name of the machine's time zone, else UTC."""
    named = os.environ.get("TZ", "").lstrip(":") or os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    return named if named and _is_zone(named) else "UTC"


def _wait(seconds: float) -> str:
    """The time that is left, rounded up to seconds, or from two minutes on to minutes."""
    unit = 60 if seconds > 120 else 1
    return period(math.ceil(seconds / unit) * unit)
