"""Options for the limits of a session."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import click

from ..engine.engines import engine_of
from ..engine.log_limit import DEFAULT, SMALLEST
from ..engine.queue import LOCAL, SLURM, Request, engine_options
from ..engine.resources import SMALLEST_MEMORY, Limits, check_gpus, parse_size, processors
from ..store.files import read_json
from ..store.home import Home
from ..store.launches import FILE
from ..store.sessions import QUEUED, Session
from .arguments import complete_sessions, session_named

_MOST = 1_000_000  # processors or GPUs


def accepted(name: str, **more: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option of the platform without effect on this machine; using it prints a note."""

    def note(context: click.Context, option: click.Parameter, value: object) -> None:
        if value:
            click.echo(f"{name} has no effect here; it is accepted for compatibility with the platform", err=True)

    return click.option(
        name, expose_value=False, callback=note, **{"help": "Accepted for compatibility; no effect."} | more
    )


def limit_options(cpus: str = "-c") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """-g, -c (--cpu if -c has another meaning), --memory, --log-limit and --shm-size."""
    names = [n for n in ("-c", "--cpus", "--cpu") if n != "-c" or cpus == "-c"]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            *(accepted(name, hidden=True) for name in ("--gpu-driver-version", "--gpu-model", "--esm")),
            accepted("--nfs-output", hidden=True, is_flag=True),
            accepted("--shm-size", metavar="SIZE", help="Accepted for compatibility; no effect."),
            click.option(
                "--log-limit",
                metavar="SIZE",
                envvar="NSML_LOG_LIMIT",
                help="Remove the middle of a log that grows larger.  [default: 1G, or NSML_LOG_LIMIT]",
            ),
            click.option(
                "--memory",
                metavar="SIZE",
                help="Wait until so much is free, and stop the session when it uses more, e.g. 24G.",
            ),
            click.option(
                *names,
                "cpus",
                type=click.IntRange(1, _MOST),
                metavar="N",
                help="Wait for N processors, and use no more.",
            ),
            click.option(
                "-g",
                "--gpus",
                type=click.IntRange(0, _MOST),
                metavar="N",
                help="Wait for N GPUs; 0 hides all.  [default: 1, where there are any]",
            ),
        ):
            command = option(command)
        return command

    return decorate


def limits_from(
    gpus: int | None, cpus: int | None, memory: str | None, log_limit: str | None, engine: str | None = None
) -> Limits:
    """The limits of the options; GPUs are chosen when the session starts. NsmlError if there are too few GPUs or a size is invalid."""
    if gpus and not (there := engine == SLURM or check_gpus(gpus)):
        click.echo(f"warning: -g {gpus}: this machine has no GPU; the session runs on its processors", err=True)
    if cpus and engine != SLURM and cpus > (here := processors()):
        click.echo(f"warning: -c {cpus}: this machine has {here} processors; the session takes them all", err=True)
    return Limits(
        gpus=None if gpus is None or (gpus and there) else (),
        cpus=cpus,
        memory=None if memory is None else parse_size(memory, "--memory", SMALLEST_MEMORY),
        log=DEFAULT if log_limit is None else parse_size(log_limit, "--log-limit", SMALLEST),
    )


def queue_options(*, may_refuse: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--engine and its options, --priority, --after, --after-any, and --no-wait where a command may refuse to start a session;
    `request_from` takes them all."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        options = [
            click.option(
                "--requeue", is_flag=True,
                help="With Slurm: go on from the newest checkpoint where a node fails or another job takes its place.",
            ),
            click.option(
                "--slurm", "options", metavar="OPTIONS",
                help='Further options of sbatch, as one text: "--partition=gpu --time=4:00:00".  [default: NSML_SLURM]',
            ),
            click.option(
                "--engine", type=click.Choice([LOCAL, SLURM]), envvar="NSML_ENGINE",
                help="local: this machine. slurm: jobs of a cluster.  [default: NSML_ENGINE, or local]",
            ),
            click.option(
                "--after-any", multiple=True, metavar="SESSION", shell_complete=complete_sessions,
                help="Start when SESSION has ended, however it did.",
            ),
            click.option(
                "--after", multiple=True, metavar="SESSION", shell_complete=complete_sessions,
                help="Start when SESSION has ended with exit status 0; where it fails, this one is stopped.",
            ),
            click.option(
                "--priority", type=int, default=0, metavar="N",
                help="Start before your own waiting sessions of a lower N.  [default: 0]",
            ),
        ]  # fmt: skip
        if may_refuse:
            options.insert(0, click.option("--no-wait", is_flag=True, help="Refuse a session that would have to wait."))
        for option in options:
            command = option(command)
        return command

    return decorate


def request_from(
    home: Home,
    gpus: int | None,
    priority: int,
    after: Sequence[str],
    after_any: Sequence[str],
    engine: str | None,
    options: str | None,
    requeue: bool,
    no_wait: bool = False,
    like: Session | None = None,
) -> Request:
    """What the options ask of the queue, and of the engine of `like` where they name none.

    NsmlError where a session to wait for does not exist, or the options do not fit the engine.
    """
    before = {} if like is None else engine_options(like)
    engine = engine or before.get("engine", LOCAL)
    if engine == SLURM:
        options = before.get("options", os.environ.get("NSML_SLURM", "")) if options is None else options
        requeue = requeue or before.get("requeue", False)
    if engine == SLURM or options or requeue:
        from ..engine.slurm import check_engine

        check_engine(engine, options or "", requeue=requeue, waits=not no_wait)
    names = [tuple(str(session_named(home, name).name) for name in given) for given in (after, after_any)]
    return Request.here(gpus, priority=priority, after=names[0], after_any=names[1], waits=not no_wait,
                        engine=engine, options=options or "", requeue=requeue)  # fmt: skip


def tell_start(home: Home, session: Session, otherwise: str) -> None:
    """Say that the session waits, at which place and why; else `otherwise`."""
    if session.status() == QUEUED:
        click.echo(f"Session {session.name} is queued {engine_of(session).where(home, session)}")
    else:
        gpus = read_json(session.folder / FILE)["limits"]["gpus"]
        if gpus:
            click.echo(f"the session gets GPU {', '.join(map(str, gpus))}; -g N gives it N", err=True)
        click.echo(otherwise)
