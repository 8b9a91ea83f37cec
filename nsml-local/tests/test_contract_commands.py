"""The platform's table of commands: every command and option in it exists."""

import click
import pytest
from helpers import Nsml

from nsml.cli.main import nsml as commands

TABLE = {
    "run": "-d -e -a -g -c --memory --shm-size -m -i",
    "ps": "-a -n -d -s -j",
    "logs": "-f",
    "model ls": "-j",
    "model rm": "",
    "model pull": "",
    "submit": "-t -b",
    "infer": "",
    "fork": "-c -a -g --cpu --memory --shm-size",
    "resume": "",
    "stop": "",
    "rm": "-f",
    "pull": "-v -f",
    "download": "-s",
    "diff": "",
    "exec": "",
    "memo": "",
    "command": "",
    "dataset ls": "-j",
    "dataset search": "",
    "dataset board": "-j",
    "dataset push": "",
    "dataset rm": "",
    "login": "",
    "logout": "",
    "whoami": "",
    "credit": "",
    "gpumem": "",
    "status": "",
    "plot": "",
}


def _find(path: str) -> click.Command:
    command: click.Command = commands
    for name in path.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None, f"there is no command {path}"
        command = found
    return command


@pytest.mark.parametrize("path", TABLE)
def test_the_command_is_there_with_its_options(path: str) -> None:
    options = {name for parameter in _find(path).params for name in parameter.opts}
    assert set(TABLE[path].split()) <= options


LISTS = [
    "ps",
    "model ls",
    "dataset ls",
    "dataset search",
    "dataset board",
    "status",
    "env ls",
    "diff",
    "compare",
    "check",
]


@pytest.mark.parametrize("path", LISTS)
def test_a_command_that_shows_a_list_shows_it_as_json_too(path: str) -> None:
    assert "-j" in {name for parameter in _find(path).params for name in parameter.opts}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("nsml sub", "submit"),
        ("nsml submit FUN", "FUNDUS/1"),
        ("nsml submit tester/F", "tester/FUNDUS/1"),
        ("nsml submit tester/FUNDUS/1 b", "best"),
        ("nsml run -d F", "FUNDUS"),
        ("nsml dataset bo", "board"),
    ],
)
def test_a_shell_completes_commands_sessions_checkpoints_and_datasets(
    nsml: Nsml, trained: str, words: str, wanted: str
) -> None:
    parts = words.split()
    asked = nsml(_NSML_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(parts) - 1))
    assert [line.split(",")[-1] for line in asked.out.splitlines()] == [wanted]
