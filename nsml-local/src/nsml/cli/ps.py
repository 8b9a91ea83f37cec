"""`nsml ps`: list sessions."""

from __future__ import annotations

import shlex
from typing import Any

import click

from ..engine.queue import places
from ..errors import Damaged, NsmlError
from ..store.home import open_home
from ..store.metrics import last_summary
from ..store.sessions import ENDED, QUEUED, Session, list_sessions
from ..wording import ago, values
from .arguments import complete_datasets, json_option, sweep_sessions
from .display import print_json, print_table


@click.command(
    epilog="""\b
Examples:
  nsml ps                 running and queued sessions
  nsml ps -a -n 5         the newest five, also ended ones
  nsml ps -a -d ODIR_FUNDUS -s "first try" -j
"""
)
@click.option("-a", "--all", "everything", is_flag=True, help="Also list ended sessions.")
@click.option("-n", "count", type=click.IntRange(min=1), metavar="N", help="Only the newest N.")
@click.option("-d", "--dataset", shell_complete=complete_datasets, help="Only sessions on this dataset.")
@click.option("--sweep", metavar="SWEEP", help="The sessions of a sweep, also ended ones, as DATASET/sweep-1.")
@click.option("-s", "--search", metavar="TEXT", help="Only sessions with this text in name, arguments or memo.")
@json_option()
def ps(
    everything: bool, count: int | None, dataset: str | None, search: str | None, sweep: str | None, as_json: bool
) -> None:
    """List running and queued sessions, newest first (-a: also ended ones); queued ones with their place and its reason."""
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
        if search and search.lower() not in f"{row['name']} {row['arguments']} {row['memo']}".lower():
            continue
        rows.append(row)
    rows.sort(key=lambda r: (r["created_at"], r["name"]), reverse=True)
    rows = rows[:count]
    for row in rows:
        row["summary"] = last_summary(row.pop("folder"))
    for line in broken:
        click.echo(f"warning: {line}", err=True)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("Name", "Created", "Args", "Status", "Summary", "Description"),
        [(r["name"], ago(r["created_at"]), r["arguments"], _status(r), values(r["summary"]), r["memo"]) for r in rows],
    )
    if not rows and not everything:
        click.echo("no session is running; 'nsml ps -a' also lists ended ones", err=True)


def _row(session: Session, waiting: dict[str, tuple[int, str]]) -> dict[str, Any]:
    record, state = session.record(), session.state()
    place, why = waiting.get(str(session.name), (None, None)) if state["status"] == QUEUED else (None, None)
    return {
        "name": str(session.name),
        "created_at": record["created_at"],
        "arguments": shlex.join(map(str, record["arguments"])),
        "status": str(state.get("status")),
        "on": state.get("on"),
        "exit_status": state.get("exit_status"),
        "cause": state.get("cause"),
        "place": place,
        "reason": why or state.get("reason"),
        "peak_memory": state.get("peak_memory"),
        "memo": session.memo(),
        "folder": session.folder,
    }


def _status(row: dict[str, Any]) -> str:
    if row["status"] == "Failed" and row["exit_status"] is not None:
        status = int(row["exit_status"])
        return f"Failed ({row['cause'] or (f'signal {-status}' if status < 0 else status)})"
    if row["place"]:
        return f"Queued ({row['place']}: {row['reason']})"
    return f"{row['status']} on {row['on']}" if row["on"] else str(row["status"])
