"""Every command is documented."""

import re
from collections.abc import Iterator

import click
import pytest
from helpers import Nsml

from nsml.cli.main import nsml as root


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


COMMANDS = dict(_commands(root))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does_in_a_line_of_80_columns(path: tuple[str, ...]) -> None:
    summary = COMMANDS[path].get_short_help_str(limit=64)
    assert summary and not summary.endswith("...")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_does(path: tuple[str, ...]) -> None:
    options = [p for p in COMMANDS[path].params if isinstance(p, click.Option)]
    assert all(option.help for option in options)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_examples_of_every_command_fit_into_100_columns(path: tuple[str, ...]) -> None:
    assert max(map(len, (COMMANDS[path].epilog or "").splitlines()), default=0) <= 98  # indented by two


def test_what_the_rules_mean_stands_in_one_column() -> None:
    lines = [line for line in (COMMANDS["dataset", "rules"].epilog or "").splitlines() if re.match(r"  \w+ = ", line)]
    assert len(lines) > 10 and all(re.search(r" \w", line[34:36]) for line in lines)


def test_help_names_the_commands_of_a_first_round(nsml: Nsml) -> None:
    shown = nsml("--help").out
    assert all(command in shown for command in ("nsml dataset demo", "nsml run -d", "nsml logs -f", "nsml submit"))


def test_the_version_is_that_of_the_distribution(nsml: Nsml) -> None:
    from importlib.metadata import version

    assert nsml("--version").out.split()[-1] == version("nsml-local")


@pytest.mark.parametrize("words", [[], ["dataset"], ["model"], ["env"]])
def test_a_command_without_its_subcommand_shows_its_help(nsml: Nsml, words: list[str]) -> None:
    shown = nsml(*words)
    assert shown.status == 2 and shown.out.startswith("Usage: nsml") and shown.err == ""
    assert len(shown.out.splitlines()) > 8


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("datset", "nsml: No such command 'datset'; did you mean 'dataset'? see 'nsml --help'\n"),
        ("dataset Psuh", "nsml: No such command 'Psuh'; did you mean 'push'? see 'nsml dataset --help'\n"),
        ("xyzzy", "nsml: No such command 'xyzzy'; see 'nsml --help'\n"),
    ],
)
def test_a_misspelt_command_is_answered_with_the_nearest(nsml: Nsml, words: str, line: str) -> None:
    ended = nsml(*words.split())
    assert (ended.status, ended.err) == (2, line)
