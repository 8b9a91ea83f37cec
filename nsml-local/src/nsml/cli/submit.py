"""`nsml submit`: score a checkpoint on the hidden labels."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

import click

from ..scoring.finals import choose
from ..scoring.guessing import beside
from ..scoring.submit import submit as submit_checkpoint
from ..store.home import open_home
from ..wording import plain, score
from .arguments import complete_checkpoints, session_argument, session_with_checkpoint
from .display import ProgramOutput, erase_line
from .limits import accepted


class _Seconds(click.FloatRange):
    """A range without NaN, which is neither below nor above any."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value} is not a number", param, ctx)
        return seconds


@click.command(
    epilog="""\b
Examples:
  nsml submit FUNDUS_DEMO/1 best
  nsml submit -t FUNDUS_DEMO/1 12      a dry run
"""
)
@session_argument(with_checkpoint=True)
@click.argument("checkpoint", metavar="CHECKPOINT", required=False, shell_complete=complete_checkpoints)
@click.option("-t", "--test", "dry_run", is_flag=True, help="Dry run: show the first ten predictions; no score.")
@click.option("--limit", type=_Seconds(1, 365 * 86400), default=3600, show_default=True, metavar="SECONDS",
              help="Time limit for loading and predicting.")  # fmt: skip
@click.option(
    "-b",
    "--batch",
    "batch_size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Batch size for the organiser's loader.",
)
@click.option("-e", "--entry", metavar="FILE", help="Entry file instead of the session's.")
@click.option("--final/--no-final", default=None,
              help="Choose the checkpoint, scored or not yet, for the final ranking, two at most; or take that back.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Show the output of the program.")
@accepted("--esm", hidden=True)
def submit(
    session: str,
    checkpoint: str | None,
    dry_run: bool,
    limit: float,
    batch_size: int | None,
    entry: str | None,
    final: bool | None,
    verbose: bool,
) -> None:
    """Score a checkpoint on the hidden test set. The session's program predicts it, and the score goes to the leaderboard."""
    home = open_home()
    chosen, checkpoint = session_with_checkpoint(home, session, checkpoint)
    if final is not None:
        if dry_run:
            raise click.UsageError("--final and -t exclude each other")
        if (line := choose(home, chosen, checkpoint, final)) or not final:
            click.echo(line or "No submission of this checkpoint is final")
            return
    progress = _Progress(limit, starts_only=verbose)
    try:
        outcome = submit_checkpoint(
            home,
            chosen,
            checkpoint,
            dry_run=dry_run,
            limit=limit,
            batch_size=batch_size,
            entry=entry,
            on_step=progress.show,
            on_output=ProgramOutput(sys.stderr).write if verbose else None,
        )
    finally:
        progress.end_line()
    for warning in outcome.warnings:
        click.echo(f"warning: {warning}", err=True)
    if outcome.score is None:
        for line in outcome.first:
            click.echo(plain(line))
        click.echo(f"Dry run, not scored; 'nsml logs {outcome.session}' shows its output")
    else:
        click.echo(f"Score: {score(outcome.score)}")
        if outcome.constant is not None:
            for line in beside(outcome.score, outcome.constant, outcome.lower_is_better):
                click.echo(line, err=True)
        if outcome.left:
            click.echo(outcome.left, err=True)
        if final:
            click.echo(choose(home, chosen, checkpoint, True))
    click.echo("Done")


class _Progress:
    """Progress: one line that updates on a terminal, else a line every ten seconds."""

    def __init__(self, limit: float, starts_only: bool) -> None:
        self._limit = limit
        self._starts_only = starts_only
        self._terminal = sys.stderr.isatty()
        self._open = False
        self._began = self._shown = time.monotonic()

    def show(self, step: dict[str, Any]) -> None:
        """Show one step of a submit."""
        if "error" in step:
            return
        if self._starts_only and step["step"] not in ("environment", "start"):
            return  # the program's output follows
        match step:
            case {"step": "environment", "says": line}:
                self._line(line)
            case {"step": "start"}:
                self._line("starting the program")
            case {"step": "infer", "load_seconds": seconds}:
                self._line(f"load nsml model takes {seconds:.2f} seconds")
                self._line(f".Infer test set. The inference should be completed within {self._limit:.0f} seconds.")
                self._began = time.monotonic()
            case {"step": "infer", "done": done, "total": total}:
                self._photographs(done, total)
            case {"step": "done", "infer_seconds": seconds}:
                self._line(f".Infer test set takes {seconds:.2f} seconds")

    def _photographs(self, done: int, total: int) -> None:
        passed = time.monotonic() - self._began
        rate = done / max(passed, 1e-6)
        text = f"photograph {done} of {total}"
        if passed > 1:  # in less, it says nothing
            text += f", {rate:.1f}/s, {(total - done) / max(rate, 1e-6):.0f} s left"
        if self._terminal:
            erase_line()
            click.echo(text, nl=False, err=True)
            self._open = True
        elif time.monotonic() - self._shown > 10:
            self._shown = time.monotonic()
            click.echo(text, err=True)

    def _line(self, text: str) -> None:
        self.end_line()
        click.echo(text, err=True)

    def end_line(self) -> None:
        """End an open progress line."""
        if self._open:
            click.echo(err=True)
            self._open = False
