"""Programs that bind, save and load in the habits of the platform's years."""

import json
from pathlib import Path

import pytest
from helpers import Nsml
from program_helpers import printed, push, put, scored, train


@pytest.fixture(autouse=True)
def numbers(tmp_path: Path) -> None:
    push(tmp_path)


def _checkpoints(nsml: Nsml, session: str) -> list[str]:
    return [row["checkpoint"] for row in json.loads(nsml("model", "ls", "-j", session).out)]


def _submit_final(nsml: Nsml, project: Path, program: str) -> str:
    put(project, f"hooks/{program}.py")
    return scored(nsml("submit", train(nsml), "final"))


def test_a_program_that_binds_infer_first_by_keyword_is_submitted(nsml: Nsml, project: Path) -> None:
    assert _submit_final(nsml, project, "keywords_in_another_order") == "Score: 1"


def test_a_program_that_binds_by_position_is_submitted(nsml: Nsml, project: Path) -> None:
    assert _submit_final(nsml, project, "positional") == "Score: 1"


def test_a_program_that_binds_evaluate_and_decode_as_fourth_and_fifth_is_submitted(nsml: Nsml, project: Path) -> None:
    assert _submit_final(nsml, project, "five_positional") == "Score: 1"


def test_hooks_bound_with_use_nsml_legacy_need_not_take_it(nsml: Nsml, project: Path) -> None:
    assert _submit_final(nsml, project, "legacy_off") == "Score: 1"


def test_methods_of_an_object_can_be_bound(nsml: Nsml, project: Path) -> None:
    assert _submit_final(nsml, project, "bound_methods") == "Score: 1"


def test_infer_is_not_handed_the_extra_keywords_of_bind(nsml: Nsml, project: Path) -> None:
    assert _submit_final(nsml, project, "extra_keywords") == "Score: 1"


def test_a_fork_loads_into_the_objects_that_were_handed_to_bind(nsml: Nsml, project: Path) -> None:
    put(project, "hooks/extra_keywords.py")
    train(nsml, "-a", "--epochs 3")
    nsml("fork", "NUMBERS/1", "-a", "--epochs 2")
    nsml("logs", "-f", "NUMBERS/2")
    assert "epochs in all: 5" in printed(nsml, "NUMBERS/2")


def test_a_program_without_infer_goes_on_in_a_fork(nsml: Nsml, project: Path) -> None:
    put(project, "hooks/without_infer.py")
    train(nsml)
    nsml("fork", "NUMBERS/1")
    nsml("logs", "-f", "NUMBERS/2")
    assert [line for line in printed(nsml, "NUMBERS/2") if line.startswith("epoch")] == ["epoch 3", "epoch 4"]


def test_a_submit_of_a_program_without_infer_says_what_is_not_bound(nsml: Nsml, project: Path) -> None:
    put(project, "hooks/without_infer.py")
    failed = nsml("submit", train(nsml), "2")
    assert failed.status == 1 and "submit failed at load: no infer function is bound" in failed.err


@pytest.fixture
def members(nsml: Nsml, project: Path) -> None:
    """Three sessions, each with a checkpoint 4 that errs once in the test set but the last."""
    put(project, "hooks/member.py")
    for off in (-2, 2, 0):
        train(nsml, "-a", f"--off={off}")


@pytest.mark.usefixtures("members")
def test_an_ensemble_of_models_bound_one_after_the_other_is_submitted(nsml: Nsml, project: Path) -> None:
    put(project, "hooks/ensemble.py")
    assert scored(nsml("submit", train(nsml), "ensemble")) == "Score: 1"


@pytest.mark.usefixtures("members")
def test_infer_may_load_the_models_of_other_sessions_during_a_submit(nsml: Nsml, project: Path) -> None:
    put(project, "hooks/loads_inside_infer.py")
    assert scored(nsml("submit", train(nsml), "voting")) == "Score: 1"


def test_a_model_taken_over_from_another_session_is_submitted_as_ones_own(nsml: Nsml, project: Path) -> None:
    put(project, "hooks/member.py")
    train(nsml)
    put(project, "hooks/borrowed.py")
    assert scored(nsml("submit", train(nsml), "saved")) == "Score: 1"


def test_a_program_that_saves_with_nothing_bound_runs_to_its_end(nsml: Nsml, project: Path) -> None:
    put(project, "hooks/nothing_bound.py")
    assert _checkpoints(nsml, train(nsml)) == ["0", "1", "2"]


def test_checkpoints_of_save_fn_are_loaded_by_the_bound_load_and_by_load_fn(nsml: Nsml, project: Path) -> None:
    put(project, "hooks/save_fn.py")
    assert scored(nsml("submit", train(nsml), "low")) == "Score: 1"


def test_a_folder_saved_with_save_folder_is_submitted(nsml: Nsml, project: Path) -> None:
    put(project, "hooks/save_folder.py")
    assert scored(nsml("submit", train(nsml), "exported")) == "Score: 1"


def test_a_program_that_says_iteration_for_checkpoint_loads_what_it_saved(nsml: Nsml, project: Path) -> None:
    put(project, "hooks/iteration_keyword.py")
    assert "the best line was 5.0" in printed(nsml, train(nsml))


def test_checkpoints_saved_by_iteration_are_submitted_by_their_number(nsml: Nsml, project: Path) -> None:
    put(project, "hooks/iteration_keyword.py")
    name = train(nsml)
    assert [scored(nsml("submit", name, checkpoint)) for checkpoint in ("0", "1")] == ["Score: 1", "Score: 0.5"]


def test_a_save_hook_may_make_the_folder_that_is_there_already(nsml: Nsml, project: Path) -> None:
    assert _submit_final(nsml, project, "makedirs") == "Score: 1"


def test_a_program_that_writes_one_file_at_the_path_is_loaded_back(nsml: Nsml, project: Path) -> None:
    assert _submit_final(nsml, project, "one_file") == "Score: 1"


def test_a_program_that_puts_a_file_name_behind_the_path_is_loaded_back(nsml: Nsml, project: Path) -> None:
    assert _submit_final(nsml, project, "joined") == "Score: 1"


def test_files_whose_names_begin_with_the_path_are_saved_and_loaded(nsml: Nsml, project: Path) -> None:
    put(project, "hooks/prefix.py")
    assert scored(nsml("submit", train(nsml), "two files")) == "Score: 1"


def test_files_whose_names_begin_with_the_path_are_counted_and_pulled(nsml: Nsml, project: Path) -> None:
    put(project, "hooks/prefix.py")
    name = train(nsml)
    assert "wrote no file" not in nsml("logs", name).out
    pulled = nsml("model", "pull", name, "two files", ".").out
    assert pulled.startswith("2 files") and (project / "tester_NUMBERS_1/two files/model.data").read_text() == "5.0"
