"""`nsml pull` and `nsml download`: copy files of a session out."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ..errors import NsmlError
from ..store.copies import copy_out
from ..store.files import real_path
from ..store.home import open_home
from .arguments import session_argument, session_named


@click.command(
    epilog="""\b
Example:
  nsml pull FUNDUS_DEMO/1 ./as-it-was
"""
)
@session_argument()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-v", "--verbose", is_flag=True, help="Name the files.")
@click.option("-f", "--force", is_flag=True, help="Overwrite files that are there.")
def pull(session: str, path: Path, verbose: bool, force: bool) -> None:
    """Copy the files that were uploaded at 'nsml run' to the folder PATH."""
    found = session_named(open_home(), session)
    if not found.has_code:
        raise NsmlError(f"the code of session {found.name} was not kept, so there is nothing to pull")
    count = copy_out(found.code, path, force=force, below=found.folder)
    if verbose:
        for file in sorted(p for p in found.code.rglob("*") if p.is_file()):
            click.echo(path / file.relative_to(found.code))
    click.echo(f"{count} files of session {found.name} are in {path}")


@click.command(
    epilog="""\b
Examples:
  nsml download FUNDUS_DEMO/1 ./results
  nsml download FUNDUS_DEMO/1 ./results -s plots
"""
)
@session_argument()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-s", "--subpath", default="", metavar="SUBPATH", help="Only this file or folder of the working folder.")
@click.option("-f", "--force", is_flag=True, help="Overwrite files that are there.")
def download(session: str, path: Path, subpath: str, force: bool) -> None:
    """Copy the session's working folder, with the files that it wrote, to the folder PATH."""
    found = session_named(open_home(), session)
    # On the platform the working folder was /app.
    subpath = re.sub(r"^/app(/|$)", "", subpath)
    source = found.work / subpath
    if not real_path(source).is_relative_to(real_path(found.work)):
        raise NsmlError(f"-s {subpath}: that is outside the session's working folder")
    if not source.exists():
        raise NsmlError(f"session {found.name} has no {subpath or 'working folder'}; leave -s out to take all there is")
    count = copy_out(source, path / source.name if source.is_file() else path, force=force, below=found.folder)
    click.echo(f"{count} files of session {found.name} are in {path}")
