"""`nsml referee`: score what teams of other accounts hand in."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ..errors import RunFailed
from ..scoring.referee import Referee
from ..scoring.referee import verify as verify_ledger
from ..scoring.spool import BOARD, INCOMING
from ..store.datasets import scored_here
from ..store.home import open_home
from ..wording import counted
from .arguments import complete_datasets
from .dataset_board import board_intervals


class _Referee(click.Group):
    """`nsml referee DATASET` stands for `nsml referee run DATASET`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Referee)
def referee() -> None:
    """Score what teams with accounts of their own hand in. For the organiser, who can prove each score.

    'nsml referee DATASET' is short for 'nsml referee run DATASET'.
    """


@referee.command(
    epilog="""\b
Example:
  nsml referee EYES --spool /srv/spool/EYES
The teams push the data without labels, and submit as usual:
  nsml dataset push EYES /srv/eyes --referee /srv/spool/EYES
"""
)
@click.argument("dataset", shell_complete=complete_datasets)
@click.option(
    "--spool", type=click.Path(path_type=Path), required=True, help="Folder that the teams reach; it is made."
)
@click.option("--once", is_flag=True, help="End when everything in the spool is scored.")
def run(dataset: str, spool: Path, once: bool) -> None:
    """Score what is handed in for DATASET, until it is ended. A team is who owns the file."""
    home = open_home()

    def say(line: str) -> None:
        click.echo(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}")

    judge = Referee(home, scored_here(home, dataset), spool.absolute(), say, board_intervals)
    lines = counted(len(judge.ledger.entries), "line")
    until = "until all is scored" if once else "until Ctrl-C or a signal, which loses nothing"
    say(
        f"referee of {dataset}, ledger of {lines}: watches {judge.spool / INCOMING} {until}; board: {judge.spool / BOARD}"
    )
    judge.run(once=once)


@referee.command()
@click.argument("dataset", shell_complete=complete_datasets)
@click.option("--head", metavar="DIGEST", help="The digest that was published earlier: is it in the chain?")
def verify(dataset: str, head: str | None) -> None:
    """Check that ledger, scores and predictions agree. The ledger must be unbroken, and the others those that it names."""
    home = open_home()
    count, last, wrong = verify_ledger(home, dataset, head)
    for line in wrong:
        click.echo(line)
    if wrong:
        raise RunFailed(
            f"the ledger of {dataset} and its submissions differ in {counted(len(wrong), 'place')}; compare with a backup"
        )
    click.echo(f"{count} entries, unbroken; the last has the digest {last}")
