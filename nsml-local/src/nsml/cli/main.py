"""The `nsml` command: its table of commands, imported one by one when they are asked for, and what an error looks like."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from importlib import import_module
from typing import Any

import click

from .. import __version__
from ..errors import NsmlError, RunFailed, fix_for
from .display import Printable

_COMMANDS = {
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
    "web": "nsml.cli.web",
    "memo": "nsml.cli.memo",
    "command": "nsml.cli.memo",
    "pull": "nsml.cli.pull",
    "download": "nsml.cli.pull",
    "rm": "nsml.cli.rm",
    "check": "nsml.cli.check",
    "doctor": "nsml.cli.doctor",
    "env": "nsml.cli.env",
    "login": "nsml.cli.user",
    "logout": "nsml.cli.user",
    "whoami": "nsml.cli.user",
    "credit": "nsml.cli.machine",
    "status": "nsml.cli.machine",
    "gpumem": "nsml.cli.machine",
}


# Begins the line on what should never happen.
OWN_FAULT = "a fault of nsml itself"


class _Commands(click.Group):
    """Commands that are imported at first use, so that each starts as fast as it can, in the order of a day's work."""

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
            # click would tell of it as of a question that nobody answered.
            if cut := _cut_bytecode(error):
                raise RunFailed(
                    f"{cut} is cut short, as by a disk that was full when Python wrote it; remove that file"
                ) from error
            raise


def _without_equals(command: click.Command, words: list[str]) -> list[str]:
    """`-e=main.py` as `-e main.py`, which public scripts for the platform write and click does not."""
    take_values = {name for p in command.params if isinstance(p, click.Option) and not p.is_flag for name in p.opts}
    found: list[str] = []
    for number, word in enumerate(words):
        if word == "--":
            return found + words[number:]
        is_value = bool(found) and found[-1] in take_values
        if word[:2] in take_values and word[2:3] == "=" and not is_value:
            found += [word[:2], word[3:]]
        else:
            found.append(word)
    return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="nsml")
@click.option("--debug", is_flag=True, help="Show the traceback of an error (or set NSML_DEBUG=1).")
def nsml(debug: bool) -> None:
    """NSML on this machine: run sessions, submit checkpoints, rank them.

    \b
    A first round:
      nsml dataset demo                     draw the made-up dataset FUNDUS_DEMO
      nsml run -d FUNDUS_DEMO               start main.py of this folder as a session
      nsml logs -f FUNDUS_DEMO/1            follow what it prints
      nsml submit FUNDUS_DEMO/1 best        score its checkpoint on the hidden labels
      nsml dataset board FUNDUS_DEMO        the leaderboard
    """
    if debug:
        os.environ["NSML_DEBUG"] = "1"


def main() -> None:
    """The console script. Exit status 0, 1 for what failed, 2 for wrong use, 130 for Ctrl-C."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        # Names of files and arguments may hold bytes that the terminal's encoding has no letter for.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = Printable(sys.stdout), Printable(sys.stderr)  # type: ignore[assignment]
    try:
        status = nsml.main(standalone_mode=False, prog_name="nsml")
        # click hands back an int for --help and --version, and what the command returns otherwise.
        sys.stdout.flush()
        sys.exit(status if isinstance(status, int) else 0)
    except BrokenPipeError:
        # The reader, `head` for instance, has seen enough.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.Abort as error:
        if not isinstance(error.__cause__, KeyboardInterrupt) and not sys.stdin.isatty():
            _fail("nobody is there to confirm; -f does it without asking", 1)
        print("nsml: interrupted", file=sys.stderr)
        sys.exit(130)
    except KeyboardInterrupt:
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
        if not _current_folder_is_there():
            _fail("the folder that this terminal is in is gone; cd to one that is there", 1)
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}; {fix_for(error)}", 1)
    except Exception as error:
        _fail(
            f"{OWN_FAULT}: {type(error).__name__}: {error}; run it again with NSML_DEBUG=1 and report what it shows", 1
        )


def _open_what_is_closed() -> None:
    """Stand-ins for the streams that the caller closed (`nsml ps >&-`): what is opened next would else take their place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            found = os.open(os.devnull, os.O_RDWR)
            if found != number:
                os.dup2(found, number)
                os.close(found)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _current_folder_is_there() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _cut_bytecode(error: EOFError) -> str:
    """The file of compiled Python that could not be read to its end, or "".

    CPython before 3.12.8 and 3.13.1 takes a write that a full disk cut short for a whole one (gh-126606), and cannot import that module
    any more.
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
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return text
    takes_arguments = any(parameter.name == "arguments" for parameter in error.ctx.command.params)
    if takes_arguments and (name or "unexpected extra argument" in text):
        text += f'; arguments of the program are one text in quotes: -a "{name or "--epoch"} ..."'
    return f"{text}; see '{error.ctx.command_path} --help'"


def _fail(message: str, status: int) -> None:
    if os.environ.get("NSML_DEBUG", "0") not in ("", "0"):
        import traceback

        traceback.print_exc()
    print(f"nsml: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)
