"""Programs whose arguments, and whose entry file, are those of the platform's years."""

import json
from pathlib import Path

import pytest
from helpers import Nsml, start_and_wait
from program_helpers import printed, push, put, scored, train

from nsml.engine.check import check_project
from nsml.engine.snapshot import list_snapshot


@pytest.fixture(autouse=True)
def numbers(tmp_path: Path) -> None:
    push(tmp_path)


def test_a_program_without_iteration_goes_on_in_a_fork(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/no_iteration.py")
    nsml("fork", train(nsml), "-c", "1")
    nsml("logs", "-f", "NUMBERS/2")
    assert printed(nsml, "NUMBERS/2")[-1] == "epoch 3 of 'no title'"


def test_a_program_that_only_names_an_iteration_is_not_given_one(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/iteration_elsewhere.py")
    assert scored(nsml("submit", train(nsml), "end")) == "Score: 1"


def test_the_arguments_of_another_entry_file_are_not_given_to_this_one(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/two_entry_files")
    assert scored(nsml("submit", train(nsml), "end")) == "Score: 1"


MODE_AND_PAUSE = """
import argparse, subprocess, sys
parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
"""
OF_OTHERS = {
    "a module's own parser": (
        "import helper",
        "import argparse\nif __name__ == '__main__':\n    parser = argparse.ArgumentParser()\n    parser.add_argument('--iteration')\n",
    ),
    "a command": ("import helper", "import subprocess\ndef go():\n    subprocess.run(['other', '--iteration', '5'])\n"),
    "a command under another name": (
        "",
        "from subprocess import run as go\ndef f():\n    go(('other', '--iteration'))\n",
    ),
    "a command in a variable": ("words = [sys.executable, 'other.py', '--iteration', '5']", ""),
}


@pytest.mark.parametrize("place", OF_OTHERS)
def test_an_iteration_of_another_program_is_not_given_to_this_one(nsml: Nsml, project: Path, place: str) -> None:
    code, helper = OF_OTHERS[place]
    (project / "helper.py").write_text(helper)
    (project / "main.py").write_text(
        f"{MODE_AND_PAUSE}import helper\n{code}\noptions = vars(parser.parse_args())\n{AFTER}"
    )
    assert scored(nsml("submit", train(nsml), "end")) == "Score: 1"


WITH_AN_END = {
    "subcommands": (
        "parts = parser.add_subparsers(dest='part')\nfit = parts.add_parser('fit')\nfit.add_argument('--lr')",
        "fit --lr 0.1",
    ),
    "subcommands with the reserved options": (
        "top, parser = parser, argparse.ArgumentParser()\nfit = parser.add_subparsers().add_parser('fit')\n"
        "fit.add_argument('--mode')\nfit.add_argument('--pause')",
        "fit",
    ),
    "a subcommand whose name is another option's value": (
        "parser.add_argument('--phase')\nparser.add_subparsers(required=False).add_parser('fit')",
        "--phase fit",
    ),
    "subcommands of a parser with groups and short options": (
        "top = argparse.ArgumentParser()\ngroup = top.add_argument_group()\ngroup.add_argument('-m', '--mode')\n"
        "group.add_argument('-p', '--pause', type=int)\nparser = top\nparser.add_subparsers().add_parser('fit')",
        "--mode train fit",
    ),
    "subcommands with parents that have the reserved options": (
        "common = argparse.ArgumentParser(add_help=False)\ncommon.add_argument('--mode')\n"
        "common.add_argument('--pause', type=int)\nparser = argparse.ArgumentParser()\n"
        "parser.add_subparsers().add_parser('fit', parents=[common])",
        "fit",
    ),
    "a remainder behind a reserved argument": (
        "parser.add_argument('rest', nargs=argparse.REMAINDER)",
        "--mode train other",
    ),
    "a remainder": ("parser.add_argument('rest', nargs=argparse.REMAINDER)", "other --its 1"),
    "two dashes": ("parser.add_argument('rest', nargs='*')", "-- other"),
}


@pytest.mark.parametrize("end", WITH_AN_END)
def test_the_reserved_arguments_come_where_the_parser_takes_options(nsml: Nsml, project: Path, end: str) -> None:
    code, words = WITH_AN_END[end]
    (project / "main.py").write_text(f"{MODE_AND_PAUSE}{code}\noptions = vars(parser.parse_args())\n{AFTER}")
    name = train(nsml, "-a", words)
    assert scored(nsml("submit", name, "end")) == "Score: 1"
    nsml("fork", name)
    assert "loaded" in nsml("logs", "-f", "NUMBERS/2").out


def test_a_parser_in_another_module_is_given_the_reserved_arguments(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/parser_elsewhere")
    nsml("submit", "-t", train(nsml), "1_0")
    assert "iteration 1_0 holds the line 5.0" in printed(nsml, "NUMBERS/2")


def test_a_fork_keeps_quotations_and_newlines_of_the_arguments(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/no_iteration.py")
    nsml("fork", train(nsml, "-a", "--title \"two\n  'words'\"\n"))
    nsml("logs", "-f", "NUMBERS/2")
    assert printed(nsml, "NUMBERS/2")[-1] == "epoch 4 of \"two\\n  'words'\""


def test_an_iteration_that_is_a_number_is_given_as_one_at_submit(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/iteration_int.py")
    assert scored(nsml("submit", train(nsml), "2")) == "Score: 1"


def test_argparses_complaint_at_a_submit_is_shown(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/iteration_int.py")
    failed = nsml("submit", train(nsml), "best")
    assert failed.status == 1 and "argument --iteration: invalid int value: 'best'" in failed.err


def test_a_pause_without_a_type_is_not_given_while_training(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/pause_untyped.py")
    assert "not paused" in printed(nsml, train(nsml))


def test_a_pause_without_a_type_is_given_as_one_in_a_fork(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/pause_untyped.py")
    nsml("fork", train(nsml))
    nsml("logs", "-f", "NUMBERS/2")
    shown = printed(nsml, "NUMBERS/2")
    assert "paused, since --pause is '1'" in shown and "loaded epoch 1" in shown


def test_a_program_with_parse_known_args_is_given_the_reserved_arguments_at_submit(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/parse_known_args.py")
    assert scored(nsml("submit", train(nsml), "final")) == "Score: 1"


def test_a_program_with_parse_known_args_gets_what_it_does_not_know(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/parse_known_args.py")
    assert printed(nsml, train(nsml, "-a", "--gpu 0"))[0] == "left alone: ['--gpu', '0']"


def test_a_mode_of_the_programs_own_runs_by_hand(nsml: Nsml, project: Path, python: Nsml) -> None:
    put(project, "arguments/strategies.py")
    train(nsml)
    assert python("main.py", "--mode", "test_local", NSML_DATASET="NUMBERS").out == "right: 4\n"


def test_a_program_that_failed_is_resumed_where_pause_decides(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/strategies.py")
    name = start_and_wait(nsml, "-a", "--epochs 3", dataset="NUMBERS")
    assert "Failed" in nsml("ps", "-a").out
    nsml("resume", name)
    nsml("logs", "-f", name)
    assert [line for line in printed(nsml, name) if line.startswith("epoch")] == ["epoch 0", "epoch 1", "epoch 2"]


def test_an_entry_file_in_a_subfolder_is_started_in_the_projects_folder(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/in_a_subfolder")
    assert scored(nsml("submit", train(nsml, "-e", "source/train.py"), "final")) == "Score: 1"


def test_an_entry_file_can_be_named_from_inside_its_subfolder(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/in_a_subfolder")
    (project / "source" / "settings.json").write_text('{"file": "model.json"}')
    inside = nsml("run", "-d", "NUMBERS", "-e", "train.py", folder=project / "source")
    assert inside.out == "Session tester/NUMBERS/1 is started\n"
    assert "exit status 0" in nsml("logs", "-f", "NUMBERS/1").out


def test_a_lesson_is_followed_to_its_end_and_removed(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/07.py", entry="07.py")
    followed = nsml("run", "07.py", "-i", "-d", "NUMBERS", "-a", "--epochs 1")
    assert "lesson 7 on NUMBERS" in followed.out and json.loads(nsml("ps", "-a", "-j").out) == []


# All that a test here or in the other files submits with success, so that a submit of it is known to work.
SUBMITTED = """
    hooks/keywords_in_another_order.py hooks/positional.py hooks/five_positional.py hooks/legacy_off.py
    hooks/bound_methods.py hooks/extra_keywords.py hooks/ensemble.py hooks/loads_inside_infer.py hooks/borrowed.py
    hooks/save_fn.py hooks/save_folder.py hooks/makedirs.py hooks/one_file.py hooks/joined.py arguments/no_iteration.py
    arguments/pause_untyped.py arguments/parse_known_args.py arguments/strategies.py arguments/parser_elsewhere
    arguments/two_entry_files infer/lines.py infer/phase.py infer/own_files infer/own_module library/estimators.py
"""


@pytest.mark.parametrize("program", SUBMITTED.split())
def test_check_finds_nothing_certain_against_a_program_that_is_submitted(project: Path, program: str) -> None:
    put(project, program)
    assert [str(f) for f in check_project(project, "main.py", list_snapshot(project)) if f.certain] == []


def test_a_submit_is_started_with_the_arguments_of_its_session(nsml: Nsml, project: Path) -> None:
    put(project, "arguments/shapes_the_model.py")
    assert scored(nsml("submit", train(nsml, "-a", "--layers 3"), "end")) == "Score: 1"


# How programs read their arguments, each into `options`, and whether the source leaves that in doubt.
HABITS = {
    "sys.argv by hand": ("options = dict(zip((w.lstrip('-') for w in sys.argv[1::2]), sys.argv[2::2]))", True),
    "a key by hand": ("options = {'pause': '--pause' in sys.argv}", True),
    "a loop": (
        "import argparse\nparser = argparse.ArgumentParser()\n"
        "for name, default in {'mode': 'train', 'pause': 0, 'iteration': '0'}.items():\n"
        "    parser.add_argument('--' + name, default=default, type=type(default))\noptions = vars(parser.parse_args())",
        True,
    ),
    "the fields of a dataclass": (
        "import argparse, dataclasses\n@dataclasses.dataclass\nclass Options:\n    mode: str = 'train'\n    pause: int = 0\n"
        "parser = argparse.ArgumentParser()\nfor field in dataclasses.fields(Options):\n"
        "    parser.add_argument(f'--{field.name}', default=field.default)\noptions = vars(parser.parse_args())",
        True,
    ),
    "a parser of a package": (
        "from unknown_parser import HfArgumentParser\nclass Options:\n    mode: str = 'train'\n    pause: int = 0\n"
        "options = vars(HfArgumentParser(Options).parse_args_into_dataclasses()[0])",
        True,
    ),
    "getopt": (
        "import getopt\nfound, _ = getopt.getopt(sys.argv[1:], '', ['mode=', 'pause=', 'iteration='])\n"
        "options = {name.lstrip('-'): value for name, value in found}",
        False,
    ),
    "a function's arguments": (
        "import typer\noptions = {}\ndef main(mode: str = 'train', pause: int = 0):\n    options.update(pause=pause)\ntyper.run(main)",
        False,
    ),
    "absl's functions": (
        "from absl.flags import DEFINE_integer, DEFINE_string, FLAGS\nDEFINE_string('mode', 'train', '')\nDEFINE_integer('pause', 0, '')\n"
        "FLAGS(sys.argv)\noptions = FLAGS.flag_values_dict()",
        False,
    ),
}
AFTER = """
import nsml
nsml.bind(save=lambda d: open(d + "/f", "w").close(), load=lambda d: print("loaded"),
          infer=lambda numbers: [int(number > 5) for number in numbers])
if int(options.get("pause") or 0):
    nsml.paused(scope=globals())
nsml.save("end")
"""
# As they come with a package that is not installed here.
PACKAGES = {
    "unknown_parser.py": "import argparse\nclass HfArgumentParser(argparse.ArgumentParser):\n"
    "    def __init__(self, kind):\n        super().__init__()\n        self.kind = kind\n"
    "        for name in kind.__annotations__:\n            getattr(self, 'add_' + 'argument')('--' + name)\n"
    "    def parse_args_into_dataclasses(self):\n        return [self.parse_args()]\n",
    "typer.py": "import sys\ndef run(main):\n    main(**dict(zip((w.lstrip('-') for w in sys.argv[1::2]), sys.argv[2::2])))\n",
    "absl/__init__.py": "",
    "absl/flags.py": "class _Flags(dict):\n    def __call__(self, argv):\n"
    "        self.update(zip((w.lstrip('-') for w in argv[1::2]), argv[2::2]))\n"
    "    def flag_values_dict(self):\n        return self\nFLAGS = _Flags()\n"
    "def DEFINE_string(name, default, help): FLAGS[name] = default\nDEFINE_integer = DEFINE_string\n",
}


@pytest.mark.parametrize("habit", HABITS)
def test_a_program_is_given_the_reserved_arguments_however_it_reads_them(
    nsml: Nsml, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, habit: str
) -> None:
    packages = tmp_path / "packages"
    for name, content in PACKAGES.items():
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text(content)
    monkeypatch.setenv("PYTHONPATH", str(packages))
    code, in_doubt = HABITS[habit]
    (project / "main.py").write_text(f"import sys\n{code}\n{AFTER}")
    name = train(nsml)
    submitted, resumed = nsml("submit", name, "end"), nsml("resume", name)
    assert scored(submitted) == "Score: 1"
    assert "loaded" in nsml("logs", "-f", name).out
    assert ("cannot be read from its source" in submitted.err) == in_doubt
    assert ("cannot be read from its source" in resumed.err) == in_doubt


@pytest.mark.parametrize("program", ["no_iteration.py", "parser_elsewhere", "two_entry_files", "strategies.py"])
def test_a_program_whose_options_are_written_out_is_no_doubtful_one(project: Path, program: str) -> None:
    put(project, f"arguments/{program}")
    assert "cannot be read from its source" not in str(
        [str(f) for f in check_project(project, "main.py", list_snapshot(project))]
    )


def test_an_argparse_program_without_the_reserved_arguments_is_refused_not_guessed_at(
    nsml: Nsml, project: Path
) -> None:
    (project / "main.py").write_text(
        f"import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--epoch')\noptions = vars(parser.parse_args())\n{AFTER}"
    )
    assert "does not accept --mode and --pause" in nsml("submit", train(nsml), "end").err


def test_a_checkpoint_whose_name_begins_with_a_dash_is_submitted(nsml: Nsml, project: Path) -> None:
    options = "".join(f"parser.add_argument('--{name}')\n" for name in ("mode", "pause", "iteration"))
    head = f"import argparse\nparser = argparse.ArgumentParser()\n{options}options = vars(parser.parse_args())\n"
    (project / "main.py").write_text(head + AFTER.replace('"end"', '"-x"'))
    assert scored(nsml("submit", train(nsml), "--", "-x")) == "Score: 1"
