"""`nsml run`: start a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..engine.entry import abbreviates_reserved
from ..engine.environment import CURRENT, LAYER, still_missing
from ..engine.halving import MOST, begin, describe
from ..engine.launch import start_session
from ..engine.notify import check_receiver, notify_at_the_end_of_sweep
from ..engine.requirements import Needs, read_needs
from ..engine.snapshot import Snapshot
from ..engine.sweep import arguments_of_point, points, start_sweep
from ..engine.words import split_arguments
from ..errors import NsmlError, RunFailed
from ..store.datasets import find_dataset
from ..store.home import open_home
from ..store.names import check_name
from ..store.sessions import ENDED, Session
from ..wording import counted, size
from .arguments import complete_datasets
from .limits import limit_options, limits_from, queue_options, request_from, tell_start


@click.command(
    epilog="""\b
Examples:
  nsml run -d ODIR_FUNDUS
  nsml run -d ODIR_FUNDUS -e train.py -a "--epoch 5 --learning_rate 0.02" -m "first try"
  nsml run train.py -i -d ODIR_FUNDUS --memory 12G
  nsml run -d ODIR_FUNDUS -e finetune.py --after ODIR_FUNDUS/1
  nsml run -d ODIR_FUNDUS --grid "learning_rate=0.001,0.003" --grid "set dropout=0.3,0.5"
"""
)
@click.argument("file", required=False, metavar="[FILE]")
@click.option("-d", "--dataset", multiple=True, shell_complete=complete_datasets, metavar="NAME[,NAME...]",
              help="Dataset of the session. Of several, the first is scored. Default: none.")  # fmt: skip
@click.option("-e", "--entry", metavar="FILE", help="Entry file.  [default: main.py]")
@click.option(
    "-a",
    "--args",
    "arguments",
    multiple=True,
    metavar="TEXT",
    help='Arguments of the entry file, as one text: -a "--epoch 5". Repeated options are joined.',
)
@click.option("-m", "--memo", default="", metavar="TEXT", help="A note, shown by 'nsml ps'.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A tag, for 'nsml ps --tag'; as often as needed.")
@click.option(
    "-i",
    "--interactive",
    is_flag=True,
    help="Follow the output (Ctrl-C stops the session), and remove the session at its end.",
)
@limit_options()
@queue_options(may_refuse=True)
@click.option(
    "--env",
    type=click.Choice([LAYER, CURRENT]),
    default=LAYER,
    show_default=True,
    help="layer: install missing packages of setup.py and requirements.txt. current: use this Python unchanged.",
)
@click.option("--grid", multiple=True, metavar="NAME=VALUE,VALUE",
              help="A sweep: a session for each value of each --grid, with --NAME VALUE after its arguments.")  # fmt: skip
@click.option(
    "--zip", "pairs", is_flag=True, help="The first values of all --grid together, then the second ones, and so on."
)
@click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="A sweep over --seed 0 to N-1.")
@click.option("--folds", type=click.IntRange(min=2), metavar="N", help="A sweep over --fold 0 to N-1, with --folds N.")
@click.option("--halve", type=click.IntRange(min=1), metavar="N",
              help="Pause a sweep at epoch N, resume the better half to 2 N, of these the better half to 4 N, and so on.")  # fmt: skip
@click.option("--notify", envvar="NSML_NOTIFY", metavar="URL|COMMAND",
              help="Send one message at the end: a webhook's address, or a command that reads JSON.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Show number and size of the copied files.")
def run(
    file: str | None,
    dataset: tuple[str, ...],
    entry: str | None,
    arguments: tuple[str, ...],
    memo: str,
    tags: tuple[str, ...],
    interactive: bool,
    gpus: int | None,
    cpus: int | None,
    memory: str | None,
    log_limit: str | None,
    env: str,
    grid: tuple[str, ...],
    pairs: bool,
    seeds: int | None,
    folds: int | None,
    halve: int | None,
    notify: str | None,
    verbose: bool,
    **queue: Any,
) -> None:
    """Start this folder's program as a session in the background. The folder is copied; the entry file is main.py, or FILE.

    If too few GPUs, processors or memory are free, the session is queued and starts by itself; 'nsml ps' shows its place.

    Files in `.nsmlignore` (gitignore syntax) are not copied. The session goes on when the terminal is closed; 'nsml logs -f
    SESSION' follows its output.
    """
    if file and entry and file != entry:
        raise NsmlError(f"FILE is {file} and -e is {entry}; name one of them")
    if file and len(arguments) == 1 and arguments[0].startswith("-") and not Path(file).exists():
        both = f"{arguments[0]} {file}"
        raise NsmlError(f'FILE: there is no {file} here; if it is an argument of the program, use quotes: -a "{both}"')
    home = open_home()
    started = file or entry or "main.py"
    datasets = list(dict.fromkeys(name.strip() for names in dataset for name in names.split(",") if name.strip()))
    is_sweep = bool(grid or seeds or folds)
    if pairs and not grid:
        raise NsmlError("--zip pairs the values of several --grid; give them")
    if is_sweep and (interactive or queue["no_wait"]):
        raise NsmlError("a sweep is queued and runs in the background; leave -i and --no-wait out")
    members = points(grid, pairs=pairs, seeds=seeds, folds=folds) if is_sweep else []
    for name in members[0] if members else ():
        option = name.partition(" ")[0]
        if longer := abbreviates_reserved(Path.cwd(), started, option):
            what = f"argparse takes --{option} for --{longer}, which nsml itself sets"
            raise NsmlError(f"--grid {name}: {what}; name another argument of the program")
    if halve and not 2 <= len(members) <= MOST:
        raise NsmlError(f"--halve takes a sweep of 2 to {MOST} sessions, this one has {len(members)}; change --grid")
    if halve and folds:
        raise NsmlError(
            "--halve compares losses, and folds validate different photographs; leave --folds out, or take one fold with -a"
        )
    words = [word for text in arguments for word in split_arguments(text)]
    limits = limits_from(gpus, cpus, memory, log_limit, queue["engine"])
    receiver = None if notify is None else check_receiver(notify)
    registered = [find_dataset(home, name) for name in datasets]
    # Asked before the start, as the session may have installed them before the line is printed.
    needs = Needs()
    try:
        needs = read_needs(Path.cwd())
    except NsmlError:
        if env == LAYER:
            raise
        # Nothing is installed, and `check_project` warns.
    missing = still_missing(home, needs) if env == LAYER else []

    def start(source: Path, point: dict[str, str], sweep: str) -> tuple[Session, Snapshot]:
        about = " ".join([f"{sweep}:", *(f"{name}={value}" for name, value in point.items())]) if sweep else ""
        return start_session(
            home,
            registered,
            source,
            entry=started,
            arguments=[*words, *arguments_of_point(point, folds)],
            memo=f"{about}  {memo}".strip(),
            limits=limits,
            request=request_from(home, gpus, **queue),
            env=env,
            sweep={"name": sweep, "point": point} if sweep else None,
            receiver=None if sweep else receiver,
            tags=[check_name(tag, "--tag") for tag in tags],
            until=halve,
        )

    if is_sweep:
        sweep, starts = start_sweep(
            home,
            datasets[0] if datasets else None,
            Path.cwd(),
            members,
            start,
        )
        if halve:
            begin([one for one, _ in starts], halve)
    else:
        starts = [start(Path.cwd(), {}, "")]
    session, snapshot = starts[0]
    if not datasets:
        click.echo("warning: without -d the session has no dataset; 'nsml dataset ls' lists them", err=True)
    _print_needs(needs, missing, session)
    if verbose:
        click.echo(f"{counted(len(snapshot.files), 'file')}, {size(snapshot.size)}", err=True)
    for name, reason in snapshot.left_out[:10]:
        click.echo(f"left out: {name} ({reason})", err=True)
    if len(snapshot.left_out) > 10:
        click.echo(f"left out: {len(snapshot.left_out) - 10} more", err=True)
    from ..engine.check import check_project

    for finding in check_project(Path.cwd(), str(session.record()["entry"]), snapshot):
        click.echo(f"warning: {finding}", err=True)
    for one, _ in starts:
        tell_start(home, one, f"Session {one.name} is started")
    if is_sweep:
        click.echo(f"Sweep {sweep} has {counted(len(starts), 'session')}; 'nsml compare --sweep {sweep}' ranks them")
        if halve:
            click.echo(describe(session)[0])
        if receiver is not None:
            notify_at_the_end_of_sweep(session, receiver)
    if interactive:
        _follow_to_end(session)


def _print_needs(needs: Needs, missing: list[str], session: Session) -> None:
    """Print which packages are installed first, and which of the system are missing."""
    from ..engine.installer import brief
    from ..engine.requirements import missing_debian

    if missing:
        click.echo(f"installing {brief(missing)} first; 'nsml logs -f {session.name}' shows the progress", err=True)
    if debian := missing_debian(needs):
        click.echo(
            f"warning: nsml_package.txt names missing packages; sudo apt-get install {' '.join(debian)}", err=True
        )


def _follow_to_end(session: Session) -> None:
    """Follow the session until it ends, stop it on Ctrl-C, and remove it. RunFailed where it did not end well."""
    from ..engine.ending import end_and_remove, stop_session
    from ..engine.program import how_it_ended
    from .logs import follow

    interrupted, what = None, "removed"
    try:
        follow(session)
    except KeyboardInterrupt as error:
        interrupted = error
        if session.status() not in ENDED:
            stop_session(session)
            what = "stopped and removed"
    state = session.state()
    end_and_remove(session.home, session)
    if interrupted:
        click.echo(f"\nSession {session.name} is {what}", err=True)
        raise interrupted
    if (status := state["status"]) == "Exited":
        return
    why = state.get("error") or state.get("reason")
    alone = {
        "Failed": f" with {how_it_ended(int(state.get('exit_status') or 0))}",
        "Lost": ": its supervisor ended without writing a status",
    }
    does = {"Failed": "failed", "Lost": "was lost"}.get(status, "was stopped")
    raise RunFailed(f"session {session.name} {does}{f': {why}' if why else alone.get(status, '')}")
