"""The `nsml` command: a table of commands, imported on use, and error messages."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from importlib import import_module
from typing import Any

import click

from .. import __version__
from ..errors import NsmlError, RunFailed, first_of, fix_for
from ..store.home import Home, default_home, open_home
from .arguments import Group
from .display import OUTPUT, Printable

_COMMANDS = {
    "new": "nsml.cli.new",
    "run": "nsml.cli.run",
    "ps": "nsml.cli.ps",
    "logs": "nsml.cli.logs",
    "stop": "nsml.cli.stop",
    "model": "nsml.cli.model",
    "submit": "nsml.cli.submit",
    "dataset": "nsml.cli.dataset",
    "fork": "nsml.cli.fork",
    "resume": "nsml.cli.fork",
    "infer": "nsml.cli.exec",
    "exec": "nsml.cli.exec",
    "plot": "nsml.cli.plot",
    "diff": "nsml.cli.diff",
    "compare": "nsml.cli.compare",
    "report": "nsml.cli.report",
    "export": "nsml.cli.export",
    "web": "nsml.cli.web",
    "memo": "nsml.cli.memo",
    "tag": "nsml.cli.memo",
    "command": "nsml.cli.memo",
    "pull": "nsml.cli.pull",
    "download": "nsml.cli.pull",
    "rm": "nsml.cli.rm",
    "prune": "nsml.cli.prune",
    "check": "nsml.cli.check",
    "doctor": "nsml.cli.doctor",
    "referee": "nsml.cli.referee",
    "backup": "nsml.cli.backup",
    "restore": "nsml.cli.backup",
    "env": "nsml.cli.env",
    "login": "nsml.cli.user",
    "logout": "nsml.cli.user",
    "whoami": "nsml.cli.user",
    "credit": "nsml.cli.machine",
    "status": "nsml.cli.machine",
    "gpumem": "nsml.cli.machine",
}


# Start of the message on unexpected exceptions.
OWN_FAULT = "a bug in nsml"


class _Commands(Group):
    """Commands that are imported on use, for a fast start; listed in the order of a working day."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(
            import_module(_COMMANDS[cmd_name]), "exec_" if cmd_name == "exec" else cmd_name
        )
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, _without_equals(command, rest) if command else rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EOFError as error:
            # click treats EOFError as an unanswered prompt.
            if cut := _cut_bytecode(error):
                raise RunFailed(f"{cut} is truncated, probably because the disk was full; remove that file") from error
            raise


def _without_equals(command: click.Command, words: list[str]) -> list[str]:
    """Split `-e=main.py` into `-e main.py`: public scripts for the platform use it, click does not support it."""
    take_values = {name for p in command.params if isinstance(p, click.Option) and not p.is_flag for name in p.opts}
    split: list[str] = []
    for number, word in enumerate(words):
        if word == "--":
            return split + words[number:]
        is_value = bool(split) and split[-1] in take_values
        if word[:2] in take_values and word[2:3] == "=" and not is_value:
            split += [word[:2], word[3:]]
        else:
            split.append(word)
    return split


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="nsml")
@click.option("--debug", is_flag=True, help="Show the traceback of an error (or set NSML_DEBUG=1).")
@click.pass_context
def nsml(ctx: click.Context, debug: bool) -> None:
    """NSML on this machine: run sessions, submit checkpoints, rank them.

    \b
    A first round:
      nsml new first && cd first            begin a project from an example
      nsml dataset demo                     draw the synthetic dataset FUNDUS_DEMO
      nsml run -d FUNDUS_DEMO               start main.py of this folder as a session
      nsml logs -f FUNDUS_DEMO/1            follow its output
      nsml submit FUNDUS_DEMO/1 best        score its checkpoint on the hidden labels
      nsml dataset board FUNDUS_DEMO        show the leaderboard
    """
    if debug:
        os.environ["NSML_DEBUG"] = "1"
    # These see to the queue themselves, or end what waits in it.
    if ctx.invoked_subcommand not in ("stop", "resume"):
        _go_on_with_the_queue()


def _go_on_with_the_queue() -> None:
    """Sessions that waited when the machine went down wait on from the next command."""
    try:
        owner = os.stat(Home(default_home()).queue / "waiting.json").st_uid
    except (OSError, ValueError):
        return  # nothing waits
    # Root may look into another account's home, whose programs must not run as root.
    if owner != os.getuid():
        return
    from ..engine.queue import revive

    try:
        revive(open_home())
    except (NsmlError, OSError) as error:
        print(f"nsml: warning: the queue stands still: {error}", file=sys.stderr)


def main() -> None:
    """Run the command. Exit status: 0, 1 for a failure, 2 for wrong use, 130 for Ctrl-C."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # File names and arguments may contain bytes that the terminal's encoding cannot show.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = Printable(sys.stdout), Printable(sys.stderr)  # type: ignore[assignment]
    try:
        status = nsml.main(standalone_mode=False, prog_name="nsml")
        # click returns an int for --help and --version, else the result of the command.
        sys.stdout.flush()
        sys.exit(status if isinstance(status, int) else 0)
    except BrokenPipeError:
        # The reader, for example `head`, has ended.
        _drop_output()
        sys.exit(0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.Abort as error:
        if not isinstance(error.__cause__, KeyboardInterrupt) and not sys.stdin.isatty():
            _fail("there is no terminal to confirm; -f does not ask", 1)
        print("nsml: interrupted", file=sys.stderr)
        sys.exit(130)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(_one_line(error), error.exit_code)
    except NsmlError as error:
        _fail(str(error), error.exit_status)
    except OSError as error:
        if not _current_folder_exists():
            _fail("the current folder no longer exists; cd to another one", 1)
        error = first_of(error)
        if error.filename == OUTPUT:
            _drop_output()
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}; {fix_for(error)}", 1)
    except Exception as error:
        _fail(f"{OWN_FAULT}: {type(error).__name__}: {error}; run it again with NSML_DEBUG=1 and report the output", 1)


def _open_closed_streams() -> None:
    """Open /dev/null for streams that the caller closed (`nsml ps >&-`), else the next opened file gets their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _drop_output() -> None:
    """Send what still waits for stdout to /dev/null, so that Python does not fail to write it at its end."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _current_folder_exists() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _cut_bytecode(error: EOFError) -> str:
    """The truncated file of compiled Python behind the error, or "".

    CPython before 3.12.8 and 3.13.1 does not notice an incomplete write on a full disk (gh-126606); importing the module then fails.
    """
    step = error.__traceback__
    while step is not None:
        if path := step.tb_frame.f_locals.get("bytecode_path"):
            return str(path)
        step = step.tb_next
    return ""


def _one_line(error: click.ClickException) -> str:
    name = ""
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        name = error.option_name
        hidden = {n for p in error.ctx.command.params if isinstance(p, click.Option) and p.hidden for n in p.opts}
        near = [word for word in error.possibilities or () if word not in hidden]
        error = click.NoSuchOption(name, possibilities=near, ctx=error.ctx)
    text = " ".join(error.format_message().split()).rstrip(".")
    for kind, words in (("integer", "a whole number"), ("float", "a number")):
        text = re.sub(rf"is not a valid {kind}( range)?$", f"is not {words}", text)
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return text
    takes_arguments = any(parameter.name == "arguments" for parameter in error.ctx.command.params)
    if takes_arguments and (name or "unexpected extra argument" in text):
        text += f'; give arguments of the program as one text in quotes: -a "{name or "--epoch"} ..."'
    return f"{text}{'' if text.endswith('?') else ';'} see '{error.ctx.command_path} --help'"


def _fail(message: str, status: int) -> None:
    if os.environ.get("NSML_DEBUG", "0") not in ("", "0"):
        import traceback

        traceback.print_exc()
    print(f"nsml: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)
