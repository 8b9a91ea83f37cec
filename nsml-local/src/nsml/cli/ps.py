"""`nsml ps`: list sessions."""

from __future__ import annotations

import contextlib
import shlex
import time
from typing import Any

import click

from ..engine.queue import places
from ..errors import Damaged, NsmlError
from ..scoring.rules import rules_of
from ..store.datasets import Dataset
from ..store.files import is_number
from ..store.home import Home, open_home
from ..store.metrics import best_values, judging_value, last_summary, last_values, more_is_better, why_unreadable
from ..store.sessions import ENDED, QUEUED, Session, list_sessions
from ..store.submissions import submissions_of
from ..wording import ago, values
from .arguments import complete_datasets, json_option, sweep_sessions
from .display import print_json, print_table


@click.command(
    epilog="""\b
Examples:
  nsml ps                 running and queued sessions
  nsml ps -a -n 5         the newest five, also ended ones
  nsml ps -a -d ODIR_FUNDUS -s "first try" -j
  nsml ps -a --sort val/score --tag baseline

\b
--sort takes created, duration, score (the submitted one) or the name of a
reported value, by its last one. The newest, the longest, the best come first:
the lowest of a value whose name ends in loss or error, and of a score where the
dataset ranks it so; the highest of any other. A '-' before it reverses the
order: --sort -created. Sessions without the value come last.
"""
)
@click.option("-a", "--all", "everything", is_flag=True, help="Also list ended sessions.")
@click.option("-n", "count", type=click.IntRange(min=1), metavar="N", help="Only the first N.")
@click.option("-d", "--dataset", shell_complete=complete_datasets, help="Only sessions on this dataset.")
@click.option("--sweep", metavar="SWEEP", help="The sessions of a sweep, also ended ones, as DATASET/sweep-1.")
@click.option("-s", "--search", metavar="TEXT", help="Only sessions with this text in name, arguments, memo or tags.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only sessions with this tag; of several, with all.")
@click.option("--sort", "by", default="created", metavar="[-]NAME", show_default=True,
              help="Order by a reported value, created, duration or score, the best first.")  # fmt: skip
@json_option()
def ps(
    everything: bool,
    count: int | None,
    dataset: str | None,
    search: str | None,
    sweep: str | None,
    tags: tuple[str, ...],
    by: str,
    as_json: bool,
) -> None:
    """List running and queued sessions (-a: also ended ones). The newest is first; queued ones have their place and its reason."""
    home = open_home()
    waiting = places(home)
    rows, broken = [], []
    everything = everything or sweep is not None
    sessions = (
        sweep_sessions(home, sweep) if sweep else list_sessions(home, dataset=dataset, but_for_ended=not everything)
    )
    for session in sessions:
        try:
            row = _row(session, waiting)
        except Damaged as error:
            broken.append(str(error))
            continue
        except NsmlError:
            continue  # just removed
        if not everything and row["status"] in ENDED:
            continue
        if search and search.lower() not in f"{row['name']} {row['arguments']} {row['memo']} {row['tags']}".lower():
            continue
        if not set(tags) <= set(row["tags"]):
            continue
        rows.append(row)
    rows.sort(key=lambda r: (r["created_at"], r["name"]), reverse=True)
    lowest_first = _lowest_first(home, {row["dataset"] for row in rows})
    scores = _scores(home, lowest_first)
    for row in rows:
        row["score"] = scores.get(row["name"])
    rows = _sorted(rows, by.replace("__", "/"), lowest_first)[:count]
    for row in rows:
        folder = row.pop("folder")
        row["summary"], found = last_summary(folder), best_values(folder)
        name = judging_value(found)
        row["best"] = {"name": name, "value": found[name][0], "step": found[name][1]} if name else None
        if not row["summary"] and (unreadable := why_unreadable(folder)):
            broken.append(unreadable)
    for line in broken:
        click.echo(f"warning: {line}", err=True)
    if as_json:
        print_json(rows)
        return
    named = {row["best"]["name"] for row in rows if row["best"]}
    best = f"Best {named.copy().pop()}" if len(named) == 1 else "Best"
    why = ["Why"] * any(row["status"] == QUEUED for row in rows)
    print_table(
        ("Name", "Score", best, "Status", *why, "Created", "Args", "Description", "Summary"),
        [
            (
                r["name"],
                "" if r["score"] is None else f"{r['score']:.6g}",
                _best(r["best"], len(named) > 1),
                _status(r),
                *[str(r["reason"] or "") if r["status"] == QUEUED else "" for _ in why],
                ago(r["created_at"]),
                r["arguments"],
                _description(r),
                values(r["summary"]),
            )
            for r in rows
        ],
        right=(1,),
        whole=(0, 1, 2, 3),
    )
    if not rows:
        click.echo(_nothing(everything, dataset, search, tags), err=True)


def _nothing(everything: bool, dataset: str | None, search: str | None, tags: tuple[str, ...]) -> str:
    """What is said below an empty table."""
    given = [*(("--tag", tag) for tag in tags), ("-d", dataset), ("-s", search)]
    asked = " ".join(shlex.join([option, text]) for option, text in given if text)
    if everything:
        return f"no session matches {asked}" if asked else "there is no session; 'nsml run' starts one"
    return f"no {f'running session matches {asked}' if asked else 'session is running'}; 'nsml ps -a' also lists ended ones"


def _lowest_first(home: Home, datasets: set[str]) -> dict[str, bool]:
    """Whether the lowest score on each dataset is the best."""
    lowest_first = dict.fromkeys(datasets, False)
    for name in datasets:
        with contextlib.suppress(NsmlError):  # the dataset is gone
            lowest_first[name] = rules_of(Dataset(name, home.datasets / name)).lower_is_better
    return lowest_first


def _scores(home: Home, lowest_first: dict[str, bool]) -> dict[str, float]:
    """The best score of each session by the labels and scorer that its dataset has now."""
    best: dict[str, float] = {}
    for name, lower in lowest_first.items():
        better = min if lower else max
        for record in submissions_of(home, name)[0]:
            if not record["outdated"]:
                best[record["session"]] = better(best.get(record["session"], record["score"]), record["score"])
    return best


def _best(best: dict[str, Any] | None, with_name: bool) -> str:
    if best is None:
        return ""
    text = values({best["name"]: best["value"]})
    return text if with_name else text.removeprefix(f"{best['name']}=")


def _row(session: Session, waiting: dict[str, tuple[int, str]]) -> dict[str, Any]:
    record, state = session.record(), session.state()
    place, why = waiting.get(str(session.name), (None, None)) if state["status"] == QUEUED else (None, None)
    return {
        "name": str(session.name),
        "dataset": session.name.dataset,
        "created_at": record["created_at"],
        "duration": _duration(state),
        "arguments": shlex.join(map(str, record["arguments"])),
        "status": str(state.get("status")),
        "on": state.get("on"),
        "exit_status": state.get("exit_status"),
        "cause": state.get("cause"),
        "place": place,
        "reason": why or state.get("reason"),
        "peak_memory": state.get("peak_memory"),
        "memo": session.memo(),
        "tags": session.tags(),
        "folder": session.folder,
    }


def _duration(state: dict[str, Any]) -> float | None:
    """Seconds since the start of the session, or from there to its end."""
    began, ended = state.get("started_at"), state.get("ended_at") if state["status"] in ENDED else time.time()
    return float(ended - began) if is_number(began) and is_number(ended) else None  # type: ignore[operator]


def _sorted(rows: list[dict[str, Any]], by: str, lowest_first: dict[str, bool]) -> list[dict[str, Any]]:
    """The rows ordered by created, duration, score or a reported value, with those without it last, each group as it was."""
    is_reversed, name = by.startswith("-"), by.removeprefix("-")
    if name in ("created", "duration", "score"):
        found = [row["created_at" if name == "created" else name] for row in rows]
        named = {name}
    else:
        reported = [last_values(row["folder"]) for row in rows]
        found, named = [of.get(name) for of in reported], {of for values in reported for of in values}
    if rows and name not in named:
        known = ", ".join(sorted(named)[:12])
        raise NsmlError(
            f"--sort {name}: none of these sessions has reported it; take created, duration, score{known and ', '}{known}"
        )
    lower = [lowest_first[row["dataset"]] if name == "score" else not more_is_better(name) for row in rows]
    signs = [1 if each is not is_reversed else -1 for each in lower]
    keys = [(0, sign * value) if is_number(value) else (1, 0) for sign, value in zip(signs, found, strict=True)]
    return [row for _, row in sorted(zip(keys, rows, strict=True), key=lambda pair: pair[0])]


def _description(row: dict[str, Any]) -> str:
    return f"[{' '.join(row['tags'])}] {row['memo']}".strip() if row["tags"] else str(row["memo"])


def _status(row: dict[str, Any]) -> str:
    if row["status"] == "Failed" and row["exit_status"] is not None:
        status = int(row["exit_status"])
        return f"Failed ({row['cause'] or (f'signal {-status}' if status < 0 else status)})"
    if row["place"]:
        return f"Queued ({row['place']})"
    return f"{row['status']} on {row['on']}" if row["on"] else str(row["status"])
