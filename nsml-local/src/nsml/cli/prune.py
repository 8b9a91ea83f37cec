"""`nsml prune`: free disk space."""

from __future__ import annotations

import click

from ..engine.pruning import LAST, WORK, carry_out, plan_pruning
from ..errors import Damaged, NsmlError, RunFailed, fix_for
from ..store.home import open_home
from ..store.sessions import list_sessions, match_sessions
from ..wording import counted, size
from .arguments import complete_sessions
from .display import print_table


@click.command(
    epilog="""\b
Examples:
  nsml prune --dry-run
  nsml prune --keep best FUNDUS_DEMO/sweep-1
  nsml prune --keep best,last,work "FUNDUS_DEMO/*"
""",
)
@click.argument("sessions", metavar="[SESSION]...", nargs=-1, shell_complete=complete_sessions)
@click.option("--keep", default="best,last", show_default=True, metavar="NAME,NAME",
              help="Checkpoints that stay; 'last' is the newest. 'work' leaves the working folders.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only show what would be freed.")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def prune(sessions: tuple[str, ...], keep: str, dry_run: bool, force: bool) -> None:
    """Remove checkpoints and files of ended sessions. By default of all your own.

    Submitted checkpoints stay, and those that another session starts from or names. Logs, values and code stay, so that a session
    can be resumed from a checkpoint that is left. What a session wrote into its working folder is lost: 'nsml download' copies it.
    """
    home = open_home()
    names = [name.strip() for name in keep.split(",")]
    if not all(names):
        raise NsmlError(f"--keep {keep!r} has an empty name; give --keep best,last")
    user = home.user()
    chosen = {one.name: one for text in sessions for one in match_sessions(home, text, user)}
    wanted = list(chosen.values()) if sessions else list_sessions(home, user)
    plans = plan_pruning(home, wanted, names)
    there = {checkpoint.name for plan in plans for checkpoint in (*plan.remove, *plan.kept)}
    for name in names:
        # Of a session without any of the names the newest stays, which a misspelt name would not tell.
        if name not in (LAST, WORK, *there) and there:
            click.echo(f"warning: --keep {name}: none of these sessions has a checkpoint of that name", err=True)
    plans = [plan for plan in plans if plan.size or plan.why]
    print_table(
        ("Session", "Checkpoints removed", "Work folder", "Freed", ""),
        [
            (
                str(plan.session.name),
                " ".join(checkpoint.name for checkpoint in plan.remove),
                size(plan.work) if plan.work else "",
                size(plan.size) if plan.size else "",
                plan.why,
            )
            for plan in plans
        ],
    )
    total = sum(plan.size for plan in plans)
    shown = [plan for plan in plans if plan.size]
    if shown:
        click.echo(f"{'would free' if dry_run else 'frees'} {size(total)} of {counted(len(shown), 'session')}")
    else:
        click.echo(f"nothing can be removed of {counted(len(wanted), 'session')}", err=True)
    if dry_run or not shown:
        return
    if not force:
        click.confirm("Remove these checkpoints and working folders?", abort=True)
    # Planned anew, as a session may have been resumed or submitted meanwhile; nothing is removed that was not shown.
    freed, failed = 0, []
    for plan, now in zip(shown, plan_pruning(home, [plan.session for plan in shown], names), strict=True):
        folders = {checkpoint.folder for checkpoint in plan.remove}
        now.remove = [checkpoint for checkpoint in now.remove if checkpoint.folder in folders]
        try:
            carry_out(now)
            freed += now.size
        except (Damaged, OSError) as error:
            why = str(error)
            if isinstance(error, OSError):
                why = f"{error.filename or now.session.folder}: {error.strerror}; {fix_for(error)}"
            failed.append(f"{now.session.name} is left as it is: {why}")
    click.echo(f"freed {size(freed)}")
    for line in failed[:-1]:
        click.echo(f"warning: {line}", err=True)
    if failed:
        raise RunFailed(failed[-1])
