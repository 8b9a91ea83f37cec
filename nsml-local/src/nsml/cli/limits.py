"""Options for the limits of a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..engine.log_limit import DEFAULT, SMALLEST
from ..engine.resources import Limits, list_gpus, parse_size, take_gpus
from ..store.home import Home


def _accepted(name: str, **more: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
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
            *(_accepted(name, hidden=True) for name in ("--gpu-driver-version", "--gpu-model", "--esm")),
            _accepted("--nfs-output", hidden=True, is_flag=True),
            _accepted("--shm-size", metavar="SIZE", help="Accepted for compatibility; no effect."),
            click.option(
                "--log-limit",
                metavar="SIZE",
                envvar="NSML_LOG_LIMIT",
                help="Remove the middle of a log that grows larger.  [default: 1G, or NSML_LOG_LIMIT]",
            ),
            click.option("--memory", metavar="SIZE", help="Stop the session when it uses more memory, e.g. 24G."),
            click.option(*names, "cpus", type=click.IntRange(min=1), metavar="N", help="Use at most N processors."),
            click.option(
                "-g",
                "--gpus",
                type=click.IntRange(min=0),
                metavar="N",
                help="Use N free GPUs; 0 hides all. [default: all]",
            ),
        ):
            command = option(command)
        return command

    return decorate


def limits_from(home: Home, gpus: int | None, cpus: int | None, memory: str | None, log_limit: str | None) -> Limits:
    """The limits of the options. NsmlError if too few GPUs are free or a size is invalid."""
    indices = None if gpus is None else take_gpus(home, gpus)
    there = 0 if gpus == 0 else len(list_gpus())
    if indices:
        click.echo(f"the session gets GPU {', '.join(map(str, indices))} of {there} of this machine", err=True)
    elif gpus is None and there > 1:
        click.echo(f"the session sees all {there} GPUs of this machine; -g N gives it N free ones", err=True)
    if gpus and not indices:
        click.echo(f"warning: -g {gpus}: this machine has no GPU; the session runs on its processors", err=True)
    return Limits(
        gpus=indices,
        cpus=cpus,
        memory=None if memory is None else parse_size(memory),
        log=DEFAULT if log_limit is None else parse_size(log_limit, "--log-limit", SMALLEST),
    )
