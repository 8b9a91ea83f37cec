"""`nsml model`: checkpoints of a session."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import click

from ..engine.pruning import check_not_awaited
from ..store.checkpoints import Checkpoint, find_checkpoint, list_checkpoints, remove_checkpoint, whole_checkpoint
from ..store.copies import copy_out
from ..store.home import open_home
from ..store.names import encode_checkpoint
from ..wording import ago, counted, duration, size, values
from .arguments import (
    Group,
    check_folder,
    complete_checkpoints,
    json_option,
    session_and_checkpoint,
    session_argument,
    session_named,
    session_with_checkpoint,
)
from .display import print_json, print_table


@click.group(cls=Group)
def model() -> None:
    """Checkpoints of a session."""


@model.command(
    epilog="""\b
Example:
  nsml model ls FUNDUS_DEMO/1
"""
)
@session_argument()
@json_option()
def ls(session: str, as_json: bool) -> None:
    """List the checkpoints of a session, oldest first."""
    chosen = session_named(open_home(), session)
    checkpoints = list_checkpoints(chosen.checkpoints)
    good = [c for c in checkpoints if isinstance(c, Checkpoint)]
    for entry in checkpoints:
        if not isinstance(entry, Checkpoint):
            click.echo(f"warning: {entry}", err=True)
    if as_json:
        print_json(
            [
                {
                    "checkpoint": c.name,
                    "saved_at": c.saved_at,
                    "elapsed": c.elapsed,
                    "summary": c.summary,
                    "size": c.size,
                }
                for c in good
            ]
        )
        return
    print_table(
        ("Checkpoint", "Last Modified", "Elapsed", "Summary", "Size"),
        [(c.name, ago(c.saved_at), duration(c.elapsed), values(c.summary), size(c.size)) for c in good],
    )
    if not good:
        click.echo(f"session {chosen.name} has no checkpoint", err=True)


@model.command(
    epilog="""\b
Examples:
  nsml model rm FUNDUS_DEMO/1 5
  nsml model rm -f FUNDUS_DEMO/1 "*"
"""
)
@session_argument(with_checkpoint=True)
@click.argument("checkpoint", metavar="CHECKPOINT", required=False, shell_complete=complete_checkpoints)
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def rm(session: str, checkpoint: str | None, force: bool) -> None:
    """Remove checkpoints ('*' and '?' in the name)."""
    home = open_home()
    chosen, checkpoint = session_with_checkpoint(home, session, checkpoint)
    checkpoints = [c for c in list_checkpoints(chosen.checkpoints) if isinstance(c, Checkpoint)]
    removed = [c for c in checkpoints if c.name == checkpoint] or [
        c for c in checkpoints if fnmatch.fnmatchcase(c.name, checkpoint)
    ]
    if not removed:
        removed = [find_checkpoint(chosen.checkpoints, checkpoint, str(chosen.name))]
    check_not_awaited(home, chosen, [one.name for one in removed])
    if not force:
        click.confirm(f"Remove {', '.join(c.name for c in removed)} of session {chosen.name}?", abort=True)
    for one in removed:
        remove_checkpoint(one)
        click.echo(f"Checkpoint {one.name} is removed")


@model.command(
    epilog="""\b
Example:
  nsml model pull FUNDUS_DEMO/1 best ./       makes USER_FUNDUS_DEMO_1/best/model/
"""
)
@session_argument(with_checkpoint=True)
@click.argument("checkpoint", metavar="CHECKPOINT", required=False, shell_complete=complete_checkpoints)
@click.argument("path", metavar="PATH", required=False, type=click.Path(path_type=Path))
@click.option("-f", "--force", is_flag=True, help="Overwrite existing files.")
def pull(session: str, checkpoint: str | None, path: Path | None, force: bool) -> None:
    """Copy a checkpoint's files to the folder PATH. They lie below it in USER_DATASET_NUMBER/CHECKPOINT/model/."""
    home = open_home()
    if path is None and checkpoint is not None and session_and_checkpoint(home, session)[1] is not None:
        path, checkpoint = Path(checkpoint), None
    chosen, checkpoint = session_with_checkpoint(home, session, checkpoint)
    if path is None:
        raise click.MissingParameter(ctx=click.get_current_context(), param_hint="'PATH'", param_type="argument")
    stored = whole_checkpoint(chosen.checkpoints, checkpoint, str(chosen.name))
    folder = (
        checkpoint
        if checkpoint not in (".", "..") and not set(checkpoint) & set("/\\\0:")
        else encode_checkpoint(checkpoint)
    )
    if len(folder.encode()) > 200:
        folder = encode_checkpoint(checkpoint)
    target = path / str(chosen.name).replace("/", "_") / folder / "model"
    check_folder(path, "PATH")
    count = copy_out(stored.model, target, force=force, below=chosen.folder)
    for file in stored.beside:
        count += copy_out(file, target.with_name(file.name), force=force, below=chosen.folder)
    click.echo(f"{counted(count, 'file')} copied to {target}")
    if not count:
        click.echo(f"warning: checkpoint {checkpoint} of session {chosen.name} is empty", err=True)
