"""The options that say what a session may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..engine.log_limit import DEFAULT, SMALLEST
from ..engine.resources import Limits, parse_size, take_gpus
from ..store.home import Home


def _accepted(name: str, **more: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option of the platform that means nothing on this machine, and says so."""

    def tell(context: click.Context, option: click.Parameter, value: object) -> None:
        if value:
            click.echo(f"{name} changes nothing here; it is accepted as on the platform", err=True)

    return click.option(name, expose_value=False, callback=tell, **{"help": "Accepted as on the platform."} | more)


def limit_options(cpus: str = "-c") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """-g, -c (or --cpu alone where -c means something else), --memory, --log-limit and --shm-size."""
    names = [n for n in ("-c", "--cpus", "--cpu") if n != "-c" or cpus == "-c"]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            *(_accepted(name, hidden=True) for name in ("--gpu-driver-version", "--gpu-model", "--esm")),
            _accepted("--nfs-output", hidden=True, is_flag=True),
            _accepted("--shm-size", metavar="SIZE", help="Accepted as on the platform; this machine's is used."),
            click.option(
                "--log-limit",
                metavar="SIZE",
                envvar="NSML_LOG_LIMIT",
                help="Keep the beginning and the end of a log that grows past it.  [default: 1G, or NSML_LOG_LIMIT]",
            ),
            click.option("--memory", metavar="SIZE", help="End the session when it uses more, e.g. 24G."),
            click.option(*names, "cpus", type=click.IntRange(min=1), metavar="N", help="Use only N processors."),
            click.option(
                "-g",
                "--gpus",
                type=click.IntRange(min=0),
                metavar="N",
                help="Take N free GPUs; 0 hides all. [default: as is]",
            ),
        ):
            command = option(command)
        return command

    return decorate


def limits_from(home: Home, gpus: int | None, cpus: int | None, memory: str | None, log_limit: str | None) -> Limits:
    """The limits that the options ask for; NsmlError where there are too few free GPUs, or a size is none."""
    taken = None if gpus is None else take_gpus(home, gpus)
    if gpus and not taken:
        click.echo(f"warning: -g {gpus}: this machine has no GPU; the session runs on its processors", err=True)
    return Limits(
        gpus=taken,
        cpus=cpus,
        memory=None if memory is None else parse_size(memory),
        log=DEFAULT if log_limit is None else parse_size(log_limit, "--log-limit", SMALLEST),
    )
