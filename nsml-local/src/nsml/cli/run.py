"""`nsml run`: start a session."""

from __future__ import annotations

from pathlib import Path

import click

from ..engine.environment import CURRENT, LAYER
from ..engine.launch import start_session
from ..engine.words import split_arguments
from ..errors import NsmlError, RunFailed
from ..store.datasets import find_dataset
from ..store.home import open_home
from ..store.sessions import Session, remove_session
from ..wording import size
from .arguments import complete_datasets
from .limits import limit_options, limits_from


@click.command(
    epilog="""\b
Examples:
  nsml run -d ODIR_FUNDUS
  nsml run -d ODIR_FUNDUS -e train.py -a "--epoch 5 --learning_rate 0.02" -m "first try"
  nsml run train.py -i -d ODIR_FUNDUS --memory 12G
"""
)
@click.argument("file", required=False, metavar="[FILE]")
@click.option("-d", "--dataset", multiple=True, shell_complete=complete_datasets, metavar="NAME[,NAME...]",
              help="The dataset to train on; of several, it is scored on the first. Without it a program runs on none.")  # fmt: skip
@click.option("-e", "--entry", metavar="FILE", help="The Python file to start.  [default: main.py]")
@click.option(
    "-a",
    "--args",
    "arguments",
    multiple=True,
    metavar="TEXT",
    help='Its arguments, as one text: -a "--epoch 5". Given twice, both count.',
)
@click.option("-m", "--memo", default="", metavar="TEXT", help="A line of text on the session.")
@click.option(
    "-i", "--interactive", is_flag=True, help="Follow the output; Ctrl-C stops the session; remove it at the end."
)
@limit_options()
@click.option(
    "--env",
    type=click.Choice([LAYER, CURRENT]),
    default=LAYER,
    show_default=True,
    help="layer: install what setup.py and requirements.txt ask for and this Python lacks. current: this Python as it is.",
)
@click.option("-v", "--verbose", is_flag=True, help="Say what is copied.")
def run(
    file: str | None,
    dataset: tuple[str, ...],
    entry: str | None,
    arguments: tuple[str, ...],
    memo: str,
    interactive: bool,
    gpus: int | None,
    cpus: int | None,
    memory: str | None,
    log_limit: str | None,
    env: str,
    verbose: bool,
) -> None:
    """Copy this folder and start its entry file (main.py, or FILE) as a session in the background.

    What `.nsmlignore` names (gitignore syntax) does not travel. Closing the terminal does not end the session; 'nsml logs -f
    SESSION' follows it.
    """
    if file and entry and file != entry:
        raise NsmlError(f"FILE is {file} and -e is {entry}; name one of them")
    if file and len(arguments) == 1 and arguments[0].startswith("-") and not Path(file).exists():
        both = f"{arguments[0]} {file}"
        raise NsmlError(
            f'there is no {file} here; if it is an argument of the program, put quotes around all: -a "{both}"'
        )
    home = open_home()
    started = file or entry or "main.py"
    datasets = [name for names in dataset for name in names.split(",") if name]
    session, taken = start_session(
        home,
        [find_dataset(home, name) for name in dict.fromkeys(datasets)],
        Path.cwd(),
        entry=started,
        arguments=[word for text in arguments for word in split_arguments(text)],
        memo=memo,
        limits=limits_from(home, gpus, cpus, memory, log_limit),
        env=env,
    )
    if not datasets:
        click.echo("warning: without -d the session has no dataset; 'nsml dataset ls' lists them", err=True)
    _tell_needs(session, env)
    if verbose:
        click.echo(f"{len(taken.files)} files, {size(taken.size)}", err=True)
    for name, reason in taken.left_out[:10]:
        click.echo(f"left out: {name} ({reason})", err=True)
    if len(taken.left_out) > 10:
        click.echo(f"left out: {len(taken.left_out) - 10} more", err=True)
    from ..engine.check import check_project

    for finding in check_project(Path.cwd(), str(session.record()["entry"]), taken):
        click.echo(f"warning: {finding}", err=True)
    click.echo(f"Session {session.name} is started")
    if interactive:
        _stay(session)


def _tell_needs(session: Session, env: str) -> None:
    """Say what will be installed, and what nobody installs."""
    from ..engine.installer import brief
    from ..engine.requirements import missing_debian, missing_packages, read_needs

    needs = read_needs(session.code)
    if needs.image:
        click.echo(
            f"image {needs.image}: no container is used here, the program runs in a Python of this machine", err=True
        )
    if env == LAYER and (missing := missing_packages(needs)):
        click.echo(f"to be installed first: {brief(missing)}; 'nsml logs -f {session.name}' shows it", err=True)
    if debian := missing_debian(needs):
        click.echo(
            f"warning: nsml_package.txt names what is missing; sudo apt-get install {' '.join(debian)}", err=True
        )


def _stay(session: Session) -> None:
    """Follow the session to its end, stop it at Ctrl-C, and remove it."""
    from ..engine.ending import stop_session
    from ..engine.program import how_it_ended
    from .logs import follow

    try:
        follow(session)
    except KeyboardInterrupt:
        stop_session(session)
    state = session.state()
    remove_session(session)
    if state["status"] == "Failed":
        why = state.get("error") or state.get("reason")
        how = f": {why}" if why else f" with {how_it_ended(int(state.get('exit_status') or 0))}"
        raise RunFailed(f"session {session.name} failed{how}")
