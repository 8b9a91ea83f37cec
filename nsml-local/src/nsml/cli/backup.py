"""`nsml backup` and `nsml restore`."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from ..engine.isolation import can_be_read
from ..store.backup import Counts, back_up, check_backup
from ..store.backup import restore as restore_backup
from ..store.home import Home, default_home, open_home
from ..store.isolated import isolated_folders
from ..wording import ago, size
from .display import erase_line

_FOLDER = click.Path(path_type=Path)


@click.command(
    epilog="""\b
Example:
  nsml backup /mnt/disk2/nsml-$(date +%FT%H%M)
"""
)
@click.argument("folder", metavar="DIR", type=_FOLDER)
def backup(folder: Path) -> None:
    """Copy all that this home holds to the new folder DIR. Datasets, sessions, submissions and boards, also while sessions run.

    Links are left out, but those to the files of a dataset, which are copied. Environments are left out: sessions build
    them again. 'sha256sum --check SHA256SUMS' in DIR verifies a backup without nsml.
    """
    home = open_home()
    counts = back_up(home, folder, _progress("copied"))
    click.echo(f"{counts.files:,} files, {size(counts.bytes)}, are in {folder}")
    if counts.left_out:
        click.echo(
            f"warning: {counts.left_out} links, pipes, sockets, devices or unreadable files are left out", err=True
        )
    if isolated_folders(home) and can_be_read(folder):
        hide = shlex.join(["chmod", "0", str(folder)])
        click.echo(
            f"warning: isolated programs can read the labels in {folder}; {hide!r} hides it from them, as a disk below /run does",
            err=True,
        )


@click.command(
    epilog="""\b
Examples:
  nsml restore --check /mnt/disk2/nsml-2026-11-29T1800
  NSML_HOME=/srv/nsml nsml restore /mnt/disk2/nsml-2026-11-29T1800
"""
)
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option("--check", is_flag=True, help="Only compare the files of DIR with their digests.")
def restore(folder: Path, check: bool) -> None:
    """Copy the backup in DIR to a new or empty home. Each file is verified.

    Sessions that ran when the backup was made are Lost; 'nsml resume' continues them from their last checkpoint.
    """
    if check:
        record = check_backup(folder)
        click.echo(f"{folder}: all {record['files']:,} files are as they were backed up {ago(record['created_at'])}")
        return
    home = Home(default_home())
    counts, ended = restore_backup(folder, home, _progress("restored"))
    click.echo(f"{counts.files:,} files, {size(counts.bytes)}, are in {home.path}")
    if ended:
        shown = ", ".join(ended[:4]) + (", ..." if len(ended) > 4 else "")
        click.echo(
            f"{len(ended)} sessions ran when the backup was made; 'nsml resume' continues them: {shown}", err=True
        )


def _progress(what: str) -> Callable[[Counts], None]:
    """A line that updates, on a terminal only."""
    shown = 0.0

    def show(counts: Counts) -> None:
        nonlocal shown
        if sys.stderr.isatty() and time.monotonic() - shown > 0.2:
            shown = time.monotonic()
            erase_line()
            click.echo(f"{counts.files:,} files, {size(counts.bytes)} {what}\r", nl=False, err=True)

    return show
