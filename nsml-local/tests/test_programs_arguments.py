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
