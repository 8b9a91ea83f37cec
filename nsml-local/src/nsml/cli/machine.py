"""`nsml status`, `nsml gpumem`, `nsml credit`: the machine and its load."""

from __future__ import annotations

import shutil

import click

from ..engine.queue import LOCAL, SLURM, look, places
from ..engine.resources import gpu_use, set_side_by_side, this_machine
from ..errors import NsmlError
from ..store.home import open_home
from ..store.processes import memory_of_group
from ..store.sessions import list_sessions
from ..wording import size
from .arguments import json_option
from .display import print_json, print_table, print_text


@click.command()
@click.option(
    "--side-by-side",
    type=click.IntRange(min=0),
    metavar="N",
    help="Let N sessions without -c and GPU run at once; 0 returns to half the processors.",
)
@click.option(
    "--engine",
    type=click.Choice([LOCAL, SLURM]),
    envvar="NSML_ENGINE",
    help="slurm: show the cluster's nodes and your jobs.  [default: NSML_ENGINE, or local]",
)
@json_option()
def status(side_by_side: int | None, engine: str | None, as_json: bool) -> None:
    """Show this machine's processors, memory, disk and GPUs. Also running sessions, and how many run at once."""
    import psutil

    if engine == SLURM:
        _cluster(as_json)
        return
    home = open_home()
    if side_by_side is not None:
        set_side_by_side(home, side_by_side or None)
        look(home)
    machine = this_machine(home)
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(home.path)
    running = []
    for session in list_sessions(home):
        try:
            state = session.state()
        except NsmlError as error:
            click.echo(f"warning: {error}", err=True)
            continue
        if state["status"] == "Running" and state.get("program") and not state.get("on"):
            running.append((str(session.name), memory_of_group(state["program"])))
    facts = {
        "processors": psutil.cpu_count(),
        "load": round(psutil.getloadavg()[0], 2),
        "memory": memory.total,
        "memory_free": memory.available,
        "disk": disk.total,
        "disk_free": disk.free,
        "gpus": len(machine.gpus),
        "side_by_side": machine.sessions,
        "queued": len(places(home)),
        "sessions": [{"name": name, "memory": used} for name, used in running],
    }
    if as_json:
        print_json(facts)
        return
    print_table(
        ("Processors", "Load", "Memory", "Free", "Disk", "Free", "GPUs"),
        [
            (
                str(facts["processors"]),
                str(facts["load"]),
                size(memory.total),
                size(memory.available),
                size(disk.total),
                size(disk.free),
                str(facts["gpus"]),
            )
        ],
    )
    one_each = "each session takes one GPU; " if machine.gpus else ""
    print_text(
        f"\nUnless -g or -c say otherwise, {one_each}sessions without a GPU run {machine.sessions} at a time "
        f"('nsml status --side-by-side N' changes that); {facts['queued']} wait"
    )
    if running:
        click.echo()
        print_table(("Session", "Memory"), [(name, size(used)) for name, used in running])


def _cluster(as_json: bool) -> None:
    from ..engine.slurm import jobs, nodes

    node_names = ("Node", "Partition", "State", "Processors (used/free/other/all)", "Memory, MB", "GPUs and others")
    job_names = ("Job", "Session", "State", "Time", "Node or reason")
    if as_json:
        rows = {"nodes": (node_names, nodes()), "jobs": (job_names, jobs())}
        print_json({key: [dict(zip(names, row, strict=True)) for row in found] for key, (names, found) in rows.items()})
        return
    print_table(node_names, nodes())
    click.echo()
    print_table(job_names, jobs())


@click.command()
def gpumem() -> None:
    """Show the memory of the GPUs of this machine."""
    click.echo(gpu_use(header=True) or "this machine has no NVIDIA GPU")


@click.command()
def credit() -> None:
    """Show the credit: local use is free."""
    click.echo("Local use is free: sessions and submits cost no credit.")
