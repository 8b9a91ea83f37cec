"""`nsml pull` and `nsml download`: copy the files of a session."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ..errors import NsmlError
from ..store.copies import copy_out, count_left_out
from ..store.files import real_path
from ..store.home import open_home
from ..wording import counted
from .arguments import check_folder, session_argument, session_named


@click.command(
    epilog="""\b
Example:
  nsml pull FUNDUS_DEMO/1 ./as-it-was
"""
)
@session_argument()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-v", "--verbose", is_flag=True, help="List the files.")
@click.option("-f", "--force", is_flag=True, help="Overwrite existing files.")
def pull(session: str, path: Path, verbose: bool, force: bool) -> None:
    """Copy the code of a session to the folder PATH. It is as it was at 'nsml run'."""
    chosen = session_named(open_home(), session)
    check_folder(path, "PATH")
    if not chosen.has_code:
        raise NsmlError(f"session {chosen.name} has no copy of its code; 'nsml run' makes one")
    count = copy_out(chosen.code, path, force=force, below=chosen.folder)
    if verbose:
        for file in sorted(p for p in chosen.code.rglob("*") if p.is_file()):
            click.echo(path / file.relative_to(chosen.code))
    click.echo(f"{counted(count, 'file')} of session {chosen.name} copied to {path}")


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
@click.option("-f", "--force", is_flag=True, help="Overwrite existing files.")
def download(session: str, path: Path, subpath: str, force: bool) -> None:
    """Copy the files that a session wrote to the folder PATH. All of its working folder is copied."""
    chosen = session_named(open_home(), session)
    check_folder(path, "PATH")
    # On the platform the working folder was /app.
    subpath = re.sub(r"^/app(/|$)", "", subpath)
    source = chosen.work / subpath
    if not real_path(source).is_relative_to(real_path(chosen.work)):
        raise NsmlError(f"-s {subpath}: outside the session's working folder; give a path inside it")
    if not source.exists():
        raise NsmlError(f"session {chosen.name} has no {subpath or 'working folder'}; leave out -s to copy everything")
    count = copy_out(source, path / source.name if source.is_file() else path, force=force, below=chosen.folder)
    click.echo(f"{counted(count, 'file')} of session {chosen.name} copied to {path}")
    if source.is_dir() and (left_out := count_left_out(source)):
        click.echo(f"{left_out} left out, as no regular file (a link, a pipe): 'ls -lR {source}' shows which", err=True)
